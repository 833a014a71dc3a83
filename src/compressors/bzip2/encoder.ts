import { BitWriter, BLOCK_MAGIC, BLOCK_UNIT, combineCrc, crcStep, END_MAGIC, GROUP_SIZE, RUN_A } from "./format.js";

/** @param level the block size in units of 100,000 bytes, 1 to 9 */
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

/** libbzip2 leaves this many bytes of a block unused, so decoders are not tested with fuller blocks. */
const SPARE = 19;
/** Four equal bytes are followed by the count of further ones. libbzip2 writes runs of up to this length. */
const LONGEST_RUN = 255;

interface Block {
  readonly content: Uint8Array;
  /** The checksum of the input that the block covers. */
  readonly crc: number;
  /** The offset after the input that the block covers. */
  readonly end: number;
}

/** As much input as fits into one block, with runs of four and more equal bytes counted. */
function takeBlock(bytes: Uint8Array, start: number, limit: number): Block {
  const content = new Uint8Array(Math.min(limit, Math.ceil((bytes.length - start) * 1.25)));
  let [at, length, crc] = [start, 0, -1];
  while (at < bytes.length && length + 5 <= limit) {
    const byte = bytes[at] ?? 0;
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
    column[row] = content[(start === 0 ? content.length : start) - 1] ?? 0;
  });
  for (const half of BLOCK_MAGIC) writer.write(24, half);
  writer.write32(crc);
  writer.write(1, 0); // Not randomised, as versions before 0.9.5 wrote blocks.
  writer.write(24, rows.indexOf(0));
  const alphabet = Uint8Array.from(new Set(column)).sort();
  writeAlphabet(writer, alphabet);
  writeSymbols(writer, toSymbols(column, alphabet), alphabet.length + 2);
}

/** A bit for each range of sixteen bytes, then a bit for each byte of the ranges in use. */
function writeAlphabet(writer: BitWriter, alphabet: Uint8Array): void {
  const maps = new Uint16Array(16);
  let used = 0;
  for (const byte of alphabet) {
    used |= 0x8000 >> (byte >> 4);
    maps[byte >> 4] = (maps[byte >> 4] ?? 0) | (0x8000 >> (byte & 15));
  }
  writer.write(16, used);
  for (const map of maps) if (map !== 0) writer.write(16, map);
}

/** Move-to-front: each byte as its position in the list of recently used bytes. Runs of the front byte are counted. */
function toSymbols(column: Uint8Array, alphabet: Uint8Array): Uint16Array {
  const recent = alphabet.slice();
  const symbols = new Uint16Array(column.length + 1);
  let [length, run] = [0, 0];
  const endRun = (): void => {
    // The digits are 1 and 2 instead of 0 and 1, so each number has one form.
    for (; run > 0; run = (run - 1) >> 1) symbols[length++] = RUN_A + ((run - 1) & 1);
  };
  for (const byte of column) {
    const position = recent.indexOf(byte);
    if (position === 0) {
      run++;
      continue;
    }
    endRun();
    symbols[length++] = position + 1;
    recent.copyWithin(1, 0, position);
    recent[0] = byte;
  }
  endRun();
  symbols[length++] = alphabet.length + 1;
  return symbols.subarray(0, length);
}

/**
 * The start offsets of a text's rotations, in sorted order. Prefix doubling: the rotations are sorted by their first
 * byte, then by twice as many bytes in each pass, using the ranks of both halves. Takes O(n log n) for any text.
 */
export function sortRotations(text: Uint8Array): Uint32Array {
  const identity = new Uint32Array(text.length).map((_, index) => index);
  let order = sortByRank(identity, 0, Uint32Array.from(text), 256);
  let { ranks, count } = rankPairs(order, 0, Uint32Array.from(text));
  for (let known = 1; known < text.length && count < text.length; known *= 2) {
    // The order holds what are now the second halves. A stable sort by the first halves keeps it among equals.
    order = sortByRank(order, known, ranks, count);
    ({ ranks, count } = rankPairs(order, known, ranks));
  }
  return order;
}

/** The rotations that start `back` bytes before those of `order`, sorted by rank: a stable counting sort. */
function sortByRank(order: Uint32Array, back: number, ranks: Uint32Array, count: number): Uint32Array {
  const length = order.length;
  const places = new Uint32Array(count + 1);
  for (let start = 0; start < length; start++) {
    const next = (ranks[start] ?? 0) + 1;
    places[next] = (places[next] ?? 0) + 1;
  }
  for (let rank = 1; rank < count; rank++) places[rank] = (places[rank] ?? 0) + (places[rank - 1] ?? 0);
  const sorted = new Uint32Array(length);
  for (let index = 0; index < length; index++) {
    let start = (order[index] ?? 0) - back;
    if (start < 0) start += length;
    const rank = ranks[start] ?? 0;
    const place = places[rank] ?? 0;
    places[rank] = place + 1;
    sorted[place] = start;
  }
  return sorted;
}

/** Ranks sorted rotations by the ranks of their halves. Equal ones share a rank; `count` is the number of ranks. */
function rankPairs(order: Uint32Array, half: number, halves: Uint32Array): { ranks: Uint32Array; count: number } {
  const length = order.length;
  const ranks = new Uint32Array(length);
  let [count, first, second] = [0, -1, -1];
  for (let index = 0; index < length; index++) {
    const start = order[index] ?? 0;
    const middle = start + half;
    const rank = halves[start] ?? 0;
    const nextRank = halves[middle < length ? middle : middle - length] ?? 0;
    if (rank !== first || nextRank !== second) count++;
    [first, second] = [rank, nextRank];
    ranks[start] = count - 1;
  }
  return { ranks, count };
}

/** Decoders accept 20 bits; libbzip2 has written at most 17 since 1.0.3. */
const MAX_CODE_LENGTH = 17;
/** Passes that assign groups to tables and rebuild the tables from their groups. */
const ROUNDS = 4;
/** The symbol counts from which one more table than two pays. Source: libbzip2's compress.c */
const TABLE_STEPS = [200, 600, 1200, 2400];

/** Writes a block's Huffman tables and its symbols, which are numbers below `symbolCount`. */
function writeSymbols(writer: BitWriter, symbols: Uint16Array, symbolCount: number): void {
  const tableCount = 2 + TABLE_STEPS.filter((step) => symbols.length >= step).length;
  const groupCount = Math.ceil(symbols.length / GROUP_SIZE);
  const groups = Array.from({ length: groupCount }, (_, index) =>
    symbols.subarray(index * GROUP_SIZE, (index + 1) * GROUP_SIZE),
  );
  let selectors = groups.map((_, index) => Math.floor((index * tableCount) / groupCount));
  let tables = makeTables(groups, selectors, tableCount, symbolCount);
  for (let round = 1; round < ROUNDS; round++) {
    selectors = groups.map((group) => cheapest(group, tables));
    tables = makeTables(groups, selectors, tableCount, symbolCount);
  }
  writer.write(3, tableCount);
  writeSelectors(writer, selectors, tableCount);
  for (const lengths of tables) writeLengths(writer, lengths);
  const codes = tables.map((lengths) => ({ lengths, values: codesOf(lengths) }));
  groups.forEach((group, index) => {
    const code = codes[selectors[index] ?? 0];
    for (const symbol of group) writer.write(code?.lengths[symbol] ?? 0, code?.values[symbol] ?? 0);
  });
}

/** The code lengths of each table. Every symbol gets a code, as any group may choose the table. */
function makeTables(
  groups: readonly Uint16Array[],
  selectors: readonly number[],
  tableCount: number,
  symbolCount: number,
): Uint8Array[] {
  return Array.from({ length: tableCount }, (_, table) => {
    const weights = new Float64Array(symbolCount);
    groups.forEach((group, index) => {
      if (selectors[index] === table) for (const symbol of group) weights[symbol] = (weights[symbol] ?? 0) + 1;
    });
    return codeLengths(weights.map((weight) => Math.max(weight, 1)));
  });
}

function cheapest(group: Uint16Array, tables: readonly Uint8Array[]): number {
  const costs = tables.map((lengths) => {
    let cost = 0;
    for (const symbol of group) cost += lengths[symbol] ?? 0;
    return cost;
  });
  return costs.indexOf(Math.min(...costs));
}

/** Huffman code lengths. The weights are halved until no code exceeds the maximum length. */
export function codeLengths(weights: Float64Array): Uint8Array {
  const lengths = huffman(weights);
  if (Math.max(...lengths) <= MAX_CODE_LENGTH) return lengths;
  return codeLengths(weights.map((weight) => Math.ceil(weight / 2)));
}

/** Joins the two lightest trees until one is left. Leaves and joined trees are each in order of weight. */
function huffman(weights: Float64Array): Uint8Array {
  const leaves = Array.from(weights.keys()).sort((a, b) => (weights[a] ?? 0) - (weights[b] ?? 0));
  const total = 2 * weights.length - 1;
  const sums = Float64Array.from({ length: total }, (_, node) => weights[leaves[node] ?? 0] ?? 0);
  const parents = new Uint16Array(total);
  let [leaf, joined] = [0, weights.length];
  for (let node = weights.length; node < total; node++) {
    sums[node] = 0;
    for (let child = 0; child < 2; child++) {
      const isLeaf = leaf < weights.length && (joined >= node || (sums[leaf] ?? 0) <= (sums[joined] ?? 0));
      const lightest = isLeaf ? leaf++ : joined++;
      sums[node] = (sums[node] ?? 0) + (sums[lightest] ?? 0);
      parents[lightest] = node;
    }
  }
  const depths = new Uint16Array(total);
  for (let node = total - 2; node >= 0; node--) depths[node] = (depths[parents[node] ?? 0] ?? 0) + 1;
  const lengths = new Uint8Array(weights.length);
  leaves.forEach((symbol, node) => {
    lengths[symbol] = depths[node] ?? 0;
  });
  return lengths;
}

/** Canonical codes: those of one length are successive numbers, in the order of their symbols. */
function codesOf(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
    lengths.forEach((own, symbol) => {
      if (own === length) codes[symbol] = code++;
    });
    code *= 2;
  }
  return codes;
}

/** Each selector as its table's position in the list of recently used tables, in unary: that many ones and a zero. */
function writeSelectors(writer: BitWriter, selectors: readonly number[], tableCount: number): void {
  writer.write(15, selectors.length);
  const recent = Array.from({ length: tableCount }, (_, index) => index);
  for (const selector of selectors) {
    const position = recent.indexOf(selector);
    for (let ones = 0; ones < position; ones++) writer.write(1, 1);
    writer.write(1, 0);
    recent.unshift(...recent.splice(position, 1));
  }
}

/** Each length as steps from the one before: 10 adds one, 11 subtracts one, 0 ends. */
function writeLengths(writer: BitWriter, lengths: Uint8Array): void {
  let current = lengths[0] ?? 0;
  writer.write(5, current);
  for (const length of lengths) {
    for (; current < length; current++) writer.write(2, 0b10);
    for (; current > length; current--) writer.write(2, 0b11);
    writer.write(1, 0);
  }
}
