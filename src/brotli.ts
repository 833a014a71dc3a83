export { type BrotliOptions, brotli } from "./compressors/brotli.js";
