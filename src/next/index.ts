export type { CacheOrOptions, GivenCache, OwnCacheOptions } from "../hosts/own-cache.js";
export {
  type CacheControl,
  type IncrementalCacheHandler,
  type IncrementalCacheHandlerClass,
  type IncrementalContext,
  type IncrementalEntry,
  type IncrementalGetContext,
  type IncrementalSetContext,
  type IncrementalValue,
  incrementalCacheHandler,
} from "./incremental-handler.js";
export type { Durations } from "./purges.js";
export type { NextHandlerOptions, NextOptions } from "./setup.js";
export { type UseCacheEntry, type UseCacheHandler, useCacheHandler } from "./use-cache-handler.js";
