import type { Key } from "../core/key.js";
import type { Duration } from "../core/time.js";

/** Options that every method with a key takes. */
export interface KeyOptions {
  /** The version in the key. @default the cache's `version` */
  version?: number;
  /** The prefix of the key. @default the cache's `keyPrefix` */
  prefix?: string;
}

/** Options of `get`. */
export interface GetOptions<D = undefined> extends KeyOptions {
  /** Returned on a miss. @default undefined */
  default?: D;
}

/** Options of methods that write entries. */
export interface TtlOptions extends KeyOptions {
  /** Lifetime: seconds, or a duration such as `"5m"`; `null` never expires. @default the cache's `ttl` */
  ttl?: Duration | null;
}

/** Options of `set`. */
export interface SetOptions extends TtlOptions {
  /** Write only when there is no entry. @default false */
  nx?: boolean;
  /** Write only when there is an entry. @default false */
  xx?: boolean;
}

/** Options of `getOrSet` and `getOrSetMany`. */
export interface GetOrSetOptions extends TtlOptions {
  /** Ends this caller's wait, with the signal's reason. @default none */
  signal?: AbortSignal;
  /** When the loader takes longer, a stale value is returned where there is one, and the load goes on. @default none */
  softTimeout?: Duration;
  /** When the loader takes longer, the call rejects with a `LoaderTimeoutError`; `null` for no limit. @default the client's */
  hardTimeout?: Duration | null;
}

/** Options of `incr` and `decr`. */
export interface IncrOptions extends TtlOptions {
  /** Start at 0 when there is no entry, with the lifetime `ttl`. @default false */
  create?: boolean;
}

/** Entries to write: a `Map`, pairs, or a record. */
export type EntriesInput = Iterable<readonly [Key, unknown]> | Readonly<Record<string, unknown>>;

/** Values by key, as a loader of several keys returns them. */
export type Many<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>>;

/** Options of `keys` and `iterKeys`. */
export interface ScanOptions extends KeyOptions {
  /** How many keys the server looks at for each batch. @default the cache's `scanCount` */
  scanCount?: number;
}

/** Options of `deletePattern` and `clear`. */
export interface DeletePatternOptions extends ScanOptions {
  /** Called after each batch with the number of entries deleted so far. @default none */
  onProgress?: (deleted: number) => void;
}

/** Options of `sets.scan` and `sets.iterate`. */
export interface ScanSetOptions extends KeyOptions {
  /** A glob for members in their stored form: strings in JSON have their quotes. @default every member */
  match?: string;
  /** How many members the server looks at for each page. @default the cache's `scanCount` */
  scanCount?: number;
}

/** Options of `sets.differenceStore`, `sets.intersectionStore` and `sets.unionStore`. */
export interface StoreOptions extends KeyOptions {
  /** The version in the destination's key. @default `version` */
  versionDestination?: number;
  /** The version in the other keys. @default `version` */
  versionKeys?: number;
}

/** Options of `lock`. */
export interface LockOptions extends Pick<KeyOptions, "prefix"> {
  /** How long the lock is held unless it is released or extended. @default "30s" */
  ttl?: Duration;
  /** How long to wait until the lock is free; 0 tries once. @default 0 */
  waitTimeout?: Duration;
  /** How often to try while waiting. @default "100ms" */
  retryEvery?: Duration;
}

export const lockDefaults = { ttl: "30s", waitTimeout: 0, retryEvery: "100ms" } as const satisfies LockOptions;

/** Options of `for`: what a host knows of one invocation. */
export interface InvocationOptions {
  /** Keeps the host running until the promise settles, such as a Worker's `ctx.waitUntil`. @default none */
  waitUntil?: (work: Promise<unknown>) => void;
  /** Fires when the result is no longer wanted, such as a request's `signal`. @default none */
  signal?: AbortSignal;
}
