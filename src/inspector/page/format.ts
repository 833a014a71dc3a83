/** Figures as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** What is shown where there is no figure. */
export const NONE = "–";

export function count(value: number): string {
  return value < 1_000_000 ? whole.format(value) : compact.format(value);
}

export function exactCount(value: number): string {
  return whole.format(value);
}

/** A noun with its number: "1 key", "2 keys". */
export function counted(value: number, one: string, several = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : several}`;
}

/** Per second; small rates have a decimal. */
export function rate(value: number): string {
  return value > 0 && value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : count(value);
}

export function percent(ratio: number | undefined): string {
  if (ratio === undefined || Number.isNaN(ratio)) return NONE;
  // Never rounded to 100 % while something missed.
  const shown = ratio < 1 ? Math.min(ratio * 100, 99.9) : 100;
  return `${shown === 100 || shown === 0 ? shown : shown.toFixed(1)} %`;
}

/** A short time, such as a latency. */
export function latency(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return duration(ms);
}

const UNITS = [
  { name: "d", ms: 86_400_000 },
  { name: "h", ms: 3_600_000 },
  { name: "min", ms: 60_000 },
  { name: "s", ms: 1_000 },
] as const;

/** A time with its two largest units, such as "2 h 5 min". */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const index = UNITS.findIndex((unit) => ms >= unit.ms);
  const large = UNITS[index];
  const small = UNITS[index + 1];
  if (!large) return `${Math.round(ms)} ms`;
  const first = Math.floor(ms / large.ms);
  const rest = small ? Math.floor((ms - first * large.ms) / small.ms) : 0;
  return small && rest > 0 ? `${first} ${large.name} ${rest} ${small.name}` : `${first} ${large.name}`;
}

export function bytes(value: number): string {
  if (value < 1_000) return `${value} B`;
  const power = Math.min(4, Math.floor(Math.log10(value) / 3));
  const shown = value / 1_000 ** power;
  return `${shown < 99.95 ? shown.toFixed(1) : Math.round(shown)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function clockTime(ms: number): string {
  return clock.format(ms);
}

export function dateTime(ms: number): string {
  return date.format(ms);
}
