import { notHere } from "./api/not-here.js";
import type { Cache } from "./cache/cache.js";
import { type Caches, makeCaches } from "./cache/caches.js";
import type { CacheOptions, LocatedCacheOptions } from "./cache/options.js";
import type { ChooseFactory } from "./cache/settings.js";
import { makeCache } from "./cache/view.js";
import { iovalkey } from "./connection/iovalkey/workerd.js";
import { ConfigurationError } from "./core/errors.js";

// For Cloudflare Workers. Its types are those of index.ts, and so it has all that index.ts has.
export * from "./api/common.js";
export { iovalkey } from "./connection/iovalkey/workerd.js";
export { sentinel } from "./connection/sentinel/workerd.js";
export { nearCache } from "./near/workerd.js";

export const glide = notHere("glide", "it is native code; use iovalkey(), or leave connectionFactory out");
export const glideCluster = notHere("glideCluster", "it is native code; use iovalkey() with one server");

export function createCache(options: CacheOptions | LocatedCacheOptions): Cache {
  return makeCache(options, chooseFactory);
}

export function createCaches<Alias extends string>(
  options: Readonly<Record<Alias, CacheOptions | LocatedCacheOptions>>,
  defaults: Partial<CacheOptions> = {},
): Caches<Alias> {
  return makeCaches(options, defaults, chooseFactory);
}

const chooseFactory: ChooseFactory = (location, options) => {
  if (location.scheme !== "memory") return iovalkey(options);
  // Not by itself: each Worker would carry the store, which few want where isolates come and go.
  throw new ConfigurationError(
    `location: ${location.display} wants "connectionFactory: memory()" beside it in a Worker`,
  );
};
