const PER_DEGREE = 4;
const COLUMNS = 360 * PER_DEGREE;
const ROWS = 180 * PER_DEGREE;
const FEW = 2;
const MANY = 6;
export function measureDensity({ lats, lngs, rows }) {
  const counts = new Uint16Array(COLUMNS * ROWS);
  for (let row = 0; row < rows; row++) {
    const line = Math.min(ROWS - 1, Math.floor(((9e6 - lats[row]) * PER_DEGREE) / 1e5));
    const column = Math.floor(((lngs[row] + 18e6) * PER_DEGREE) / 1e5) % COLUMNS;
    const cell = line * COLUMNS + column;
    counts[cell] = counts[cell] + 1;
  }
  const levels = [[], [], []];
  const previous = [0, 0, 0];
  for (const [cell, count] of counts.entries()) {
    if (count === 0) continue;
    const level = count >= MANY ? 2 : count >= FEW ? 1 : 0;
    levels[level]?.push(cell - previous[level]);
    previous[level] = cell;
  }
  return { step: 1 / PER_DEGREE, levels };
}
