import type { Cache } from "../cache/cache.js";
import type { PurgeTagsOptions } from "../cache/method-options.js";
import { ConfigurationError, show } from "../core/errors.js";
import type { CacheEvents } from "../core/event-types.js";
import { tagLabels } from "../tags/labels.js";
import { checkTogether } from "../tags/purge-tags.js";
import { isReader, type Reader } from "../tags/records.js";
import { baseKey, labelHashes } from "./keys.js";
import { type Locator, ownKey } from "./locate.js";
import { METHOD, report } from "./observed.js";
import type { Settings } from "./options.js";
import type { Parts } from "./request-context.js";
import { invalidatedGroups, invalidatedUrls, type Labels, NO_LABELS } from "./rfc/invalidation.js";
import type { RequestHead, ResponseHead } from "./rfc/message.js";
import { cacheKey, prefixesOf } from "./rfc/target.js";

/** Options of purges. */
export interface PurgeOptions {
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean | undefined;
}

/** Ends stored responses: by URL, by label, and after unsafe requests. */
export class Purges {
  readonly #settings: Settings;
  readonly #locator: Locator;
  readonly #partsOf: (cache: Cache) => Parts;

  /** @internal Use `http.purges`. */
  constructor(settings: Settings, locator: Locator, partsOf: (cache: Cache) => Parts) {
    this.#settings = settings;
    this.#locator = locator;
    this.#partsOf = partsOf;
  }

  /**
   * Purges a URL with all its variants. A response that is being made for it is not stored.
   * @param url absolute, normalised as the key is; or a key of the host's own as `{ key }`
   * @returns how many stored responses it ended; 0 when the URL is stored under another scheme, host or spelling
   * @throws {ConnectionError} @throws {ReplyError}
   * @throws TypeError on a URL that is never stored
   */
  async url(
    cache: Cache,
    url: string | { readonly key: string },
    { soft = false }: PurgeOptions = {},
  ): Promise<number> {
    const key = typeof url === "string" ? this.#locator.keyOf(url) : ownKey(url.key);
    if (key === undefined) {
      throw new TypeError(
        `purge: ${show(url)} is no URL that can be stored; give an absolute one, of a host that is allowed`,
      );
    }
    const base = await baseKey(cache, this.#settings.name, key);
    const { store } = this.#partsOf(cache);
    const ended = await (soft ? store.soften(base) : store.purge([base]));
    emitPurge(cache, { by: "url", what: [typeof url === "string" ? url : url.key], soft, ended });
    return ended;
  }

  /**
   * Purges all responses with one of these tags, from Cache-Tag or Surrogate-Key, or with all of them (`match`), and all entries
   * of the cache with them.
   * @throws {ConnectionError} @throws {ReplyError} @throws TypeError
   */
  async tags(
    cache: Cache,
    tags: readonly string[],
    { soft = false, match = "any", only }: PurgeTagsOptions = {},
  ): Promise<void> {
    if (!Array.isArray(tags) || !tags.every(isTag)) {
      throw new TypeError(
        `purgeTags: ${show(tags)} is no list of tags; give texts without commas such as ["product-1"]`,
      );
    }
    if (only !== undefined && !isReader(only)) {
      throw new TypeError(
        `purgeTags: only: ${show(only)} is nothing that tags end; give "http" or "data", or leave it out`,
      );
    }
    if (match !== "any" && match !== "all") {
      throw new TypeError(`purgeTags: match: ${show(match)} is no way to match tags; give "any" or "all"`);
    }
    const what = [...new Set(tags.map((tag) => tag.trim()))];
    if (match === "any" || what.length < 2) {
      return this.#purgeLabels(cache, { ...NO_LABELS, tags: what }, "", soft, only);
    }
    checkTogether(what);
    const { log } = this.#partsOf(cache).state;
    await log.appendTogether(cache.connection, await tagLabels(what), soft, only);
    emitPurge(cache, { by: "tag", what, match, soft, ended: undefined });
  }

  /** Purges all responses of an origin with one of these groups (RFC 9875). @param origin such as `"https://example.com"` */
  async groups(
    cache: Cache,
    origin: string,
    groups: readonly string[],
    { soft = false }: PurgeOptions = {},
  ): Promise<void> {
    await this.#purgeLabels(cache, { ...NO_LABELS, groups }, origin, soft, "http");
  }

  /**
   * Purges all responses of a host, or those under a path of it, in whole segments: `"https://example.com/a"` covers `/a`,
   * `/a/b` and `/a?b`, and not `/ab`. Needs the option `prefixPurges`.
   * @throws {ConnectionError} @throws {ReplyError}
   * @throws TypeError on a URL that is never stored, or with a query
   * @throws {ConfigurationError} without the option
   */
  async prefix(cache: Cache, url: string, { soft = false }: PurgeOptions = {}): Promise<void> {
    if (!this.#settings.prefixPurges) {
      throw new ConfigurationError(
        "purgePrefix: responses have no labels for it; set the option prefixPurges of httpCache",
      );
    }
    const keyed = cacheKey(url, this.#settings);
    if ("refused" in keyed || keyed.target.path.includes("?")) {
      throw new TypeError(
        `purgePrefix: ${show(url)} is no URL that can be stored; give an absolute one without a query, of a host that is allowed`,
      );
    }
    const [longest = ""] = prefixesOf(keyed.target).reverse();
    await this.#purgeLabels(cache, { ...NO_LABELS, prefixes: [longest] }, "", soft, "http");
  }

  async #purgeLabels(cache: Cache, labels: Labels, url: string, soft: boolean, only?: Reader): Promise<void> {
    const hashes = [...new Set(await labelHashes(labels, this.#settings.name, url))];
    if (hashes.length === 0) return;
    await this.#partsOf(cache).state.log.append(cache.connection, hashes, soft, only);
    const { tags, groups, prefixes } = labels;
    for (const [by, what] of [
      ["tag", tags],
      ["group", groups],
      ["prefix", prefixes],
    ] as const)
      if (what.length > 0) emitPurge(cache, { by, what, soft, ended: undefined });
  }

  /**
   * Purges what an unsafe request has changed (RFC 9111 §4.4), before its client gets the response, so that the client's
   * next read is new. Store errors go to `onError`.
   */
  async invalidate(cache: Cache, request: RequestHead, response: ResponseHead, key?: string): Promise<void> {
    const groups = invalidatedGroups(request.method, [...response.fields, ...(response.preset ?? [])]);
    const [own, ...others] = invalidatedUrls(request, response);
    if (own === undefined && groups.length === 0) return;
    try {
      const first = key === undefined ? this.#locator.keyOf(request.url) : ownKey(key);
      const urls = own === undefined ? [] : [own, ...others];
      const keys = urls.map((url) => (url === own ? first : this.#locator.keyOf(url)));
      const bases = keys.filter((one) => one !== undefined).map((one) => baseKey(cache, this.#settings.name, one));
      const { store } = this.#partsOf(cache);
      const labels = this.#purgeLabels(cache, { ...NO_LABELS, groups }, request.url, false, "http");
      const [ended] = await Promise.all([store.purge(await Promise.all(bases)), labels]);
      const what = urls.filter((_url, i) => keys[i] !== undefined);
      emitPurge(cache, { by: "url", what, soft: false, ended });
    } catch (error) {
      report(cache, this.#settings, error, { step: "invalidate", key: request.url });
    }
  }
}

type Purge = Pick<CacheEvents["purge"], "by" | "what" | "soft" | "ended"> &
  Partial<Pick<CacheEvents["purge"], "match">>;

/** Emits the event of a purge. */
function emitPurge(cache: Cache, purge: Purge): void {
  const count = purge.what.length;
  if (count > 0) cache.events.emit("purge", () => ({ method: METHOD, key: "", count, match: "any", ...purge }));
}

/** A tag as it can stand in Cache-Tag, whose members are separated by commas. */
function isTag(tag: unknown): tag is string {
  return typeof tag === "string" && tag.trim() !== "" && !tag.includes(",");
}
