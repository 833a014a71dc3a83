import type { Compressor } from "../core/compressor.js";
import { isZlibHeader } from "./deflate-containers.js";
import { deflateCompressor } from "./deflate-family.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

export interface ZlibOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest); -1 is zlib's own choice, 6. @default -1 */
  level?: number;
  /** Two to this power is how many bytes back repetitions are looked for, 9 to 15. @default 15 */
  windowBits?: number;
}

/**
 * The zlib format (RFC 1950), as Python's `zlib.compress` writes it.
 * @throws {ConfigurationError} on wrong options
 */
export function zlib(options: ZlibOptions = {}): Compressor {
  const checks = { level: isWhole(-1, 9), windowBits: isWhole(9, 15) };
  const settings = compressorOptions("zlib()", options, checks, { level: -1, windowBits: 15 });
  return deflateCompressor("zlib", settings, isZlibHeader);
}
