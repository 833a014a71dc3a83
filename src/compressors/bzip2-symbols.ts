import type { BitReader } from "./bzip2-bits.js";
import { GROUP_SIZE } from "./bzip2-format.js";
import { damaged } from "./options.js";

const MAX_CODE_LENGTH = 20;

/** Reads a block's tables, and answers what reads its symbols, one a call. */
export function symbolReader(reader: BitReader, symbolCount: number): () => number {
  const tableCount = reader.read(3);
  if (tableCount < 2 || tableCount > 6) throw damaged("bz2", `a block has ${tableCount} tables`);
  const selectors = readSelectors(reader, tableCount);
  const tables = Array.from({ length: tableCount }, () => new Table(reader, symbolCount));
  let [group, left] = [0, 0];
  let table = tables[0] as Table;
  return () => {
    if (left === 0) {
      const selector = selectors[group++];
      if (selector === undefined) throw damaged("bz2", "a block goes on after its last group");
      table = tables[selector] as Table;
      left = GROUP_SIZE;
    }
    left--;
    return table.read(reader);
  };
}

/** Each as its place among the tables by latest use, as that many ones and a zero. */
function readSelectors(reader: BitReader, tableCount: number): Uint8Array {
  const latest = Uint8Array.from({ length: tableCount }, (_, index) => index);
  return new Uint8Array(reader.read(15)).map(() => {
    let place = 0;
    while (reader.read(1) === 1) place++;
    const table = latest[place];
    if (table === undefined) throw damaged("bz2", "a group has no table");
    latest.copyWithin(1, 0, place);
    latest[0] = table;
    return table;
  });
}

/** A canonical Huffman code: of each length, the codes are successive numbers, given to symbols in their order. */
class Table {
  readonly #symbols: Uint16Array;
  readonly #counts = new Uint16Array(MAX_CODE_LENGTH + 1);

  constructor(reader: BitReader, symbolCount: number) {
    const lengths = readLengths(reader, symbolCount);
    for (const length of lengths) this.#counts[length] = (this.#counts[length] as number) + 1;
    const symbols = Uint16Array.from(lengths, (_, symbol) => symbol);
    this.#symbols = symbols.sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  }

  read(reader: BitReader): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      code = 2 * code + reader.read(1);
      const count = this.#counts[length] as number;
      if (code - first < count) return this.#symbols[index + code - first] as number;
      index += count;
      first = 2 * (first + count);
    }
    throw damaged("bz2", "it has an unknown code");
  }
}

/** Each as the steps from the one before: 10 is one more, 11 one less, 0 the end. */
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
