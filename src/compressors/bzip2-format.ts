/** bzip2 has no written standard; what is here is libbzip2's: its manual, and bzlib_private.h. */
export const BLOCK_UNIT = 100_000;

/** The first 48 bits of a block, those of π, in halves. */
export const BLOCK_MAGIC = [0x314159, 0x265359] as const;

/** The 48 bits after the last block, those of √π, in halves. */
export const END_MAGIC = [0x177245, 0x385090] as const;

/** Symbols are coded by so many, each group with the table that its selector names. */
export const GROUP_SIZE = 50;

/** Runs of the byte at the front are counted in a number system of these two digits; a symbol n above them stands for place n - 1. */
export const RUN_A = 0;
export const RUN_B = 1;

let table: Int32Array | undefined;

/** The next state of a CRC-32 that takes the highest bit first. It begins with all ones, and is inverted at the end. */
export function crcStep(crc: number, byte: number): number {
  table ??= Int32Array.from({ length: 256 }, (_, index) => {
    let value = index << 24;
    for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
    return value;
  });
  return (crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] as number);
}

/** The checksum of a stream so far, with that of one more block. */
export function combineCrc(stream: number, block: number): number {
  return (((stream << 1) | (stream >>> 31)) ^ block) >>> 0;
}
