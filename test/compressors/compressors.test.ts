import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { compressorContract } from "../contract/compressor.js";

compressorContract(() => zlib());
compressorContract(() => gzip());
compressorContract(() => deflate());
compressorContract(() => brotli());
compressorContract(() => zstd());
compressorContract(() => lz4());
compressorContract(() => lzma());
compressorContract(() => bz2());
