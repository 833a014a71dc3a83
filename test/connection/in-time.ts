import { expect } from "vitest";
import { type Cache, ConnectionError } from "../../src/index.js";
import { COMMANDS } from "../contract/cache/commands.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";

export const QUICK = { connectTimeout: "500ms", commandTimeout: "300ms" } as const;
/** Both timeouts, with a tolerance for a busy machine. */
export const DEADLINE_MS = 1_500;

export interface End {
  readonly error: unknown;
  readonly value: unknown;
  /** Without the time in which this process did not run: for bounds from above. */
  readonly ms: number;
  /** With it: for bounds from below. */
  readonly totalMs: number;
}

/** The outcome of a call and its duration. */
export async function end(call: Promise<unknown>): Promise<End> {
  const startMs = performance.now();
  const took = stopwatch();
  const times = () => ({ ms: took(), totalMs: performance.now() - startMs });
  return await call.then(
    (value) => ({ value, error: undefined, ...times() }),
    (error: unknown) => ({ value: undefined, error, ...times() }),
  );
}

export function expectFailedInTime({ error, ms }: End): void {
  expect(error).toBeInstanceOf(ConnectionError);
  expect(ms).toBeLessThan(DEADLINE_MS);
}

export const ROWS = Object.entries(COMMANDS);
export const isLoad = (name: string) => name.startsWith("getOrSet");

/** Calls every method concurrently, and then some in turn. */
export async function expectEachFailsInTime(cache: Cache): Promise<void> {
  for (const ends of [
    await Promise.all(ROWS.map(([, { run }]) => end(run(cache)))),
    await inTurn(ROWS.slice(0, 6), ([, { run }]) => end(run(cache))),
  ]) {
    for (const [i, one] of ends.entries()) {
      const [name = "", { otherwise } = { otherwise: undefined }] = ROWS[i] ?? [];
      if (!isLoad(name)) expectFailedInTime(one);
      else expect(one).toMatchObject({ value: otherwise, error: undefined });
      expect(one.ms).toBeLessThan(DEADLINE_MS);
    }
  }
}

async function inTurn<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await run(item));
  return results;
}

/** Calls the most common methods. */
export async function expectWorks(cache: Cache): Promise<void> {
  expect(await cache.set("a", 1)).toBe(true);
  expect(await cache.get("a")).toBe(1);
  expect(await cache.incr("a")).toBe(2);
  expect(await cache.keys()).toContain("a");
  expect(await cache.delete("a")).toBe(true);
}

/** Waits until the cache works again. Commands that are not retried may fail once when the loss is detected. */
export function works(cache: Cache): Promise<unknown> {
  return until(async () => (await cache.set("back", 1)) && (await cache.incr("back")) === 2, {
    what: "the cache to work again",
  });
}
