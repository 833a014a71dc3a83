import type { Transform } from "node:stream";
import { chain } from "../core/async.js";
import { isBoolean, isOneOf } from "../core/options.js";
import { filled, missingPackage, optionalPackage } from "../core/runtime.js";
import type { Compressor } from "../core/value-format.js";
import { aloneLength, isLzmaAlone, isXz, xzLength } from "./lzma-containers.js";
import { type CompressorOptions, compressorOptions, isWhole } from "./options.js";
import { BoundedBytes, damaged, tooLong } from "./output.js";

/** Options of `lzma()`. */
export interface LzmaOptions extends CompressorOptions {
  /** From 0 (fastest) to 9 (smallest). Compressing takes 3 MiB of memory at 0, 94 MiB at 6 and 674 MiB at 9. @default 6 */
  level?: number | undefined;
  /** Compress further, and much more slowly. @default false */
  extreme?: boolean | undefined;
  /** The checksum that is stored with a value and verified when reading. @default "crc64" */
  check?: "none" | "crc32" | "crc64" | "sha256" | undefined;
}

/** The part of the package that is used here. Its published types are wrong about checks, which are numbers. */
interface LzmaNative {
  createStream(coder: "easyEncoder" | "autoDecoder", options: object): Transform & { totalIn(): number };
}

const loadLzma = optionalPackage(async () => {
  try {
    const { default: module } = filled(await import("lzma-native"));
    return module as unknown as LzmaNative;
  } catch (cause) {
    throw missingPackage("lzma-native", "lzma()", cause);
  }
});

/** Source: liblzma's check.h and container.h */
const CHECKS = { none: 0, crc32: 1, crc64: 4, sha256: 10 };
const EXTREME = 0x8000_0000;
/** The stored bytes decide the size of a decoder's dictionary. No compression level needs more than 64 MiB. */
const DECODER_MEMORY = 66 * 2 ** 20;

/**
 * Writes the .xz format as Python's `lzma.compress` does, and reads .xz and the older .lzma. Needs the native package
 * `lzma-native` (Node, Bun), which the first use loads. Why that one: docs/decisions/packages.md.
 * @throws {ConfigurationError} on wrong options, and (at the first use) when the package is not installed
 */
export function lzma(options: LzmaOptions = {}): Compressor {
  const checks = { level: isWhole(0, 9), extreme: isBoolean, check: isOneOf("none", "crc32", "crc64", "sha256") };
  const defaults = { level: 6, extreme: false, check: "crc64" } as const;
  const { level, extreme, check, minLength } = compressorOptions("lzma()", options, checks, defaults);
  // As strings, because the package treats a zero as absent.
  const settings = { preset: String(level + (extreme ? EXTREME : 0)), check: String(CHECKS[check]) };
  return {
    name: "lzma",
    minLength,
    recognizes: (bytes) => isXz(bytes) || isLzmaAlone(bytes),
    compress: (bytes) =>
      chain(loadLzma(), (lzma) => run(lzma, "easyEncoder", settings, [bytes], Number.POSITIVE_INFINITY)),
    decompress(bytes, maxLength) {
      const pieces = decoderInput(bytes, maxLength);
      return chain(loadLzma(), (lzma) => run(lzma, "autoDecoder", { memlimit: DECODER_MEMORY }, pieces, maxLength));
    },
  };
}

/** In bytes. Each piece of this size decompresses to at most about half a megabyte. */
const PIECE = 64;

/** The package decompresses a whole write before it emits data, so input of unknown length is written in pieces. */
function decoderInput(bytes: Uint8Array, maxLength: number): Uint8Array[] {
  if (isXz(bytes)) {
    xzLength(bytes, maxLength);
    return [bytes];
  }
  if (!isLzmaAlone(bytes)) throw damaged("lzma", "it begins neither as .xz nor as .lzma");
  const length = aloneLength(bytes);
  if (length !== undefined && length > maxLength) throw tooLong(maxLength);
  if (length !== undefined) return [bytes];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE) pieces.push(bytes.subarray(at, at + PIECE));
  return pieces;
}

function run(
  lzma: LzmaNative,
  coder: "easyEncoder" | "autoDecoder",
  settings: object,
  pieces: readonly Uint8Array[],
  maxLength: number,
): Promise<Uint8Array> {
  const stream = lzma.createStream(coder, settings);
  const output = new BoundedBytes(maxLength);
  return new Promise((resolve, reject) => {
    stream.on("error", (cause: Error) => reject(damaged("lzma", cause.message, cause)));
    stream.on("data", (chunk: Uint8Array) => {
      try {
        output.append(chunk);
      } catch (cause) {
        reject(cause);
        stream.destroy();
      }
    });
    stream.on("end", () => {
      const left = pieces.reduce((sum, piece) => sum + piece.length, 0) - stream.totalIn();
      if (left === 0) resolve(output.toBytes());
      else reject(damaged("lzma", `it ends ${left} bytes before the stored bytes do`));
    });
    feed(stream, pieces, 0);
  });
}

/** Writes each piece after the previous one was processed, so nothing is read once the limit is reached. */
function feed(stream: Transform, pieces: readonly Uint8Array[], index: number): void {
  const piece = pieces[index];
  if (stream.destroyed) return;
  if (piece === undefined) stream.end();
  else stream.write(piece, () => feed(stream, pieces, index + 1));
}
