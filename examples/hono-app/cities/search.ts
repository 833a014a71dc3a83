import { fold } from "./fold.ts";

/** The folded names of all rows in one text, a line each, so that a search is a few native string searches. */
export interface NameIndex {
  text: string;
  /** Where each row's line starts, and the end of the text plus one. */
  starts: Uint32Array;
}

export function indexNames(names: readonly string[]): NameIndex {
  const text = fold(names.join("\n"));
  const starts = new Uint32Array(names.length + 1);
  let at = 0;
  for (let row = 0; row < names.length; row++) {
    starts[row] = at;
    const end = text.indexOf("\n", at);
    at = (end === -1 ? text.length : end) + 1;
  }
  starts[names.length] = at;
  return { text, starts };
}

/**
 * Up to `n` rows whose name contains `folded`: those that are it, then those that begin with it, then those with a word
 * that begins with it, then the others; among equals, in the order of the rows.
 * @param folded what `fold` makes of a question; not empty, one line
 */
export function searchNames({ text, starts }: NameIndex, folded: string, n: number): number[] {
  const found: number[][] = [[], [], [], []];
  let row = 0;
  for (let at = text.indexOf(folded); at !== -1; at = text.indexOf(folded, starts[row])) {
    while ((starts[row + 1] as number) <= at) row++;
    const start = starts[row] as number;
    row++;
    const end = (starts[row] as number) - 1;
    const rows = found[rankOf(text.slice(start, end), folded, at - start)] as number[];
    if (rows.length < n) rows.push(row - 1);
  }
  return found.flat().slice(0, n);
}

function rankOf(name: string, folded: string, at: number): number {
  if (name === folded) return 0;
  if (at === 0) return 1;
  return name.includes(` ${folded}`) ? 2 : 3;
}
