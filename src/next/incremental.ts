import { handlerClass } from "./incremental-handler.js";
import { storeOfEnvironment } from "./setup.js";

/** A class for `cacheHandler` in Next's configuration, with the store that `VALKEY_URL` names. */
export default handlerClass(storeOfEnvironment("valkey-edge-cache/next/incremental"));
