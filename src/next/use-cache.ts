import { storeOfEnvironment } from "./setup.js";
import { handlerOf, type UseCacheEntry, type UseCacheHandler } from "./use-cache-handler.js";

export type { Durations } from "./purges.js";
export type { UseCacheEntry, UseCacheHandler };

/** A handler for `cacheHandlers` in Next's configuration, with the store that `VALKEY_URL` names. */
const handler: UseCacheHandler = handlerOf(storeOfEnvironment("valkey-edge-cache/next/use-cache"));

// biome-ignore lint/style/noDefaultExport: Next takes a default export.
export default handler;
