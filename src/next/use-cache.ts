import { storeOfEnvironment } from "./setup.js";
import { handlerOf } from "./use-cache-handler.js";

/** A handler for `cacheHandlers` in Next's configuration, with the store that `VALKEY_URL` names. */
// biome-ignore lint/style/noDefaultExport: Next takes a default export.
export default handlerOf(storeOfEnvironment("valkey-edge-cache/next/use-cache"));
