export { type GzipOptions, gzip } from "./compressors/gzip.js";
