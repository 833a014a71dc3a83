import { show } from "./errors.js";

/** Time, randomness and waiting, so that what depends on them can be tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** At least 0, below 1. */
  random(): number;
  /** Resolves after `ms`, or at once when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Timers that are given more, which is about 25 days, fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A delay as timers take it: Node warns in the console of one that is negative, as of a moment that has passed. */
export function timerMs(ms: number): number {
  return Math.max(0, Math.min(ms, LONGEST_TIMER_MS));
}

/** The host's own time. Looked up on each call, so that fake timers reach it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, timerMs(ms));
      signal?.addEventListener("abort", done, { once: true });
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
    }),
};

/**
 * A length of time: seconds as a number (fractions allowed), or a string such as `"250ms"`, `"90s"`, `"5m"`, `"2h"`, `"1d"`.
 *
 * Before the unit is a decimal number as JavaScript writes them, so that `` `${n}s` `` is a duration for every finite `n`:
 * `".5s"`, `"1e3s"` and `"5 m"` are durations, too. TypeScript has no narrower type than `${number}`, which also lets
 * hexadecimal, octal and binary numbers and a lone space compile; those are a `TypeError`.
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const FORM = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(ms|s|m|h|d)$/;

/** About 31,700 years: far beyond any cache, and far below where a server's own arithmetic overflows. */
const LIMIT_MS = 1e15;

/**
 * Whole milliseconds in `duration`; positive durations of less than one count as one.
 * @param name the option's name, for the error
 * @throws TypeError when it is not a finite number or a string of the known form
 */
export function toMs(duration: unknown, name: string): number {
  const [, count, unit = ""] = (typeof duration === "string" && FORM.exec(duration)) || [];
  const ms = typeof duration === "number" ? duration * 1_000 : Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  if (!Number.isFinite(ms) || Math.abs(ms) > LIMIT_MS) {
    throw new TypeError(
      `${name}: ${show(duration)} is not a duration; give seconds as a number, or a string such as "250ms", "90s", "5m", "2h", "1d"`,
    );
  }
  if (typeof duration === "number" && duration >= 10_000) warnOfMilliseconds(duration, name);
  return ms > 0 ? Math.max(1, Math.round(ms)) : Math.round(ms);
}

/** As `toMs`, for waits and windows, which can't be negative. @throws TypeError */
export function toWindowMs(duration: unknown, name: string): number {
  const ms = toMs(duration, name);
  if (ms < 0) throw new TypeError(`${name}: ${show(duration)} is negative; give a duration of 0 or more`);
  return ms;
}

const DAY = 86_400;
let hasWarned = false;

/**
 * Other caches for JavaScript count in milliseconds, so a large number of whole thousands is probably a mistake. Whole days
 * are not. Warns once in the process.
 */
function warnOfMilliseconds(seconds: number, name: string): void {
  if (hasWarned || seconds % 1_000 !== 0 || seconds % DAY === 0) return;
  hasWarned = true;
  const hours = seconds / 3_600;
  const [count, unit] = hours < 48 ? [hours, "hours"] : [seconds / DAY, "days"];
  console.warn(
    `valkey-edge-cache: ${name}: ${seconds} means ${seconds} seconds (${Number(count.toFixed(1))} ${unit}), as numbers are seconds; ` +
      `if you meant milliseconds, give ${seconds / 1_000} or "${seconds}ms"; if you meant seconds, give "${seconds}s"`,
  );
}
