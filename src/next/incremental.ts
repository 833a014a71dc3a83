import { handlerClass, type IncrementalCacheHandlerClass } from "./incremental-handler.js";
import { storeOfEnvironment } from "./setup.js";

export type {
  CacheControl,
  IncrementalCacheHandler,
  IncrementalCacheHandlerClass,
  IncrementalContext,
  IncrementalEntry,
  IncrementalGetContext,
  IncrementalSetContext,
  IncrementalValue,
} from "./incremental-handler.js";
export type { Durations } from "./purges.js";

const Handler: IncrementalCacheHandlerClass = handlerClass(storeOfEnvironment("valkey-edge-cache/next/incremental"));

/** A class for `cacheHandler` in Next's configuration, with the store that `VALKEY_URL` names. */
// biome-ignore lint/style/noDefaultExport: Next takes a default export.
export default Handler;
