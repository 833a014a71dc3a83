/** Captured before any test installs fake timers. */
const realSetTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);

export interface Until {
  /** The condition, as named in the failure. */
  what: string;
  /** Long enough for a busy machine. @default 10000 */
  timeoutMs?: number;
  /** @default 10 */
  everyMs?: number;
}

/**
 * Polls until the result is truthy and returns it. An error counts as "not yet".
 * Works with fake timers, too.
 */
export async function until<T>(condition: () => T | Promise<T>, options: Until): Promise<NonNullable<T>> {
  const { what, timeoutMs = 10_000, everyMs = 10 } = options;
  const endMs = realNow() + timeoutMs;
  let last: unknown;
  let cause: unknown;
  do {
    try {
      cause = undefined;
      last = await condition();
      if (last) return last as NonNullable<T>;
    } catch (error) {
      cause = error;
    }
    await new Promise<void>((resolve) => realSetTimeout(resolve, everyMs));
  } while (realNow() < endMs);
  const got = cause instanceof Error ? `the last try failed: ${cause.message}` : `the last answer was ${String(last)}`;
  throw new Error(`waited ${timeoutMs} ms for ${what}; ${got}`, { cause });
}
