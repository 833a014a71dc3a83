import { memoryAt } from "./api/memory.js";
import { notHere } from "./api/not-here.js";
import type { Cache } from "./cache/cache.js";
import { type Caches, makeCaches } from "./cache/caches.js";
import type { CacheOptions, LocatedCacheOptions } from "./cache/options.js";
import type { ChooseFactory } from "./cache/settings.js";
import { makeCache } from "./cache/view.js";
import { ConfigurationError } from "./core/errors.js";

// Where there is no TCP: edge-light, Fastly, browsers. Its types are those of index.ts, and so it has all that index.ts has.
export * from "./api/common.js";
export { nearCache } from "./near/workerd.js";

const NO_TCP = 'this runtime has no TCP; use "memory:", or rest() of valkey-edge-cache/rest with an https:// location';

export const glide = notHere("glide", NO_TCP);
export const glideCluster = notHere("glideCluster", NO_TCP);
export const iovalkey = notHere("iovalkey", NO_TCP);
export const sentinel = notHere("sentinel", NO_TCP);

export function createCache(options: CacheOptions | LocatedCacheOptions): Cache {
  return makeCache(options, chooseFactory);
}

export function createCaches<Alias extends string>(
  options: Readonly<Record<Alias, CacheOptions | LocatedCacheOptions>>,
  defaults: Partial<CacheOptions> = {},
): Caches<Alias> {
  return makeCaches(options, defaults, chooseFactory);
}

const chooseFactory: ChooseFactory = (location) => {
  if (location.scheme === "memory") return memoryAt(location);
  throw new ConfigurationError(
    `location: ${location.display} can't be reached, as ${NO_TCP}; for Node, bundle with --platform=node (esbuild) or --target=node (webpack, bun)`,
  );
};
