import type { Args } from "./args.js";
import { refusals } from "./refusals.js";

/** How commands name a moment: from now or since the epoch, in seconds or milliseconds. */
const UNITS = {
  EX: { scaleMs: 1_000, relative: true },
  PX: { scaleMs: 1, relative: true },
  EXAT: { scaleMs: 1_000, relative: false },
  PXAT: { scaleMs: 1, relative: false },
} as const;

export type Unit = keyof typeof UNITS;

export function isUnit(word: string): word is Unit {
  return Object.hasOwn(UNITS, word);
}

/**
 * The moment that an argument stands for, in milliseconds since the epoch.
 * @throws {ReplyError} when it is no integer, or lies beyond what 64 bits hold
 */
export function deadline(args: Args, index: number, unit: Unit, nowMs: number): number {
  const { scaleMs, relative } = UNITS[unit];
  const sinceMs = args.integer(index) * scaleMs;
  const atMs = relative ? sinceMs + nowMs : sinceMs;
  if (Math.abs(sinceMs) > 2 ** 63 || atMs > 2 ** 63) throw refusals.expireTime(args.name);
  return atMs;
}
