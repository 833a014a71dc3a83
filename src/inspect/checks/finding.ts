import type { Finding } from "../port.js";

/** A finding without the name of its check, where that has one only. */
export interface Diagnosis extends Omit<Finding, "check"> {
  /** What follows the name of the check, and a dot. */
  readonly part?: string;
}

/** Why something can't be known. */
export class Skip extends Error {
  /** @param remedy what would let it be known */
  constructor(
    reason: string,
    readonly remedy = "",
  ) {
    super(reason);
  }
}

export function ok(found: string, meaning: string): Diagnosis {
  return { level: "ok", found, meaning, remedy: "" };
}

export function note(found: string, meaning: string, remedy = ""): Diagnosis {
  return { level: "note", found, meaning, remedy };
}

export function warning(found: string, meaning: string, remedy: string): Diagnosis {
  return { level: "warning", found, meaning, remedy };
}

export function problem(found: string, meaning: string, remedy: string): Diagnosis {
  return { level: "problem", found, meaning, remedy };
}

/**
 * A message of the library as what was found and what to do: by the rule of its messages, the remedy is what follows the last
 * semicolon.
 */
export function toFoundAndRemedy(message: string, otherwise: string): readonly [found: string, remedy: string] {
  const at = message.lastIndexOf("; ");
  return at < 0 ? [message, otherwise] : [message.slice(0, at), message.slice(at + 2)];
}

/** A number of bytes for people, such as `"1.5 MiB"`. */
export function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)));
  return `${Number((count / 1024 ** power).toFixed(1))} ${units[power]}`;
}

/** A number with separators. */
export function figure(count: number): string {
  return count.toLocaleString("en");
}

/** A duration for people. */
export function duration(ms: number): string {
  const units = [
    [86_400_000, "days"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1_000, "s"],
  ] as const;
  const [unitMs, unit] = units.find(([size]) => Math.abs(ms) >= (size > 1_000 ? 2 : 1) * size) ?? [1, "ms"];
  return `${Number((ms / unitMs).toFixed(unit === "ms" && Math.abs(ms) >= 10 ? 0 : 1))} ${unit}`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `count` and the noun, in the plural where it is one. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${figure(count)} ${count === 1 ? noun : plural}`;
}
