import type { Cache } from "../cache/cache.js";
import { show } from "../core/errors.js";
import { chain, type MaybePromise } from "../core/maybe-promise.js";
import { type Clock, systemClock } from "../core/time.js";
import { type Answer, gatewayTimeout, NOT_STORED } from "./answer.js";
import { handle } from "./handling.js";
import type { Forwarded, Host } from "./host.js";
import { baseKey, labelHashes } from "./keys.js";
import { type HttpCacheOptions, type Settings, toSettings } from "./options.js";
import { answerFromOrigin } from "./origin-response.js";
import { ClientRequest, freshHit } from "./plain-request.js";
import { Publisher } from "./publish.js";
import { beginClientFetch, type Parts, RequestContext } from "./request-context.js";
import { bypassReason, UNKEYED_FIELDS } from "./rfc/admission.js";
import { requestDirectives } from "./rfc/cache-control.js";
import { cacheStatus, type Handling } from "./rfc/cache-status.js";
import { unconditional } from "./rfc/conditional.js";
import { invalidatedGroups, invalidatedUrls, isAnsweredFromStore, isSafe, type Labels } from "./rfc/invalidation.js";
import { type Fields, type RequestHead, type ResponseHead, toFields, withoutFields } from "./rfc/message.js";
import { hasPreset, isForOneClient } from "./rfc/preset.js";
import { evaluateStorage } from "./rfc/storable.js";
import { cacheKey, isRoutedAs, joinParts, saysTarget, type Target, toTarget } from "./rfc/target.js";
import { narrow, varyNames } from "./rfc/vary.js";
import { type PendingRead, rememberKey, States, Store } from "./store.js";

/** A request, and the host that it came from. */
export interface Exchange {
  /** Its URL is the one that the origin routes by. */
  readonly request: RequestHead;
  /** The URL that the client asked for, where the origin is mounted under a path that its own URLs lack. @default the request's */
  readonly originalUrl?: string | undefined;
  /** The URL of the request that this one was made for, where the response may depend on it. It is part of the key. @default none */
  readonly within?: string | undefined;
  readonly hasBody: boolean;
  /** Replaces the URL in the key. @default the URL */
  readonly key?: string | undefined;
  readonly host: Host;
}

/** The cache's answer, or the host's own response with a member to add to its Cache-Status. */
export type Outcome = { readonly answer: Answer } | { readonly forwarded: Forwarded; readonly member: string };

interface Located {
  readonly key: string;
  readonly target: Target;
  /** The URL that the origin gets: the target's, without the path of a mount. */
  readonly originUrl: string;
}

export interface PurgeOptions {
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean;
}

/**
 * A shared HTTP cache in front of any origin (RFC 9111). It holds no connection: each call gets the cache, or the view for
 * one invocation, that it uses.
 */
export class HttpCache {
  readonly #settings: Settings;
  readonly #states: States;
  readonly #parts = new WeakMap<Cache, Parts>();
  readonly #status: (handling: Handling) => string;
  /** The beginning of Cache-Status for a hit, up to the remaining seconds; `undefined` under `debug`. */
  readonly #hitPrefix: string | undefined;

  /** @throws {ConfigurationError} on wrong options */
  constructor(options: HttpCacheOptions = {}, clock: Clock = systemClock) {
    this.#settings = toSettings(options, clock);
    this.#states = new States(this.#settings);
    this.#status = cacheStatus(this.#settings.name);
    this.#hitPrefix = this.#settings.debug ? undefined : this.#status({ how: "hit", ttlMs: 0 }).slice(0, -1);
  }

  /**
   * Answers a request from the store, or lets the host forward it and stores the response where that is allowed. Store
   * errors go to `onError`. @throws the host's error
   */
  async handle(exchange: Exchange, cache: Cache): Promise<Outcome> {
    const { request, hasBody } = exchange;
    const isPlain = request instanceof ClientRequest && request.isPlain && !hasBody;
    return (isPlain ? this.#fastHit(exchange, cache) : undefined) ?? this.#handle(exchange, cache);
  }

  /** The fast path to a hit, with as few promises and objects as possible. */
  #fastHit(exchange: Exchange, cache: Cache): Promise<Outcome> | undefined {
    const prefix = this.#hitPrefix;
    const preset = exchange.host.preset();
    // Preset directives are applied to the stored response on the slow path.
    if (prefix === undefined || (preset.length > 0 && hasPreset(preset, this.#settings.policy))) return undefined;
    const { state, store } = this.#parts.get(cache) ?? this.#partsOf(cache);
    const { request, originalUrl, within, key } = exchange;
    const isUrlAlone = originalUrl === undefined && within === undefined && key === undefined;
    const known = isUrlAlone ? state.keysOfUrls.get(request.url) : undefined;
    const base = known ?? this.#readyKey(exchange, cache);
    const pendingRead = base === undefined ? undefined : store.beginRead(base);
    if (pendingRead && base !== undefined && known === undefined && isUrlAlone) rememberKey(state, request.url, base);
    return pendingRead?.stored.then(
      (stored) => {
        const entry = store.usableEntry(stored, pendingRead);
        const answer = entry && freshHit(entry, cache, this.#settings, prefix);
        if (!answer) return this.#handle(exchange, cache, pendingRead);
        return answer instanceof Promise ? answer.then((unpacked) => ({ answer: unpacked })) : { answer };
      },
      () => this.#handle(exchange, cache, pendingRead),
    );
  }

  /** The stored key of a request, where it can be made without waiting for a hash. */
  #readyKey(exchange: Exchange, cache: Cache): string | undefined {
    const located = this.#locate(exchange);
    const base = located && baseKey(cache, this.#settings.name, located.key);
    return typeof base === "string" ? base : undefined;
  }

  async #handle(exchange: Exchange, cache: Cache, pendingRead?: PendingRead): Promise<Outcome> {
    const { request, hasBody, host } = exchange;
    const { cookies } = this.#settings;
    const bypass = bypassReason(request, hasBody, { cookies });
    if (bypass) return this.#bypass(exchange, cache, bypass);
    const preset = host.preset();
    if (isForOneClient(preset, this.#settings.policy)) return this.#bypass(exchange, cache, "preset");
    const located = this.#locate(exchange);
    if (!located) return this.#bypass(exchange, cache, "url");
    const kept = narrow(withoutFields(request.fields, UNKEYED_FIELDS), this.#settings);
    // Outer middleware has seen these fields unchanged.
    const selecting = varyNames(preset);
    const fields = [
      ...kept.filter(([name]) => !selecting.includes(name)),
      ...request.fields.filter(([name]) => selecting.includes(name)),
    ];
    const context = await this.#context(exchange, located, selecting.length > 0 ? fields : kept, cache);
    const answer = await handle(context, pendingRead);
    if (this.#settings.awaitBackground) await context.backgroundDone();
    return { answer };
  }

  /**
   * Purges a URL with all its variants. A response that is being made for it is not stored.
   * @param url absolute, or a key of the host's own as `{ key }`
   * @throws {ConnectionError} @throws {ReplyError}
   * @throws TypeError on a URL that is never stored
   */
  async purge(
    cache: Cache,
    url: string | { readonly key: string },
    { soft = false }: PurgeOptions = {},
  ): Promise<void> {
    const key = typeof url === "string" ? this.#keyOf(url) : ownKey(url.key);
    if (key === undefined) {
      throw new TypeError(
        `purge: ${show(url)} is no URL that can be stored; give an absolute one, of a host that is allowed`,
      );
    }
    const base = await baseKey(cache, this.#settings.name, key);
    const { store } = this.#partsOf(cache);
    await (soft ? store.soften(base) : store.delete([base]));
  }

  /** Purges all responses with one of these tags, from Cache-Tag or Surrogate-Key. @throws {ConnectionError} @throws {ReplyError} @throws TypeError */
  async purgeTags(cache: Cache, tags: readonly string[], { soft = false }: PurgeOptions = {}): Promise<void> {
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string" && tag !== "")) {
      throw new TypeError(`purgeTags: ${show(tags)} is no list of tags; give texts such as ["product-1"]`);
    }
    await this.#purgeLabels(cache, { tags, groups: [] }, "", soft);
  }

  /** Purges all responses of an origin with one of these groups (RFC 9875). @param origin such as `"https://example.com"` */
  async purgeGroups(
    cache: Cache,
    origin: string,
    groups: readonly string[],
    { soft = false }: PurgeOptions = {},
  ): Promise<void> {
    await this.#purgeLabels(cache, { tags: [], groups }, origin, soft);
  }

  async #purgeLabels(cache: Cache, labels: Labels, url: string, soft: boolean): Promise<void> {
    const hashes = [...new Set(await labelHashes(labels, url))];
    if (hashes.length > 0) await this.#states.of(cache).log.append(cache.connection, hashes, soft);
  }

  /** Forwards a request that bypasses the cache, and invalidates what it changes. RFC 9111 §4.4. */
  async #bypass(exchange: Exchange, cache: Cache, reason: string): Promise<Outcome> {
    const { host, originalUrl } = exchange;
    const request = originalUrl === undefined ? exchange.request : { ...head(exchange.request), url: originalUrl };
    // It accepts only a stored response, and can get none.
    if (isAnsweredFromStore(request.method) && requestDirectives(request.fields).onlyIfCached) {
      return { answer: gatewayTimeout(this.#status(this.#settings.debug ? NOT_STORED : { how: NOT_STORED.how })) };
    }
    const requestTimeMs = this.#settings.clock.now();
    const forwarded = await host.forward(undefined);
    const detail = this.#settings.debug ? reason : undefined;
    const how = reason === "method" ? "method" : "bypass";
    const outcome = { forwarded, member: this.#status({ how, detail }) };
    if (isSafe(request.method)) return outcome;
    const { response: got, preset } = forwarded;
    const response = { status: got.status, fields: toFields(got.headers), preset };
    await this.#invalidate(cache, request, response, exchange.key);
    const { clock, policy } = this.#settings;
    const times = { requestTimeMs, responseTimeMs: clock.now() };
    const located = this.#locate(exchange);
    const isStorable =
      located !== undefined &&
      request.method === "POST" &&
      !forwarded.failed &&
      !request.fields.some(([name]) => UNKEYED_FIELDS.has(name)) &&
      saysTarget(request.fields, located.target) &&
      unconditional(request.fields).length === request.fields.length &&
      evaluateStorage(request, response, times, policy).storable;
    if (!isStorable) return outcome;
    // Claimed after the invalidation, so that the response stored for GET is not older than the change made by the POST.
    const context = await this.#context(exchange, located, request.fields, cache);
    const lookup = await context.store.find(context.base, request, true);
    const lease = lookup.kind === "none" || lookup.kind === "uncacheable" ? lookup.lease : undefined;
    const location = lookup.kind === "failed" ? undefined : lookup.location;
    const originFetch = beginClientFetch(context, lease, location);
    // The origin got the client's own signal.
    originFetch.interest.leaveToClient();
    return { answer: answerFromOrigin(context, forwarded, { ...originFetch, requestTimeMs }, { how }) };
  }

  /** Runs before the client gets its response, so that its next read is new. Store errors go to `onError`. */
  async #invalidate(cache: Cache, request: RequestHead, response: ResponseHead, key?: string): Promise<void> {
    const groups = invalidatedGroups(request.method, [...response.fields, ...(response.preset ?? [])]);
    const [own, ...others] = invalidatedUrls(request, response);
    if (own === undefined && groups.length === 0) return;
    try {
      const first = key === undefined ? this.#keyOf(request.url) : ownKey(key);
      const keys = own === undefined ? [] : [first, ...others.map((url) => this.#keyOf(url))];
      const bases = keys.filter((one) => one !== undefined).map((one) => baseKey(cache, this.#settings.name, one));
      const { store } = this.#partsOf(cache);
      const labels = this.#purgeLabels(cache, { tags: [], groups }, request.url, false);
      await Promise.all([store.delete(await Promise.all(bases)), labels]);
    } catch (error) {
      this.#settings.onError(error, { method: "invalidate", key: request.url });
    }
  }

  #keyOf(url: string): string | undefined {
    const keyed = cacheKey(url, this.#settings);
    return "key" in keyed ? keyed.key : undefined;
  }

  /** The key of a request and the URL for the origin; `undefined` where the response can't be stored. */
  #locate({ request, originalUrl, within, key }: Exchange): Located | undefined {
    const keyed = cacheKey(originalUrl ?? request.url, this.#settings);
    if ("refused" in keyed) return undefined;
    const { target } = keyed;
    const routed = originalUrl === undefined ? target : toTarget(request.url);
    if (!routed || !isRoutedAs(request.url, routed)) return undefined;
    const whole = within === undefined ? keyed.key : joinParts([keyed.key, within]);
    return { key: key === undefined ? whole : ownKey(key), target, originUrl: routed.url };
  }

  #context(
    { request, host, key: own }: Exchange,
    { key, target, originUrl }: Located,
    fields: Fields,
    cache: Cache,
  ): MaybePromise<RequestContext> {
    const settings = this.#settings;
    const { method, fields: sent } = request;
    const init = { settings, cache, host, target, method, fields, sent, originUrl, hasOwnKey: own !== undefined, key };
    const parts = this.#partsOf(cache);
    return chain(
      baseKey(cache, settings.name, key),
      (base) => new RequestContext({ ...init, parts, base, status: this.#status }),
    );
  }

  #partsOf(cache: Cache): Parts {
    const known = this.#parts.get(cache);
    if (known) return known;
    const state = this.#states.of(cache);
    const store = new Store(cache, state, this.#settings);
    const parts = { state, store, publisher: new Publisher(cache, state, this.#settings) };
    this.#parts.set(cache, parts);
    return parts;
  }
}

/** A key that the host has made. */
function ownKey(key: string): string {
  return joinParts(["key", key]);
}

/** Copies a request whose header fields are read lazily. */
function head({ method, url, fields }: RequestHead): RequestHead {
  return { method, url, fields };
}
