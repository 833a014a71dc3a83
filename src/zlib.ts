export { type ZlibOptions, zlib } from "./compressors/zlib.js";
