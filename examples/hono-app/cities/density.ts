import type { Table } from "./table.ts";

/** Where on Earth the places are: enough to draw a map of the world from them. */
export interface Density {
  /** The width and height of a cell, in degrees. */
  step: number;
  /**
   * The cells with one place, with a few, and with many. Cells are numbered west to east, then north to south, from
   * 180° W 90° N; of each, the distance from the one before it in the list is given.
   */
  levels: number[][];
}

const PER_DEGREE = 4;
const COLUMNS = 360 * PER_DEGREE;
const ROWS = 180 * PER_DEGREE;
const FEW = 2;
const MANY = 6;

export function measureDensity({ lats, lngs, rows }: Table): Density {
  const counts = new Uint16Array(COLUMNS * ROWS);
  for (let row = 0; row < rows; row++) {
    const line = Math.min(ROWS - 1, Math.floor(((9e6 - (lats[row] as number)) * PER_DEGREE) / 1e5));
    const column = Math.floor((((lngs[row] as number) + 18e6) * PER_DEGREE) / 1e5) % COLUMNS;
    const cell = line * COLUMNS + column;
    counts[cell] = (counts[cell] as number) + 1;
  }
  const levels: number[][] = [[], [], []];
  const previous = [0, 0, 0];
  for (const [cell, count] of counts.entries()) {
    if (count === 0) continue;
    const level = count >= MANY ? 2 : count >= FEW ? 1 : 0;
    levels[level]?.push(cell - (previous[level] as number));
    previous[level] = cell;
  }
  return { step: 1 / PER_DEGREE, levels };
}
