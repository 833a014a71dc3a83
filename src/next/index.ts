export type { CacheOrOptions, GivenCache, OwnCacheOptions } from "../hosts/own-cache.js";
export { incrementalCacheHandler } from "./incremental-handler.js";
export type * from "./incremental-port.js";
export type { Durations } from "./purges.js";
export type { NextHandlerOptions, NextOptions } from "./setup.js";
export { type UseCacheEntry, type UseCacheHandler, useCacheHandler } from "./use-cache-handler.js";
