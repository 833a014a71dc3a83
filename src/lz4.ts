export { type Lz4Options, lz4 } from "./compressors/lz4.js";
