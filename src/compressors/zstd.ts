import { isBoolean } from "../core/options.js";
import type { Compressor } from "../core/value-format.js";
import { builtin, compressWith, decompressWith } from "./node-zlib.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";
import { damaged, tooLong } from "./output.js";

/** Options of `zstd()`. */
export interface ZstdOptions extends CompressorOptions {
  /** From 1 (fast) to 22 (smallest). Negative levels, down to -131072, are faster still. @default 3 */
  level?: number | undefined;
  /** Store a checksum of the value and verify it when reading. @default false */
  checksum?: boolean | undefined;
}

const RUNTIMES = "Node from 22.15, Bun or Deno";
const FACTORY = "zstd()";
/** Parameters of encoder and decoder. Source: zstd.h */
const [LEVEL, CHECKSUM, WINDOW_LOG_MAX] = [100, 201, 100];

/**
 * Zstandard (RFC 8878), as Python's `compression.zstd` reads and writes it. Needs a `node:zlib` with Zstandard: Node from
 * 22.15, Bun, Deno.
 * @throws {ConfigurationError} on wrong options, and (at the first use) in runtimes without it
 */
export function zstd(options: ZstdOptions = {}): Compressor {
  const checks = { level: isWhole(-131_072, 22), checksum: isBoolean };
  const { level, checksum, minLength } = compressorOptions(FACTORY, options, checks, { level: 3, checksum: false });
  const params = { [LEVEL]: level, [CHECKSUM]: Number(checksum) };
  return {
    name: "zstd",
    minLength,
    recognizes: isZstdFrame,
    compress: (bytes) => compressWith(builtin("zstdCompressSync", FACTORY, RUNTIMES), bytes, { params }),
    decompress(bytes, maxLength) {
      const run = builtin("zstdDecompressSync", FACTORY, RUNTIMES);
      const length = contentLength(bytes);
      if (length !== undefined && length > maxLength) throw tooLong(maxLength);
      const result = decompressWith(run, "zstd", bytes, maxLength, {
        params: { [WINDOW_LOG_MAX]: windowLog(maxLength) },
      });
      // Not all runtimes detect truncation themselves.
      if (length !== undefined && length !== result.length) throw damaged("zstd", "it ends too early");
      return result;
    },
  };
}

function isZstdFrame(bytes: Uint8Array): boolean {
  return bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
}

/** The content length in a frame's header; `undefined` when there is none. Source: RFC 8878 §3.1.1.1 */
function contentLength(bytes: Uint8Array): number | undefined {
  const descriptor = bytes[4] ?? 0;
  const hasWindow = (descriptor & 0x20) === 0;
  const size = [hasWindow ? 0 : 1, 2, 4, 8][descriptor >> 6] ?? 0;
  const start = 5 + (hasWindow ? 1 : 0) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  if (!isZstdFrame(bytes) || size === 0 || start + size > bytes.length) return undefined;
  const digits = bytes.subarray(start, start + size);
  const length = digits.reduceRight((sum, byte) => 256 * sum + byte, 0);
  return size === 2 ? length + 256 : length;
}

/** The decoder's window, which its memory depends on: at least 8 MiB (RFC 8878 §3.1.1.1.2), else no more than the value needs. */
function windowLog(maxLength: number): number {
  return Math.min(27, Math.max(23, Math.ceil(Math.log2(maxLength))));
}
