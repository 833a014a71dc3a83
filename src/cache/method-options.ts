import type { Key } from "../core/key.js";
import type { Duration } from "../core/time.js";

/** Options that every method with a key takes. */
export interface KeyOptions {
  /** The version in the key. @default the cache's `version` */
  version?: number | undefined;
  /** The prefix of the key. @default the cache's `keyPrefix` */
  prefix?: string | undefined;
}

/** Options of `get`. */
export interface GetOptions<D = undefined> extends KeyOptions {
  /** Returned on a miss. @default undefined */
  default?: D | undefined;
}

/** Options of methods that write entries. */
export interface TtlOptions extends KeyOptions {
  /** Lifetime: seconds, or a duration such as `"5m"`; `null` never expires. @default the cache's `ttl` */
  ttl?: Duration | null | undefined;
}

/** Tags of one value: 1 to 1,024 characters each, at most 128; a list, or a function of the value that returns one. */
export type ValueTags<V = unknown> = Iterable<string> | ((value: V) => Iterable<string>);

/** Tags of several values: a list for all of them, or a function of a value and its key that returns one. */
export type ManyTags<V = unknown> = Iterable<string> | ((value: V, key: string) => Iterable<string>);

/** Options of `add`. */
export interface AddOptions<V = unknown> extends TtlOptions {
  /** Tags by which `purgeTags` invalidates the entry or makes it stale. @default none */
  tags?: ValueTags<V> | undefined;
}

/** Options of `setMany`. */
export interface SetManyOptions<V = unknown> extends TtlOptions {
  /** What `purgeTags` ends or makes stale each entry by. @default none */
  tags?: ManyTags<V> | undefined;
}

/** Options of `set`. */
export interface SetOptions<V = unknown> extends AddOptions<V> {
  /** Write only when there is no entry. @default false */
  nx?: boolean | undefined;
  /** Write only when there is an entry. @default false */
  xx?: boolean | undefined;
}

/** Options that `getOrSet` and `getOrSetMany` have in common. */
export interface LoadingOptions extends TtlOptions {
  /**
   * Calls the loader even if a value is stored, and stores its result. Concurrent calls with this option share one load;
   * calls without it get the stored value meanwhile. When the loader fails, the call rejects, and the stored value stays.
   * @default false
   */
  forceRefresh?: boolean | undefined;
  /** Ends this caller's wait, with the signal's reason; one that has fired starts nothing. The loader's signal fires when its last caller has left. @default none */
  signal?: AbortSignal | undefined;
  /** When the loader takes longer, a stale value is returned if there is one, and the load continues. @default none */
  softTimeout?: Duration | undefined;
  /** When the loader takes longer, the call rejects with a `LoaderTimeoutError`; `null` for no limit. @default the client's */
  hardTimeout?: Duration | null | undefined;
}

/** Options of `getOrSet`. */
export interface GetOrSetOptions<V = unknown> extends LoadingOptions {
  /** Tags by which `purgeTags` invalidates the entry or makes it stale, if its value is loaded. The loader may add more. @default none */
  tags?: ValueTags<V> | undefined;
}

/** Options of `getOrSetMany`. */
export interface GetOrSetManyOptions<V = unknown> extends LoadingOptions {
  /** What `purgeTags` ends or makes stale each entry by, where its value is loaded. The loader may add more for all. @default none */
  tags?: ManyTags<V> | undefined;
}

/** Options of `incr` and `decr`. */
export interface IncrOptions extends TtlOptions {
  /** Start at 0 when there is no entry, with the lifetime `ttl`. @default false */
  create?: boolean | undefined;
}

/**
 * An object with values by name: a record, or one that an interface describes, which has no index signature. The symbols keep
 * arrays, functions, `RegExp`, `Date`, promises and the like out.
 */
export type RecordInput =
  | Readonly<Record<string, unknown>>
  | (object & {
      readonly [Symbol.iterator]?: never;
      readonly [Symbol.hasInstance]?: never;
      readonly [Symbol.match]?: never;
      readonly [Symbol.toPrimitive]?: never;
      readonly [Symbol.toStringTag]?: never;
    });

/** Entries to write: a `Map`, pairs, or a record. */
export type EntriesInput = Iterable<readonly [Key, unknown]> | RecordInput;

/** Values by key, as a loader of several keys returns them. */
export type Many<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>>;

/** Options of `keys` and `iterKeys`. */
export interface ScanOptions extends KeyOptions {
  /** How many keys the server looks at for each batch. @default the cache's `scanCount` */
  scanCount?: number | undefined;
}

/** Options of `deletePattern` and `clear`. */
export interface DeletePatternOptions extends ScanOptions {
  /** Called after each batch with the number of entries deleted so far. @default none */
  onProgress?: ((deleted: number) => void) | undefined;
}

/** Options of `sets.scan` and `sets.iterate`. */
export interface ScanSetOptions extends KeyOptions {
  /** A glob for members in their stored form: strings in JSON have their quotes. @default every member */
  match?: string | undefined;
  /** How many members the server looks at for each page. @default the cache's `scanCount` */
  scanCount?: number | undefined;
}

/** Options of `sets.differenceStore`, `sets.intersectionStore` and `sets.unionStore`. */
export interface StoreOptions extends KeyOptions {
  /** The version in the destination's key. @default `version` */
  versionDestination?: number | undefined;
  /** The version in the other keys. @default `version` */
  versionKeys?: number | undefined;
}

/** Options of `purgeTags`. */
export interface PurgeTagsOptions {
  /** Make entries with a tag stale instead of absent: they are returned while one caller loads new values. @default false */
  soft?: boolean | undefined;
  /** Purge entries with any of the tags, or only those with all of them, up to 16 tags. @default "any" */
  match?: "any" | "all" | undefined;
  /** Purge only responses of the HTTP cache, or only values of this cache. @default both */
  only?: "http" | "data" | undefined;
}

/** Options of `lock`. */
export interface LockOptions extends Pick<KeyOptions, "prefix"> {
  /** How long the lock is held unless it is released, extended or renewed. @default "30s" */
  ttl?: Duration | undefined;
  /** How long to wait until the lock is free; 0 tries once. @default 0 */
  waitTimeout?: Duration | undefined;
  /** How often to try while waiting. @default "100ms" */
  retryEvery?: Duration | undefined;
  /** Ends the wait, with the signal's reason. @default none */
  signal?: AbortSignal | undefined;
  /** Renew the lock three times in each `ttl` for as long as it is held; `ttl` is then `"100ms"` or more. @default false */
  renew?: boolean | undefined;
}

export const lockDefaults = {
  ttl: "30s",
  waitTimeout: 0,
  retryEvery: "100ms",
  renew: false,
} as const satisfies LockOptions;

/** Options of `for`: what a host knows of one invocation. */
export interface InvocationOptions {
  /** Keeps the host running until the promise settles, such as a Worker's `ctx.waitUntil`. @default none */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /** Fires when the result is no longer wanted, such as a request's `signal`: it ends `getOrSet`, `getOrSetMany`, `lock` and scans. @default none */
  signal?: AbortSignal | undefined;
  /**
   * Reads each key once, and again after a write through this view: `get`, `getMany`, `getOrSet` and `getOrSetMany` share one
   * value, which no caller should change. Changes by other clients are not seen, so close the view with its request. @default false
   */
  memo?: boolean | undefined;
}

/** The options of each method, which its last argument has. */
export interface MethodOptions {
  get: GetOptions<unknown>;
  set: SetOptions;
  add: AddOptions;
  getOrSet: GetOrSetOptions;
  getOrSetMany: GetOrSetManyOptions;
  getMany: KeyOptions;
  mget: KeyOptions;
  setMany: SetManyOptions;
  mset: TtlOptions;
  delete: KeyOptions;
  deleteMany: KeyOptions;
  has: KeyOptions;
  incr: IncrOptions;
  decr: IncrOptions;
  incrVersion: KeyOptions;
  decrVersion: KeyOptions;
  ttl: KeyOptions;
  touch: KeyOptions;
  expire: KeyOptions;
  expireAt: KeyOptions;
  expireSoft: KeyOptions;
  expireSoftMany: KeyOptions;
  persist: KeyOptions;
  keys: ScanOptions;
  iterKeys: ScanOptions;
  deletePattern: DeletePatternOptions;
  clear: Omit<DeletePatternOptions, "version">;
  purgeTags: PurgeTagsOptions;
  lock: LockOptions;
  for: InvocationOptions;
  makeKey: KeyOptions;
  makePattern: KeyOptions;
  "sets.add": KeyOptions;
  "sets.delete": KeyOptions;
  "sets.size": KeyOptions;
  "sets.has": KeyOptions;
  "sets.hasMany": KeyOptions;
  "sets.members": KeyOptions;
  "sets.difference": KeyOptions;
  "sets.intersection": KeyOptions;
  "sets.union": KeyOptions;
  "sets.differenceStore": StoreOptions;
  "sets.intersectionStore": StoreOptions;
  "sets.unionStore": StoreOptions;
  "sets.move": KeyOptions;
  "sets.pop": KeyOptions;
  "sets.random": KeyOptions;
  "sets.scan": ScanSetOptions;
  "sets.iterate": ScanSetOptions;
  "hashes.set": KeyOptions;
  "hashes.get": KeyOptions;
  "hashes.getAll": KeyOptions;
  "hashes.delete": KeyOptions;
  "hashes.size": KeyOptions;
  "hashes.fields": KeyOptions;
  "hashes.has": KeyOptions;
}
