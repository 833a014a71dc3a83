import { BoundedBytes, checkEnd, damaged } from "../output.js";
import { BitReader, BLOCK_MAGIC, BLOCK_UNIT, combineCrc, crcStep, END_MAGIC, GROUP_SIZE, RUN_B } from "./format.js";

export function isBzip2(bytes: Uint8Array): boolean {
  const level = bytes[3] ?? 0;
  return bytes[0] === 0x42 && bytes[1] === 0x5a && bytes[2] === 0x68 && level >= 0x31 && level <= 0x39;
}

/**
 * Decompresses one bzip2 stream. It stops as soon as the output exceeds `maxLength`.
 * @throws RangeError when the content is longer than `maxLength`
 * @throws Error unless `bytes` are exactly one stream
 */
export function decompressBzip2(bytes: Uint8Array, maxLength: number): Uint8Array {
  if (!isBzip2(bytes)) throw damaged("bz2", "it does not begin as a bzip2 stream");
  const reader = new BitReader(bytes, 4);
  const blockLimit = BLOCK_UNIT * ((bytes[3] ?? 0) - 0x30);
  const output = new BoundedBytes(maxLength);
  let streamCrc = 0;
  while (readMagic(reader) === BLOCK_MAGIC) {
    const blockCrc = reader.read32();
    if (writeBlock(reader, blockLimit, output) !== blockCrc) throw damaged("bz2", "the checksum of a block is wrong");
    streamCrc = combineCrc(streamCrc, blockCrc);
  }
  if (reader.read32() !== streamCrc) throw damaged("bz2", "its checksum is wrong");
  checkEnd("bz2", reader.end, bytes.length);
  return output.toBytes();
}

function readMagic(reader: BitReader): typeof BLOCK_MAGIC | typeof END_MAGIC {
  const [high, low] = [reader.read(24), reader.read(24)];
  const magic = [BLOCK_MAGIC, END_MAGIC].find((known) => known[0] === high && known[1] === low);
  if (!magic) throw damaged("bz2", "a block does not begin as one");
  return magic;
}

/** @returns the checksum of the bytes that it wrote */
function writeBlock(reader: BitReader, limit: number, output: BoundedBytes): number {
  if (reader.read(1) === 1) throw damaged("bz2", "it was written by a version before 0.9.5");
  const origin = reader.read(24);
  const column = readColumn(reader, limit);
  if (origin >= column.length) throw damaged("bz2", "a block begins outside of itself");
  return undoRuns(column, origin, output);
}

/** The last column of the sorted rotations: undoes Huffman coding, run counts and move-to-front. */
function readColumn(reader: BitReader, limit: number): Uint8Array {
  const front = readAlphabet(reader);
  const endOfBlock = front.length + 1;
  const nextSymbol = symbolReader(reader, front.length + 2);
  const column = new BoundedBytes(limit, () => damaged("bz2", "a block is longer than its header allows"));
  let [run, weight] = [0, 1];
  for (let symbol = nextSymbol(); ; symbol = nextSymbol()) {
    if (symbol <= RUN_B) {
      run += weight << symbol;
      weight *= 2;
      if (run > limit) throw damaged("bz2", "a run is longer than its block");
      continue;
    }
    if (run > 0) column.fill(front[0] ?? 0, run);
    if (symbol === endOfBlock) return column.toBytes();
    [run, weight] = [0, 1];
    const byte = front[symbol - 1] ?? 0;
    front.copyWithin(1, 0, symbol - 1);
    front[0] = byte;
    column.push(byte);
  }
}

/** The bytes that occur: a bit for each range of sixteen, then a bit for each byte of the ranges in use. */
function readAlphabet(reader: BitReader): Uint8Array {
  const used = reader.read(16);
  const alphabet: number[] = [];
  for (let high = 0; high < 16; high++) {
    if (!(used & (0x8000 >> high))) continue;
    const bits = reader.read(16);
    for (let low = 0; low < 16; low++) if (bits & (0x8000 >> low)) alphabet.push(16 * high + low);
  }
  if (alphabet.length === 0) throw damaged("bz2", "a block has no bytes");
  return Uint8Array.from(alphabet);
}

/** Follows the rotations in text order and expands runs: four equal bytes are followed by the count of further ones. */
function undoRuns(column: Uint8Array, origin: number, output: BoundedBytes): number {
  const next = successors(column);
  let crc = -1;
  let [previous, repeated] = [-1, 0];
  let at = next[origin] ?? 0;
  for (let left = column.length; left > 0; left--, at = next[at] ?? 0) {
    const byte = column[at] ?? 0;
    if (repeated === 4) {
      output.fill(previous, byte);
      for (let more = byte; more > 0; more--) crc = crcStep(crc, previous);
      repeated = 0;
      continue;
    }
    repeated = byte === previous ? repeated + 1 : 1;
    previous = byte;
    output.push(byte);
    crc = crcStep(crc, byte);
  }
  return ~crc >>> 0;
}

/** For each row, the row where its text continues. The first column is the last one, sorted stably. */
function successors(column: Uint8Array): Uint32Array {
  const places = new Uint32Array(257);
  for (const byte of column) places[byte + 1] = (places[byte + 1] ?? 0) + 1;
  for (let byte = 1; byte < 257; byte++) places[byte] = (places[byte] ?? 0) + (places[byte - 1] ?? 0);
  const next = new Uint32Array(column.length);
  column.forEach((byte, row) => {
    const place = places[byte] ?? 0;
    places[byte] = place + 1;
    next[place] = row;
  });
  return next;
}

const MAX_CODE_LENGTH = 20;

/** Reads a block's Huffman tables. @returns a function that reads the next symbol */
function symbolReader(reader: BitReader, symbolCount: number): () => number {
  const tableCount = reader.read(3);
  if (tableCount < 2 || tableCount > 6) throw damaged("bz2", `a block has ${tableCount} tables`);
  const selectors = readSelectors(reader, tableCount);
  const tables = Array.from({ length: tableCount }, () => new HuffmanTable(reader, symbolCount));
  let [group, left] = [0, 0];
  let table: HuffmanTable | undefined;
  return () => {
    if (left === 0) {
      table = tables[selectors[group++] ?? tableCount];
      left = GROUP_SIZE;
    }
    if (table === undefined) throw damaged("bz2", "a block goes on after its last group");
    left--;
    return table.read(reader);
  };
}

/** Each selector is its table's position in the list of recently used tables, in unary: that many ones and a zero. */
function readSelectors(reader: BitReader, tableCount: number): Uint8Array {
  const recent = Uint8Array.from({ length: tableCount }, (_, index) => index);
  return new Uint8Array(reader.read(15)).map(() => {
    let position = 0;
    while (reader.read(1) === 1) position++;
    const table = recent[position];
    if (table === undefined) throw damaged("bz2", "a group has no table");
    recent.copyWithin(1, 0, position);
    recent[0] = table;
    return table;
  });
}

/** A canonical Huffman code: the codes of one length are successive numbers, in the order of their symbols. */
class HuffmanTable {
  readonly #symbols: Uint16Array;
  readonly #counts = new Uint16Array(MAX_CODE_LENGTH + 1);

  constructor(reader: BitReader, symbolCount: number) {
    const lengths = readLengths(reader, symbolCount);
    for (const length of lengths) this.#counts[length] = (this.#counts[length] ?? 0) + 1;
    const symbols = Uint16Array.from(lengths, (_, symbol) => symbol);
    this.#symbols = symbols.sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
  }

  read(reader: BitReader): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      code = 2 * code + reader.read(1);
      const count = this.#counts[length] ?? 0;
      if (code - first < count) return this.#symbols[index + code - first] ?? 0;
      index += count;
      first = 2 * (first + count);
    }
    throw damaged("bz2", "it has an unknown code");
  }
}

/** Each length is coded as steps from the one before: 10 adds one, 11 subtracts one, 0 ends. */
function readLengths(reader: BitReader, symbolCount: number): Uint8Array {
  let length = reader.read(5);
  return new Uint8Array(symbolCount).map(() => {
    while (reader.read(1) === 1) {
      length += reader.read(1) === 1 ? -1 : 1;
      if (length < 1 || length > MAX_CODE_LENGTH) break;
    }
    if (length < 1 || length > MAX_CODE_LENGTH) throw damaged("bz2", `it has a code of ${length} bits`);
    return length;
  });
}
