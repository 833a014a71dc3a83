import type { Duration } from "../core/time.js";

/** The argument of a loader of values of type `T`. */
export interface LoaderContext<T = unknown> {
  /** Fires when no caller needs the value any more. */
  readonly signal: AbortSignal;
  /** The value that is being replaced; `undefined` if there is none. */
  readonly stale: T | undefined;
  /** Sets the lifetime of this value instead of the call's; `null` never expires. @throws TypeError if `ttl` is not a duration */
  ttl(ttl: Duration | null): void;
  /** Answers this value and stores nothing. */
  doNotStore(): void;
}

/**
 * Computes a value on a miss. `undefined` is answered and never stored. `Stale` is a type of its own, as TypeScript would
 * otherwise not infer `T` from what a loader returns whose context has no type.
 */
export type Loader<T, Stale = T> = (context: LoaderContext<Stale>) => T | Promise<T>;

/** Computes the values of missing keys. It is called with stored keys. A key without a value in the result counts as missing. */
export type ManyLoader = (keys: readonly string[], context: LoaderContext) => Promise<ReadonlyMap<string, unknown>>;
