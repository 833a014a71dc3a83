import type { Compressor } from "../core/value-format.js";
import { decompressBzip2, isBzip2 } from "./bzip2-decoder.js";
import { compressBzip2 } from "./bzip2-encoder.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

export interface Bz2Options extends CompressorOptions {
  /** From 1 to 9: repetitions are looked for in blocks of so many hundred thousand bytes. @default 9 */
  level?: number;
}

/**
 * The bzip2 format, as Python's `bz2.compress` writes it. In JavaScript alone, so in every runtime, and slow: a few
 * megabytes a second. For text that must be small rather than fast; most caches are better off with `zlib()` or `zstd()`.
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
