import { incrementalCacheHandler } from "valkey-edge-cache/next";
import { options } from "./options.mjs";

export default incrementalCacheHandler(options);
