import { fold } from "./fold.ts";
export function indexNames(names) {
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
export function searchNames({ text, starts }, folded, n) {
  const found = [[], [], [], []];
  let row = 0;
  for (let at = text.indexOf(folded); at !== -1; at = text.indexOf(folded, starts[row])) {
    while (starts[row + 1] <= at) row++;
    const start = starts[row];
    row++;
    const end = starts[row] - 1;
    const rows = found[rankOf(text.slice(start, end), folded, at - start)];
    if (rows.length < n) rows.push(row - 1);
  }
  return found.flat().slice(0, n);
}
function rankOf(name, folded, at) {
  if (name === folded) return 0;
  if (at === 0) return 1;
  return name.includes(` ${folded}`) ? 2 : 3;
}
