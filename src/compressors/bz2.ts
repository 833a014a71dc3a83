import type { Compressor } from "../core/value-format.js";
import { decompressBzip2, isBzip2 } from "./bzip2/decoder.js";
import { compressBzip2 } from "./bzip2/encoder.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

/** Options of `bz2()`. */
export interface Bz2Options extends CompressorOptions {
  /** Block size in units of 100,000 bytes, 1 to 9: repetitions are found within a block. @default 9 */
  level?: number | undefined;
}

/**
 * The bzip2 format, as Python's `bz2.compress` writes it. Pure JavaScript, so it runs in every runtime, at a few
 * megabytes per second. Choose it for text that must be small rather than fast; `zlib()` or `zstd()` suit most caches.
 *
 * Encoder and decoder are part of this package, as no maintained encoder exists and `seek-bzip` 2.0.0 does not fit: it
 * needs Node's `Buffer` (by its deprecated constructor), depends on a command-line parser and accepts trailing bytes.
 * @throws {ConfigurationError} on wrong options
 */
export function bz2(options: Bz2Options = {}): Compressor {
  const { level, minLength } = compressorOptions("bz2()", options, { level: isWhole(1, 9) }, { level: 9 });
  return {
    name: "bz2",
    minLength,
    recognizes: isBzip2,
    compress: (bytes) => compressBzip2(bytes, level),
    decompress: decompressBzip2,
  };
}
