import { BitWriter } from "./bzip2-bits.js";
import { BLOCK_MAGIC, BLOCK_UNIT, combineCrc, crcStep, END_MAGIC, RUN_A } from "./bzip2-format.js";
import { writeSymbols } from "./bzip2-huffman.js";
import { sortRotations } from "./bzip2-sort.js";

/** @param level the size of a block, in units of 100,000 bytes: 1 to 9 */
export function compressBzip2(bytes: Uint8Array, level: number): Uint8Array {
  const writer = new BitWriter();
  for (const byte of [0x42, 0x5a, 0x68, 0x30 + level]) writer.write(8, byte);
  let streamCrc = 0;
  for (let at = 0; at < bytes.length; ) {
    const block = takeBlock(bytes, at, level * BLOCK_UNIT - SPARE);
    writeBlock(writer, block);
    streamCrc = combineCrc(streamCrc, block.crc);
    at = block.end;
  }
  for (const half of END_MAGIC) writer.write(24, half);
  writer.write32(streamCrc);
  return writer.toBytes();
}

/** libbzip2 leaves so many bytes of a block unused, so its decoders were never given fuller ones. */
const SPARE = 19;
/** Four bytes that stand for themselves, then how many more; libbzip2 counts up to this. */
const LONGEST_RUN = 255;

interface Block {
  readonly content: Uint8Array;
  /** Of what the content stands for. */
  readonly crc: number;
  /** Where what it stands for ends. */
  readonly end: number;
}

/** As much as fits into one block, its runs of four and more equal bytes counted. */
function takeBlock(bytes: Uint8Array, start: number, limit: number): Block {
  const content = new Uint8Array(Math.min(limit, Math.ceil((bytes.length - start) * 1.25)));
  let [at, length, crc] = [start, 0, -1];
  while (at < bytes.length && length + 5 <= limit) {
    const byte = bytes[at] as number;
    const end = Math.min(at + LONGEST_RUN, bytes.length);
    let run = 0;
    for (; at < end && bytes[at] === byte; at++, run++) crc = crcStep(crc, byte);
    for (let copies = Math.min(run, 4); copies > 0; copies--) content[length++] = byte;
    if (run >= 4) content[length++] = run - 4;
  }
  return { content: content.subarray(0, length), crc: ~crc >>> 0, end: at };
}

function writeBlock(writer: BitWriter, { content, crc }: Block): void {
  const rows = sortRotations(content);
  const column = new Uint8Array(content.length);
  rows.forEach((start, row) => {
    column[row] = content[(start === 0 ? content.length : start) - 1] as number;
  });
  for (const half of BLOCK_MAGIC) writer.write(24, half);
  writer.write32(crc);
  writer.write(1, 0); // Not randomised, as versions before 0.9.5 had it.
  writer.write(24, rows.indexOf(0));
  const alphabet = Uint8Array.from(new Set(column)).sort();
  writeAlphabet(writer, alphabet);
  writeSymbols(writer, toSymbols(column, alphabet), alphabet.length + 2);
}

/** A bit for each sixteen bytes of which one occurs, then one for each byte of those. */
function writeAlphabet(writer: BitWriter, alphabet: Uint8Array): void {
  const maps = new Uint16Array(16);
  let used = 0;
  for (const byte of alphabet) {
    used |= 0x8000 >> (byte >> 4);
    maps[byte >> 4] = (maps[byte >> 4] as number) | (0x8000 >> (byte & 15));
  }
  writer.write(16, used);
  for (const map of maps) if (map !== 0) writer.write(16, map);
}

/** Each byte as its place in a list of the latest used, where it then moves to the front; runs of the front are counted. */
function toSymbols(column: Uint8Array, alphabet: Uint8Array): Uint16Array {
  const latest = alphabet.slice();
  const symbols = new Uint16Array(column.length + 1);
  let [length, run] = [0, 0];
  const endRun = (): void => {
    // Digits are 1 and 2 instead of 0 and 1, which leaves each number one form.
    for (; run > 0; run = (run - 1) >> 1) symbols[length++] = RUN_A + ((run - 1) & 1);
  };
  for (const byte of column) {
    const place = latest.indexOf(byte);
    if (place === 0) {
      run++;
      continue;
    }
    endRun();
    symbols[length++] = place + 1;
    latest.copyWithin(1, 0, place);
    latest[0] = byte;
  }
  endRun();
  symbols[length++] = alphabet.length + 1;
  return symbols.subarray(0, length);
}
