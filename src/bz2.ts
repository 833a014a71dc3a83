export { type Bz2Options, bz2 } from "./compressors/bz2.js";
