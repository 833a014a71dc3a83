import type { Compressor } from "../core/compressor.js";
import { deflateCompressor } from "./deflate-family.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

export interface DeflateOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest); -1 is zlib's own choice, 6. @default -1 */
  level?: number;
  /** Two to this power is how many bytes back repetitions are looked for, 9 to 15. @default 15 */
  windowBits?: number;
}

/**
 * Bare deflate (RFC 1951), without header and checksum: `zlib.compress(data, wbits=-15)` in Python. Damage may go
 * unnoticed, and what is stored uncompressed can only be told by trying, so prefer `zlib()` unless others read it.
 * @throws {ConfigurationError} on wrong options
 */
export function deflate(options: DeflateOptions = {}): Compressor {
  const checks = { level: isWhole(-1, 9), windowBits: isWhole(9, 15) };
  const settings = compressorOptions("deflate()", options, checks, { level: -1, windowBits: 15 });
  return deflateCompressor("deflate", settings, () => "unknown");
}
