export { type ZstdOptions, zstd } from "./compressors/zstd.js";
