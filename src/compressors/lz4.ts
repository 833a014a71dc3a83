import { importLz4 } from "#lz4-package";
import { chain } from "../core/async.js";
import { isBoolean } from "../core/options.js";
import { optionalPackage } from "../core/runtime.js";
import type { Compressor } from "../core/value-format.js";
import { type CompressorOptions, compressorOptions } from "./options.js";
import { checkEnd, damaged, tooLong } from "./output.js";

/** There is no level: `lz4-napi` has the one fast method that Python's `lz4` uses by default. */
export interface Lz4Options extends CompressorOptions {
  /** Store a checksum of the value and verify it when reading. @default false */
  contentChecksum?: boolean | undefined;
  /** Store a checksum of each block of up to 4 MiB and verify it when reading. @default false */
  blockChecksums?: boolean | undefined;
}

const loadLz4 = optionalPackage(importLz4);

/**
 * The LZ4 frame format, as Python's `lz4.frame` reads and writes it. Needs the native package `lz4-napi` (Node, Bun,
 * Deno), which the first use loads.
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
      // The package has no limit on its output, so the length is computed first.
      const length = lz4Length(bytes, maxLength);
      return chain(loadLz4(), (lz4) => {
        const result = attempt(() => lz4.decompressFrameSync(asBuffer(bytes)));
        if (result.length !== length)
          throw damaged("lz4", `it decompresses to ${result.length} bytes instead of ${length}`);
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

/** Source: "LZ4 Frame Format Description", version 1.6. */
const MAGIC = 0x184d2204;
const UNCOMPRESSED = 0x8000_0000;
const FLAG = { version: 0xc0, blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 };

function isLz4Frame(bytes: Uint8Array): boolean {
  return bytes[0] === 0x04 && bytes[1] === 0x22 && bytes[2] === 0x4d && bytes[3] === 0x18;
}

/**
 * The length of a frame's content, without decompressing it. The length in its header may be missing or wrong.
 * @throws RangeError when it is longer than `maxLength`
 * @throws Error unless `bytes` are exactly one frame
 */
function lz4Length(bytes: Uint8Array, maxLength: number): number {
  const input = new Input(bytes);
  if (input.uint32() !== MAGIC) throw damaged("lz4", "it does not begin as an LZ4 frame");
  const flags = input.byte();
  const blockLimit = 2 ** (8 + 2 * ((input.byte() >> 4) & 7));
  if ((flags & FLAG.version) !== 0x40) throw damaged("lz4", "its version is unknown");
  if (flags & FLAG.dictionary) throw damaged("lz4", "it needs a dictionary");
  input.skip((flags & FLAG.contentSize ? 8 : 0) + 1);
  let total = 0;
  for (let size = input.uint32(); size !== 0; size = input.uint32()) {
    const end = input.end(size % UNCOMPRESSED);
    const length = size >= UNCOMPRESSED ? input.skip(size % UNCOMPRESSED) : blockLength(input, end);
    if (length > blockLimit) throw damaged("lz4", "a block is longer than its header allows");
    total += length;
    if (total > maxLength) throw tooLong(maxLength);
    if (flags & FLAG.blockChecksum) input.skip(4);
  }
  if (flags & FLAG.contentChecksum) input.skip(4);
  checkEnd("lz4", input.at, bytes.length);
  return total;
}

/** Adds up the lengths of literals and matches. Source: "LZ4 Block Format Description". */
function blockLength(input: Input, end: number): number {
  let length = 0;
  while (input.at < end) {
    const token = input.byte();
    length += input.skip(runLength(input, token >> 4));
    if (input.at >= end) break;
    input.skip(2);
    length += runLength(input, token & 0x0f) + 4;
  }
  if (input.at !== end) throw damaged("lz4", "a block does not end where its size says");
  return length;
}

/** A length of fifteen continues in further bytes, up to and including one below 255. */
function runLength(input: Input, start: number): number {
  let length = start;
  if (start !== 15) return length;
  for (let byte = 255; byte === 255; length += byte) byte = input.byte();
  return length;
}

/** Reads forward, and throws at the end of the bytes. */
class Input {
  at = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.#view.getUint8(this.skipTo(1) - 1);
  }

  uint32(): number {
    return this.#view.getUint32(this.skipTo(4) - 4, true);
  }

  /** @returns `count` */
  skip(count: number): number {
    this.skipTo(count);
    return count;
  }

  /** The offset after the next `count` bytes. */
  end(count: number): number {
    const end = this.at + count;
    if (end > this.#view.byteLength) throw damaged("lz4", "it ends too early");
    return end;
  }

  private skipTo(count: number): number {
    this.at = this.end(count);
    return this.at;
  }
}
