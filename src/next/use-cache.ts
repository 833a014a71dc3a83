import { storeOfEnvironment } from "./setup.js";
import { handlerOf } from "./use-cache-handler.js";

/** A handler for `cacheHandlers` in Next's configuration, with the store that `VALKEY_URL` names. */
export default handlerOf(storeOfEnvironment("valkey-edge-cache/next/use-cache"));
