import type { Compressor } from "../core/compressor.js";
import { isGzipHeader } from "./deflate-containers.js";
import { deflateCompressor } from "./deflate-family.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

export interface GzipOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest). @default 9 */
  level?: number;
}

/**
 * The gzip format (RFC 1952), as Python's `gzip.compress` writes it, without a time.
 * @throws {ConfigurationError} on wrong options
 */
export function gzip(options: GzipOptions = {}): Compressor {
  const settings = compressorOptions("gzip()", options, { level: isWhole(0, 9) }, { level: 9 });
  return deflateCompressor("gzip", { ...settings, windowBits: 15 }, isGzipHeader);
}
