import type { Cache } from "../cache/cache.js";
import type { PurgeTagsOptions } from "../cache/method-options.js";
import { ConfigurationError } from "../core/errors.js";
import { type Check, type Checks, checkOptions, isFunction, isImplementation, isText } from "../core/options.js";
import { keepsRequestsApart } from "../core/runtime.js";
import type { OriginRequest } from "./host.js";
import type { HttpCache } from "./http-cache.js";
import { type HttpCacheOptions, httpCacheChecks } from "./options.js";
import type { PurgeOptions } from "./purges.js";
import { type Fields, hasField } from "./rfc/message.js";
import { takesDefaultLifetime } from "./rfc/statuses.js";

/** What every adapter has besides the options of the cache. */
export interface AdapterOptions<Context> {
  /** Makes the key, in the place of the URL: all that a response depends on must be in it, or in Vary. @default the URL */
  keyGenerator?: ((context: Context) => string | Promise<string>) | undefined;
  /** Cache-Control of responses that have none. @default none */
  cacheControl?: string | undefined;
  /** Field names to add to the Vary of every response. @default none */
  vary?: string | readonly string[] | undefined;
}

const isVary: Check = (value, name) =>
  Array.isArray(value) && value.every((one) => isText(one, name) === undefined) ? undefined : isText(value, name);

export const isCache: Check = isImplementation("a cache, as createCache() makes it", "for", "makeKey");

export const adapterChecks: Checks<AdapterOptions<never>> = /* @__PURE__ */ (() => ({
  keyGenerator: isFunction,
  cacheControl: isText,
  vary: isVary,
}))();

/**
 * Tells an adapter's own options from those of the cache.
 * @param where the function that takes them, for messages
 * @throws {ConfigurationError} naming the option that is unknown or wrong
 */
export function splitOptions<Own extends object>(
  where: string,
  options: Own & HttpCacheOptions,
  ownChecks: Checks<Own>,
): { readonly own: Own; readonly engine: HttpCacheOptions } {
  checkOptions(where, options, { ...httpCacheChecks, ...ownChecks });
  const isOwn = ([name]: [string, unknown]): boolean => Object.hasOwn(ownChecks, name);
  const entries = Object.entries(options);
  return {
    own: Object.fromEntries(entries.filter(isOwn)) as Own,
    engine: Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
  };
}

/** The check of the option `cache` where an adapter can't do without it. @throws {ConfigurationError} */
export function requireCache(where: string, options: { readonly cache?: unknown }): void {
  if (options.cache !== undefined) return;
  throw new ConfigurationError(`${where}: option "cache" is missing; give a cache, as createCache() makes it`);
}

/** The part of Headers that defaults need. */
export type HeaderFields = Pick<Headers, "has" | "set" | "append">;

/**
 * Adds Cache-Control and Vary by the options of those names to a response that may be stored.
 * @param preset what outer middleware has set, which counts as the response's own
 */
export function addDefaults(
  headers: HeaderFields,
  status: number,
  { cacheControl, vary }: Pick<AdapterOptions<never>, "cacheControl" | "vary">,
  preset: Fields = [],
): void {
  const hasControl = headers.has("cache-control") || hasField(preset, "cache-control");
  if (cacheControl !== undefined && !hasControl && takesDefaultLifetime(status))
    headers.set("cache-control", cacheControl);
  for (const name of vary === undefined ? [] : [vary].flat()) headers.append("vary", name);
}

/** Whether `addDefaults` may change a response. */
export function hasDefaults({ cacheControl, vary }: Pick<AdapterOptions<never>, "cacheControl" | "vary">): boolean {
  return cacheControl !== undefined || vary !== undefined;
}

/** The request that handlers get. In Workers a request carries more than its parts; elsewhere `raw` may only look like one. */
export function toRequest(raw: Request, { url, fields, signal }: OriginRequest): Request {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  if (!keepsRequestsApart()) return new Request(url, { method: raw.method, headers, signal });
  return new Request(raw.url === url ? raw : new Request(url, raw), { headers, signal });
}

/** Methods that purge stored responses. Each rejects with `ConnectionError` or `ReplyError` when the store fails. */
export interface PurgeMethods {
  /**
   * Purges a URL with all its variants.
   * @param url absolute; with a `keyGenerator`, the key that it makes
   * @returns how many stored responses it ended
   * @throws TypeError on a URL that is never stored
   * @example
   * if ((await http.purge("https://shop.example/products/1")) === 0) log("nothing was stored");
   */
  purge(url: string, options?: PurgeOptions & { cache?: Cache | undefined }): Promise<number>;
  /** Purges all responses with one of these tags, from Cache-Tag or Surrogate-Key, or from `routes`. @throws TypeError */
  purgeTags(tags: readonly string[], options?: PurgeTagsOptions & { cache?: Cache | undefined }): Promise<void>;
  /** Purges all responses of an origin, such as `"https://example.com"`, with one of these Cache-Groups. RFC 9875. */
  purgeGroups(
    origin: string,
    groups: readonly string[],
    options?: PurgeOptions & { cache?: Cache | undefined },
  ): Promise<void>;
  /**
   * Purges all responses of a host, or those under a path, in whole segments. Needs the option `prefixPurges`.
   * @param url absolute, without a query
   * @throws TypeError @throws {ConfigurationError}
   */
  purgePrefix(url: string, options?: PurgeOptions & { cache?: Cache | undefined }): Promise<void>;
}

/** @param own the adapter's options */
export function purgeMethods(
  where: string,
  { purges }: HttpCache,
  own: { readonly cache?: Cache | undefined } & Pick<AdapterOptions<never>, "keyGenerator">,
): PurgeMethods {
  const cacheOf = (given: Cache | undefined): Cache => {
    const cache = given ?? own.cache;
    if (cache) return cache;
    throw new ConfigurationError(`${where}: a purge needs a cache; give ${where} or the purge the option cache`);
  };
  return {
    purge: async (url, { cache, ...how } = {}) =>
      purges.url(cacheOf(cache), own.keyGenerator ? { key: url } : url, how),
    purgeTags: async (tags, { cache, ...how } = {}) => purges.tags(cacheOf(cache), tags, how),
    purgeGroups: async (origin, groups, { cache, ...how } = {}) => purges.groups(cacheOf(cache), origin, groups, how),
    purgePrefix: async (url, { cache, ...how } = {}) => purges.prefix(cacheOf(cache), url, how),
  };
}
