import { chain } from "../core/maybe-promise.js";
import { isBoolean } from "../core/options.js";
import { optionalPackage } from "../core/runtime.js";
import type { Compressor } from "../core/value-format.js";
import { isLz4Frame, lz4Length } from "./lz4-frame.js";
import { type CompressorOptions, compressorOptions, damaged } from "./options.js";

/** There is no level: the package has the format's one fast method, as Python's `lz4` by default. */
export interface Lz4Options extends CompressorOptions {
  /** Store a checksum of the value, which is looked at when it is read. @default false */
  contentChecksum?: boolean;
  /** Store a checksum of each block of up to 4 MiB. @default false */
  blockChecksums?: boolean;
}

const loadLz4 = optionalPackage("lz4-napi", "lz4()", () => import("lz4-napi"));

/**
 * LZ4's frame format, as Python's `lz4.frame` reads and writes it. Needs the package `lz4-napi` (Node, Bun, Deno; native),
 * loaded by the first use.
 * @throws {ConfigurationError} on wrong options, and (at the first use) when the package is not installed
 */
export function lz4(options: Lz4Options = {}): Compressor {
  const checks = { contentChecksum: isBoolean, blockChecksums: isBoolean };
  const defaults = { contentChecksum: false, blockChecksums: false };
  const { minLength, ...checksums } = compressorOptions("lz4()", options, checks, defaults);
  return {
    name: "lz4",
    minLength,
    recognizes: isLz4Frame,
    compress: (bytes) => chain(loadLz4(), (lz4) => lz4.compressFrameSync(asBuffer(bytes), checksums)),
    decompress(bytes, maxLength) {
      // The package makes whatever a frame asks for, so what it asks for is counted first.
      const length = lz4Length(bytes, maxLength);
      return chain(loadLz4(), (lz4) => {
        const result = attempt(() => lz4.decompressFrameSync(asBuffer(bytes)));
        if (result.length !== length) throw damaged("lz4", `it makes ${result.length} bytes instead of ${length}`);
        return result;
      });
    },
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function attempt(work: () => Uint8Array): Uint8Array {
  try {
    return work();
  } catch (cause) {
    throw damaged("lz4", cause instanceof Error ? cause.message : String(cause), cause);
  }
}
