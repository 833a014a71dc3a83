import type { Key } from "../core/key.js";
import type { Duration } from "../core/time.js";
import type { KeyOptions } from "./base.js";

export interface GetOptions<D = undefined> extends KeyOptions {
  /** What a miss answers. @default undefined */
  default?: D;
}

export interface TtlOptions extends KeyOptions {
  /** Lifetime: seconds, or a duration such as `"5m"`; `null` never expires. @default the cache's `ttl` */
  ttl?: Duration | null;
}

export interface SetOptions extends TtlOptions {
  /** Write only when there is no entry. @default false */
  nx?: boolean;
  /** Write only when there is an entry. @default false */
  xx?: boolean;
}

export interface GetOrSetOptions extends TtlOptions {
  /** Ends the wait, with the signal's reason. @default none */
  signal?: AbortSignal;
  /** When the loader takes longer, a stale value answers where there is one, and the load goes on. @default none */
  softTimeout?: Duration;
  /** When the loader takes longer, it is given up with a `LoaderTimeoutError`; `null` never. @default the client's */
  hardTimeout?: Duration | null;
}

export interface IncrOptions extends TtlOptions {
  /** Begin at 0 when there is no entry, with the lifetime `ttl`. @default false */
  create?: boolean;
}

/** A `Map`, pairs, or a record. */
export type EntriesInput = Iterable<readonly [Key, unknown]> | Readonly<Record<string, unknown>>;

/** Values by key. */
export type Many<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>>;
