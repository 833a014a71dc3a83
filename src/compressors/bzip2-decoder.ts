import { BitReader } from "./bzip2-bits.js";
import { BLOCK_MAGIC, BLOCK_UNIT, combineCrc, crcStep, END_MAGIC, RUN_B } from "./bzip2-format.js";
import { symbolReader } from "./bzip2-symbols.js";
import { BoundedBytes, checkEnd, damaged } from "./options.js";

export function isBzip2(bytes: Uint8Array): boolean {
  const level = bytes[3] ?? 0;
  return bytes[0] === 0x42 && bytes[1] === 0x5a && bytes[2] === 0x68 && level >= 0x31 && level <= 0x39;
}

/**
 * The content of one bzip2 stream.
 * @throws RangeError when it is longer than `maxLength`
 * @throws Error unless `bytes` are one whole stream
 */
export function decompressBzip2(bytes: Uint8Array, maxLength: number): Uint8Array {
  if (!isBzip2(bytes)) throw damaged("bz2", "it does not begin as a bzip2 stream");
  const reader = new BitReader(bytes, 4);
  const blockLimit = BLOCK_UNIT * ((bytes[3] as number) - 0x30);
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

/** @returns the checksum of what it wrote */
function writeBlock(reader: BitReader, limit: number, output: BoundedBytes): number {
  if (reader.read(1) === 1) throw damaged("bz2", "it was written by a version before 0.9.5");
  const origin = reader.read(24);
  const column = readColumn(reader, limit);
  if (origin >= column.length) throw damaged("bz2", "a block begins outside of itself");
  return writeRuns(column, origin, output);
}

/** The last column of the sorted rotations: undoes the coding, counted runs of the front, and moving to the front. */
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
    if (run > 0) column.fill(front[0] as number, run);
    if (symbol === endOfBlock) return column.toBytes();
    [run, weight] = [0, 1];
    const byte = front[symbol - 1] as number;
    front.copyWithin(1, 0, symbol - 1);
    front[0] = byte;
    column.push(byte);
  }
}

/** The bytes that occur: a bit for each sixteen, then one for each byte of those. */
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

/** Walks the rotations in their order in the text, and writes out runs: four equal bytes are followed by how many more. */
function writeRuns(column: Uint8Array, origin: number, output: BoundedBytes): number {
  const next = successors(column);
  let crc = -1;
  let [previous, repeated] = [-1, 0];
  let at = next[origin] as number;
  for (let left = column.length; left > 0; left--, at = next[at] as number) {
    const byte = column[at] as number;
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

/** The first column is the last one sorted, so equal bytes keep their order: where each row's text goes on. */
function successors(column: Uint8Array): Uint32Array {
  const places = new Uint32Array(257);
  for (const byte of column) places[byte + 1] = (places[byte + 1] as number) + 1;
  for (let byte = 1; byte < 257; byte++) places[byte] = (places[byte] as number) + (places[byte - 1] as number);
  const next = new Uint32Array(column.length);
  column.forEach((byte, row) => {
    next[places[byte] as number] = row;
    places[byte] = (places[byte] as number) + 1;
  });
  return next;
}
