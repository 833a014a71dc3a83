import type { Duration } from "../core/time.js";

/** What a loader is told, and what it may say. */
export interface LoaderContext {
  /** Fires when nobody needs the value any more. */
  readonly signal: AbortSignal;
  /** The value that is being replaced, where there is one. */
  readonly stale: unknown;
  /** Stores this value for another time than the call asks for; `null` for ever. @throws TypeError on what is no duration */
  ttl(ttl: Duration | null): void;
  /** Answers with this value, and stores nothing. */
  doNotStore(): void;
}

/** Computes a value on a miss. `undefined` is answered, and never stored. */
export type Loader<T> = (context: LoaderContext) => T | Promise<T>;

/** Computes the values of several keys, those made keys that are missing. A key without a value is answered as missing. */
export type ManyLoader = (keys: readonly string[], context: LoaderContext) => Promise<ReadonlyMap<string, unknown>>;
