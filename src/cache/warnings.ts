import { show } from "../core/errors.js";
import { notify } from "../core/maybe-promise.js";
import type { Clock } from "../core/time.js";

/** Where an error occurred that no caller got. */
export interface FailureContext {
  /** The cache method, such as `"get"` or `"sets.add"`. */
  readonly method: string;
  /** The stored key or the pattern; empty when there is none, or several. */
  readonly key: string;
}

/** Where warnings go: `console`, a pino logger, or anything with a method `warn`. */
export interface Logger {
  warn(message: string): void;
}

/** The shortest time between two warnings of one cache. */
const PAUSE_MS = 60_000;

/**
 * Says that the store fails, in the place of `onError`: the first error that no caller gets, and then at most one line a
 * minute, with the number of errors since. Without this a cache whose store is gone would go unnoticed, as loaders answer.
 */
export function warnOfErrors(
  logger: Logger,
  clock: Pick<Clock, "now">,
): (error: unknown, context: FailureContext) => void {
  let warnedMs = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (error, { method, key }) => {
    unsaid++;
    const nowMs = clock.now();
    if (Math.abs(nowMs - warnedMs) < PAUSE_MS) return;
    const others = unsaid > 1 ? ` (${unsaid} errors since the last warning)` : "";
    warnedMs = nowMs;
    unsaid = 0;
    const where = key === "" ? method : `${method} ${show(key)}`;
    const what = error instanceof Error ? error.message : show(error);
    const text = `valkey-edge-cache: ${where}: ${what}${others}. Calls go on without the cache, and loaders answer. Give createCache the option onError, or logger: false, to handle this yourself.`;
    notify(
      () => logger.warn(text),
      () => {},
    );
  };
}
