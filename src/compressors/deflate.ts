import { ConfigurationError } from "../core/errors.js";
import type { Compressor } from "../core/value-format.js";
import { type Container, isGzipHeader, isZlibHeader } from "./deflate-containers.js";
import { compressByFflate, decompressByFflate } from "./fflate.js";
import { compressWith, decompressWith, nodeZlib } from "./node-zlib.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";

interface DeflateSettings {
  readonly level: number;
  readonly minLength: number;
  readonly windowBits: number;
}

/** A deflate stream in one of its containers, by the runtime's zlib where there is one, else by fflate. */
function deflateCompressor(
  container: Container,
  { level, minLength, windowBits }: DeflateSettings,
  recognizes: Compressor["recognizes"],
): Compressor {
  const settings = { level, windowBits };
  if (windowBits !== 15 && !nodeZlib()) {
    throw new ConfigurationError(
      `${container}(): option "windowBits" is ${windowBits}, which needs node:zlib; leave it out in this runtime`,
    );
  }
  return {
    name: container,
    minLength,
    recognizes,
    compress(bytes) {
      const zlib = nodeZlib();
      return zlib
        ? compressWith(zlib[FUNCTIONS[container].compress], bytes, settings)
        : compressByFflate(container, bytes, level);
    },
    decompress(bytes, maxLength) {
      const zlib = nodeZlib();
      return zlib
        ? decompressWith(zlib[FUNCTIONS[container].decompress], container, bytes, maxLength, {})
        : decompressByFflate(container, bytes, maxLength);
    },
  };
}

const FUNCTIONS = {
  zlib: { compress: "deflateSync", decompress: "inflateSync" },
  gzip: { compress: "gzipSync", decompress: "gunzipSync" },
  deflate: { compress: "deflateRawSync", decompress: "inflateRawSync" },
} as const;

/** Options of `deflate()`. */
export interface DeflateOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest); -1 means 6, zlib's default. @default -1 */
  level?: number | undefined;
  /** The base-2 logarithm of the window in bytes, 9 to 15. Below 15 it needs `node:zlib`. @default 15 */
  windowBits?: number | undefined;
}

/**
 * Bare deflate (RFC 1951), without header and checksum: `zlib.compress(data, wbits=-15)` in Python. Damage may stay
 * undetected, and uncompressed values are recognized only by trying. Prefer `zlib()` unless another reader needs this.
 * @throws {ConfigurationError} on wrong options
 */
export function deflate(options: DeflateOptions = {}): Compressor {
  const checks = { level: isWhole(-1, 9), windowBits: isWhole(9, 15) };
  const settings = compressorOptions("deflate()", options, checks, { level: -1, windowBits: 15 });
  return deflateCompressor("deflate", settings, () => "unknown");
}

/** Options of `gzip()`. */
export interface GzipOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest). @default 9 */
  level?: number | undefined;
}

/**
 * The gzip format (RFC 1952), as Python's `gzip.compress` writes it, without a timestamp.
 * @throws {ConfigurationError} on wrong options
 */
export function gzip(options: GzipOptions = {}): Compressor {
  const settings = compressorOptions("gzip()", options, { level: isWhole(0, 9) }, { level: 9 });
  return deflateCompressor("gzip", { ...settings, windowBits: 15 }, isGzipHeader);
}

/** Options of `zlib()`. */
export interface ZlibOptions extends CompressorOptions {
  /** From 0 (none) over 1 (fastest) to 9 (smallest); -1 means 6, zlib's default. @default -1 */
  level?: number | undefined;
  /** The base-2 logarithm of the window in bytes, 9 to 15. Below 15 it needs `node:zlib`. @default 15 */
  windowBits?: number | undefined;
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
