const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size in bytes for people: `512 B`, `1.5 MiB`. */
export function bytes(count: number): string {
  let size = count;
  let unit = 0;
  while (Math.abs(size) >= 1_024 && unit < UNITS.length - 1) {
    size /= 1_024;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}

/** A whole number with separators: `1,234,567`. */
export function number(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A number with its noun: `1 key`, `2 keys`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${number(count)} ${Math.round(count) === 1 ? noun : plural}`;
}

const PARTS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** A length of time in at most two units: `4m 12s`, `1.5s`, `250ms`. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)}ms`;
  if (ms < 10_000) return `${Number((ms / 1_000).toFixed(1))}s`;
  let rest = Math.round(ms / 1_000) * 1_000;
  const found: string[] = [];
  for (const [unit, size] of PARTS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) found.push(`${count}${unit}`);
    // Minutes that follow days say nothing.
    else if (found.length > 0) break;
    if (found.length === 2) break;
  }
  return found.join(" ");
}

/** A fraction as a percentage: `97.5 %`. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}
