import { useCacheHandler } from "valkey-edge-cache/next";
import { options } from "./options.mjs";

export default useCacheHandler(options);
