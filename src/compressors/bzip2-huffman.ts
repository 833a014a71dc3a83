import type { BitWriter } from "./bzip2-bits.js";
import { GROUP_SIZE } from "./bzip2-format.js";

/** Decoders take 20 bits, libbzip2 has kept to this since 1.0.3. */
const MAX_CODE_LENGTH = 17;
/** How often tables are made from the groups that chose them, and groups choose again. */
const ROUNDS = 4;
/** With so many symbols or more it pays to have one more table than two. Source: libbzip2's compress.c */
const TABLE_STEPS = [200, 600, 1200, 2400];

/** Writes a block's tables and symbols, of which there are `symbolCount` kinds. */
export function writeSymbols(writer: BitWriter, symbols: Uint16Array, symbolCount: number): void {
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
  const codes = tables.map(codesOf);
  groups.forEach((group, index) => {
    const table = selectors[index] as number;
    const [lengths, values] = [tables[table] as Uint8Array, codes[table] as Uint32Array];
    for (const symbol of group) writer.write(lengths[symbol] as number, values[symbol] as number);
  });
}

/** A table is the length of each symbol's code. Every symbol gets one, for any group might choose the table. */
function makeTables(
  groups: readonly Uint16Array[],
  selectors: readonly number[],
  tableCount: number,
  symbolCount: number,
): Uint8Array[] {
  const weights = Array.from({ length: tableCount }, () => new Float64Array(symbolCount));
  groups.forEach((group, index) => {
    const table = weights[selectors[index] as number] as Float64Array;
    for (const symbol of group) table[symbol] = (table[symbol] as number) + 1;
  });
  return weights.map((table) => codeLengths(table.map((weight) => Math.max(weight, 1))));
}

function cheapest(group: Uint16Array, tables: readonly Uint8Array[]): number {
  const costs = tables.map((lengths) => {
    let cost = 0;
    for (const symbol of group) cost += lengths[symbol] as number;
    return cost;
  });
  return costs.indexOf(Math.min(...costs));
}

/** Huffman's, from weights evened out until no code is too long. */
export function codeLengths(weights: Float64Array): Uint8Array {
  const lengths = huffman(weights);
  if (Math.max(...lengths) <= MAX_CODE_LENGTH) return lengths;
  return codeLengths(weights.map((weight) => Math.ceil(weight / 2)));
}

/** The two lightest trees become one until one is left. Leaves and, as they are made, joined trees are in order of weight. */
function huffman(weights: Float64Array): Uint8Array {
  const leaves = Array.from(weights.keys()).sort((a, b) => (weights[a] as number) - (weights[b] as number));
  const total = 2 * weights.length - 1;
  const sums = Float64Array.from({ length: total }, (_, node) => weights[leaves[node] ?? 0] as number);
  const parents = new Uint16Array(total);
  let [leaf, joined] = [0, weights.length];
  for (let node = weights.length; node < total; node++) {
    sums[node] = 0;
    for (let child = 0; child < 2; child++) {
      const isLeaf = leaf < weights.length && (joined >= node || (sums[leaf] as number) <= (sums[joined] as number));
      const lightest = isLeaf ? leaf++ : joined++;
      sums[node] = (sums[node] as number) + (sums[lightest] as number);
      parents[lightest] = node;
    }
  }
  const depths = new Uint16Array(total);
  for (let node = total - 2; node >= 0; node--) depths[node] = (depths[parents[node] as number] as number) + 1;
  const lengths = new Uint8Array(weights.length);
  leaves.forEach((symbol, node) => {
    lengths[symbol] = depths[node] as number;
  });
  return lengths;
}

/** Of each length, the codes are successive numbers, given to symbols in their order. */
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

/** Each as its place among the tables by latest use, as that many ones and a zero. */
function writeSelectors(writer: BitWriter, selectors: readonly number[], tableCount: number): void {
  writer.write(15, selectors.length);
  const latest = Array.from({ length: tableCount }, (_, index) => index);
  for (const selector of selectors) {
    const place = latest.indexOf(selector);
    for (let ones = 0; ones < place; ones++) writer.write(1, 1);
    writer.write(1, 0);
    latest.unshift(...latest.splice(place, 1));
  }
}

/** Each as the steps from the one before: 10 is one more, 11 one less, 0 the end. */
function writeLengths(writer: BitWriter, lengths: Uint8Array): void {
  let current = lengths[0] as number;
  writer.write(5, current);
  for (const length of lengths) {
    for (; current < length; current++) writer.write(2, 0b10);
    for (; current > length; current--) writer.write(2, 0b11);
    writer.write(1, 0);
  }
}
