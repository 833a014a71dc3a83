export { type LzmaOptions, lzma } from "./compressors/lzma.js";
