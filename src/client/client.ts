import type { Codec } from "../codec/codec.js";
import type { Connection, Invocation, OrderedConnection } from "../core/connection.js";
import type { CacheCall, Events } from "../core/events.js";
import type { Clock, Duration } from "../core/time.js";
import type { LogPlace } from "../tags/purge-log.js";
import type { Tags } from "../tags/tags.js";
import type { Sharing } from "./single-flight.js";

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
  /** Adds tags, or lists of them, to those of the call. A loader of several keys adds them to all of its values. @throws TypeError on wrong tags */
  tags(...tags: readonly (string | readonly string[])[]): void;
}

/**
 * Computes a value on a miss. `undefined` is returned and never stored. `Stale` is a type of its own, as TypeScript would
 * otherwise not infer `T` from what a loader returns whose context has no type.
 */
export type Loader<T, Stale = T> = (context: LoaderContext<Stale>) => T | Promise<T>;

/** Computes the values of missing keys. It is called with stored keys. A key without a value in the result counts as missing. */
export type ManyLoader = (keys: readonly string[], context: LoaderContext) => Promise<ReadonlyMap<string, unknown>>;

/** What a cache passes to its client. */
export interface ClientContext {
  readonly connection: OrderedConnection;
  /** @internal The same without the order of calls: for reads of the purge log that a write waits for. */
  readonly unordered: Connection;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly invocation: Invocation;
  readonly events: Events;
  /** What concurrent callers of one key share. */
  readonly sharing: Sharing;
  /** @internal The purge log; `purgeLogOf` of tags/purge-log.ts makes it, in code that is loaded with the first tag. */
  readonly purges: LogPlace;
  /** @internal The tags of entries. */
  readonly tags: Tags;
  /** Calls the cache's `onError` with an error that no caller gets. Never throws. */
  report(error: unknown, method: string, key: string): void;
  /** Throws `error`, unless it is a store error and the cache ignores those. Then `onError` is called with it. */
  forgive(error: unknown, method: string, key: string): void;
}

/** Creates the client of one cache, or of its view for one invocation. */
export type ClientFactory = (context: ClientContext) => Client;

/** The tags of a value under a key, in order. @throws TypeError on wrong tags */
export type TagsOf = (value: unknown, key: string) => readonly string[];

/** How a client writes one value. */
export interface WriteOptions {
  /** In milliseconds, above 0; `null` never expires. */
  readonly ttlMs: number | null;
  /** In order, and each once. */
  readonly tags?: readonly string[] | undefined;
  /** `nx`: only when there is no entry; `xx`: only when there is one. */
  readonly condition?: "nx" | "xx" | undefined;
  /** The record of this call for its events; absent without listeners. */
  readonly call?: CacheCall | undefined;
}

/** How a client writes several values. */
export interface WriteEntriesOptions {
  /** In milliseconds, above 0; `null` never expires. */
  readonly ttlMs: number | null;
  /** The tags of the values that have some, by key. */
  readonly tags?: ReadonlyMap<string, readonly string[]> | undefined;
  /** The record of this call for its events; absent without listeners. */
  readonly call?: CacheCall | undefined;
}

/** How a client reads a value that may have to be loaded. */
export interface LoadOptions {
  /** In milliseconds; `null` never expires; 0 or less stores nothing. */
  readonly ttlMs: number | null;
  /** Computes the tags of a value that was loaded. */
  readonly tags?: TagsOf | undefined;
  /** Ends this caller's wait, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Loads although a value is stored, and takes the result of no load but other forced ones. @default false */
  readonly forceRefresh?: boolean | undefined;
  /** In milliseconds: when the loader takes longer, a stale value is returned where there is one. */
  readonly softTimeoutMs?: number | undefined;
  /** In milliseconds: when the loader takes longer, the call rejects with `LoaderTimeoutError`; `Infinity` for no limit. */
  readonly hardTimeoutMs?: number | undefined;
  /** The record of this call for its events; absent without listeners. A client records hits, misses and stale values in it. */
  readonly call?: CacheCall | undefined;
}

/** How a client deletes the keys that match a pattern. */
export interface DeleteOptions {
  /** How many keys the server looks at for each batch. */
  readonly count: number;
  /** Of the keys that match the pattern, those to delete. */
  readonly owns: (key: string) => boolean;
  /** Called after each batch with the number of keys deleted so far. */
  readonly onProgress: ((deleted: number) => void) | undefined;
  /** Ends the work between two batches, with the signal's reason. */
  readonly signal: AbortSignal | undefined;
  /** Keys to delete when all others are deleted, which are not counted. The list grows while `owns` is called. */
  readonly last: readonly string[];
}

/**
 * Turns cache methods into Valkey commands. Keys are stored keys, and times are milliseconds. A returned value is not shared
 * with other callers. Every method rejects with `ConnectionError` when the server can't be reached, and with `ReplyError`
 * when it refuses a command.
 */
export interface Client {
  /** The value, or `undefined` when there is none. @param call may record the size of what was found @throws {DecodeError} */
  get(key: string, call?: CacheCall): Promise<unknown>;
  /** The values in the order of the keys, `undefined` where there is none. One round trip. @throws {DecodeError} */
  getMany(keys: readonly string[], call?: CacheCall): Promise<unknown[]>;
  /** As `getMany`, all read at one moment. */
  mget(keys: readonly string[], call?: CacheCall): Promise<unknown[]>;
  /** Writes a value. @returns whether the condition was met; `true` without one @throws {EncodeError} before any I/O */
  set(key: string, value: unknown, options: WriteOptions): Promise<boolean>;
  /** Writes several values in one round trip. @returns the keys that could not be written @throws {EncodeError} before any I/O */
  setMany(entries: ReadonlyMap<string, unknown>, options: WriteEntriesOptions): Promise<string[]>;
  /** Writes all of several values or none. @throws {EncodeError} before any I/O */
  mset(entries: ReadonlyMap<string, unknown>, options: WriteEntriesOptions): Promise<void>;
  /** The value, or else the loader's result. Rejects only when the loader does. */
  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown>;
  /** As `getOrSet` for several keys: one round trip to read them, one load for the missing ones. */
  getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>>;
  /** Deletes entries. @returns how many there were */
  delete(keys: readonly string[]): Promise<number>;
  /** Whether there is an entry. */
  has(key: string): Promise<boolean>;
  /** Adds to a 64-bit integer and keeps its lifetime; `undefined` when there is no entry and `create` is absent. @throws {NotAnIntegerError} */
  incr(
    key: string,
    delta: bigint,
    create: { readonly ttlMs: number | null } | undefined,
  ): Promise<number | bigint | undefined>;
  /** Moves an entry with its remaining lifetime, over what was there; `false` when there is none. */
  rename(from: string, to: string): Promise<boolean>;
  /** Milliseconds left; `null` when it never expires; `undefined` when there is no entry. */
  pttl(key: string): Promise<number | null | undefined>;
  /** Sets a lifetime: 0 or less deletes the entry, `null` never expires. @returns whether there was an entry */
  touch(key: string, ttlMs: number | null): Promise<boolean>;
  /** Makes entries stale, whatever clocks their readers have, and ends loads under way. @returns how many were fresh */
  expireSoft(keys: readonly string[]): Promise<number>;
  /** Makes an entry expire at a moment. @param atMs milliseconds since the epoch @returns whether there was an entry */
  expireAt(key: string, atMs: number): Promise<boolean>;
  /** Makes an entry never expire. @returns whether it had a lifetime */
  persist(key: string): Promise<boolean>;
  /** Keys that match a glob, in batches; a key may come twice. */
  scan(pattern: string, count: number): AsyncIterable<string[]>;
  /** Deletes the entries whose keys match a glob. @returns how many */
  deletePattern(pattern: string, options: DeleteOptions): Promise<number>;
  /** Empties the whole database. */
  flush(): Promise<void>;
  /** Waits for work in the background. The cache closes the connection itself. */
  close(): Promise<void>;
}
