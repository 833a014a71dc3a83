import { handlerClass } from "./incremental-handler.js";
import type { IncrementalCacheHandlerClass } from "./incremental-port.js";
import { storeOfEnvironment } from "./setup.js";

export type * from "./incremental-port.js";
export type { Durations } from "./purges.js";

/** A class for `cacheHandler` in Next's configuration, with the store that `VALKEY_URL` names. */
const Handler: IncrementalCacheHandlerClass = handlerClass(storeOfEnvironment("valkey-edge-cache/next/incremental"));

// biome-ignore lint/style/noDefaultExport: Next takes a default export.
export default Handler;
