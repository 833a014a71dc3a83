import { BoundedBytes, damaged } from "../output.js";

/*
 * What the encoder and the decoder of bzip2 share. The format has no written standard.
 * Source: libbzip2 1.0.8, its manual, bzlib_private.h and compress.c
 */

/** A level's block size, in bytes, before run-length coding is undone. */
export const BLOCK_UNIT = 100_000;

/** The first 48 bits of a block (the digits of π), in halves. */
export const BLOCK_MAGIC = [0x314159, 0x265359] as const;

/** The 48 bits after the last block (the digits of √π), in halves. */
export const END_MAGIC = [0x177245, 0x385090] as const;

/** Symbols in a group. Each group is coded with the Huffman table that its selector names. */
export const GROUP_SIZE = 50;

/** The two digits that count runs of the byte at the front. A symbol n above them stands for position n - 1. */
export const RUN_A = 0;
export const RUN_B = 1;

let table: Int32Array | undefined;

/** The next state of a CRC-32 with the highest bit first. It starts with all ones, and is inverted at the end. */
export function crcStep(crc: number, byte: number): number {
  table ??= Int32Array.from({ length: 256 }, (_, index) => {
    let value = index << 24;
    for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
    return value;
  });
  return (crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] ?? 0);
}

/** The checksum of a stream, extended by that of one more block. */
export function combineCrc(stream: number, block: number): number {
  return (((stream << 1) | (stream >>> 31)) ^ block) >>> 0;
}

/** Reads numbers bit by bit, the highest first. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #bits = 0;
  #count = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  /** The offset after the byte that holds the last bit read. */
  get end(): number {
    return this.#at;
  }

  /** @param count up to 24 */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged("bz2", "it ends too early");
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#bits >>> this.#count) & ((1 << count) - 1);
  }

  read32(): number {
    return this.read(16) * 65_536 + this.read(16);
  }
}

/** Writes numbers bit by bit, the highest first. */
export class BitWriter {
  readonly #bytes = new BoundedBytes(Number.POSITIVE_INFINITY);
  #bits = 0;
  #count = 0;

  /** @param count up to 24 */
  write(count: number, value: number): void {
    this.#bits = (this.#bits << count) | value;
    this.#count += count;
    while (this.#count >= 8) {
      this.#count -= 8;
      this.#bytes.push((this.#bits >>> this.#count) & 0xff);
    }
  }

  write32(value: number): void {
    this.write(16, value >>> 16);
    this.write(16, value & 0xffff);
  }

  /** Everything written, with zeros up to the end of the last byte. */
  toBytes(): Uint8Array {
    if (this.#count > 0) this.write(8 - this.#count, 0);
    return this.#bytes.toBytes();
  }
}
