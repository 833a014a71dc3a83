export { type DeflateOptions, deflate } from "./compressors/deflate.js";
