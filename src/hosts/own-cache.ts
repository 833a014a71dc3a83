import { createCache } from "valkey-edge-cache";
import type { Cache } from "../cache/cache.js";
import type { CacheOptions, LocatedCacheOptions } from "../cache/options.js";
import { ConfigurationError } from "../core/errors.js";
import { isImplementation, wrongOption } from "../core/options.js";

// Of the runtime's entry point, too.
export { nearCache } from "valkey-edge-cache";

/** Where an adapter keeps its entries: in a cache that exists, or in one of its own, by the options of `createCache`. */
export type CacheOrOptions = GivenCache | OwnCacheOptions;

/** Options of an adapter over a cache that exists. */
export interface GivenCache {
  /** A cache that exists, or a namespace of one. The adapter doesn't close it. */
  cache: Cache;
}

/** Options of an adapter with a cache of its own: those of `createCache`. */
export type OwnCacheOptions = (CacheOptions | LocatedCacheOptions) & { cache?: undefined };

/** The cache of an adapter. */
export interface OwnCache {
  readonly cache: Cache;
  /** Closes a cache of the adapter's own. A cache that was given stays open. */
  close(): Promise<void>;
}

const checks = { cache: isImplementation("a cache that createCache() has made", "getOrSet", "makeKey") };

/**
 * The cache that was given to an adapter, or one of its own. The entry point of the runtime makes that: this imports the
 * package by its name, so that the exports in package.json decide which one it is.
 * @param where the adapter's function, for messages
 * @param options without those of the adapter itself
 * @param defaults what a cache of the adapter's own has where the options say nothing
 * @throws {ConfigurationError} on wrong options, and on options of a cache beside one that exists
 */
export function ownCache(where: string, options: CacheOrOptions, defaults: Partial<CacheOptions> = {}): OwnCache {
  if (options.cache === undefined) {
    const { cache: _, ...own } = options;
    const cache = createCache({ ...defaults, ...own });
    return { cache, close: () => cache.close() };
  }
  const { cache, ...others } = options;
  const wrong = wrongOption("cache", cache, checks);
  if (wrong !== undefined) throw new ConfigurationError(`${where}: ${wrong}`);
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) {
    throw new ConfigurationError(
      `${where}: option "${other}" is given beside a cache, which has its own; give it to createCache(), or leave "cache" out`,
    );
  }
  return { cache, close: async () => {} };
}
