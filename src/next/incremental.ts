import { handlerClass } from "./incremental-handler.js";
import { storeOfEnvironment } from "./setup.js";

/** A class for `cacheHandler` in Next's configuration, with the store that `VALKEY_URL` names. */
// biome-ignore lint/style/noDefaultExport: Next takes a default export.
export default handlerClass(storeOfEnvironment("valkey-edge-cache/next/incremental"));
