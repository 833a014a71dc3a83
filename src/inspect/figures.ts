/** A length of time for people, such as `"1 min 5 s"`. */
export function duration(ms: number): string {
  const abs = Math.abs(ms);
  if (abs < 1_000) return `${Math.round(abs)} ms`;
  if (abs < 10_000) return `${(abs / 1_000).toFixed(1)} s`;
  const parts: string[] = [];
  let seconds = Math.round(abs / 1_000);
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** A part of one, such as `"12 %"`. */
export function percent(part: number): string {
  const hundredths = part * 100;
  if (hundredths > 0 && hundredths < 1) return "less than 1 %";
  return `${Math.round(hundredths)} %`;
}

/** A count with its unit, such as `"1 key"` and `"2,000 keys"`. */
export function count(number: number, unit: string): string {
  return `${number.toLocaleString("en-US")} ${unit}${number === 1 ? "" : "s"}`;
}

/** Bytes for people, such as `"1.5 KiB"`. */
export function bytes(number: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [number, 0];
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return unit === 0 ? `${number} ${number === 1 ? "byte" : "bytes"}` : `${value.toFixed(1)} ${units[unit]}`;
}
