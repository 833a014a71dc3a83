import { isOneOf } from "../core/options.js";
import type { Compressor } from "../core/value-format.js";
import { builtin, compressWith, decompressWith } from "./node-zlib.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

/** Options of `brotli()`. */
export interface BrotliOptions extends CompressorOptions {
  /** From 0 (fastest) to 11 (smallest, and slow). 4 or 5 suits a cache better. @default 11 */
  level?: number | undefined;
  /** The kind of content. @default "generic" */
  mode?: "generic" | "text" | "font" | undefined;
  /** The base-2 logarithm of the window in bytes, 10 to 24. @default 22 */
  windowBits?: number | undefined;
  /** The base-2 logarithm of the block size in bytes, 16 to 24; 0 leaves it to the level. @default 0 */
  blockBits?: number | undefined;
}

const RUNTIMES = "Node, Bun or Deno";
const FACTORY = "brotli()";
/** Parameters of the encoder. Source: brotli/encode.h */
const [MODE, QUALITY, LGWIN, LGBLOCK] = [0, 1, 2, 3];
const MODES = { generic: 0, text: 1, font: 2 };

/**
 * Brotli (RFC 7932), as Python's `brotli.compress` writes it. Needs `node:zlib`.
 * @throws {ConfigurationError} on wrong options, and (at the first use) in runtimes without it
 */
export function brotli(options: BrotliOptions = {}): Compressor {
  const isBlockBits = isOneOf(0, 16, 17, 18, 19, 20, 21, 22, 23, 24);
  const { level, mode, windowBits, blockBits, minLength } = compressorOptions(
    FACTORY,
    options,
    {
      level: isWhole(0, 11),
      mode: isOneOf("generic", "text", "font"),
      windowBits: isWhole(10, 24),
      blockBits: isBlockBits,
    },
    { level: 11, mode: "generic", windowBits: 22, blockBits: 0 },
  );
  const params = { [MODE]: MODES[mode], [QUALITY]: level, [LGWIN]: windowBits, [LGBLOCK]: blockBits };
  return {
    name: "brotli",
    minLength,
    recognizes: () => "unknown",
    compress: (bytes) => compressWith(builtin("brotliCompressSync", FACTORY, RUNTIMES), bytes, { params }),
    decompress: (bytes, maxLength) =>
      decompressWith(builtin("brotliDecompressSync", FACTORY, RUNTIMES), "brotli", bytes, maxLength, {}),
  };
}
