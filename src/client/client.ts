import type { Codec } from "../codec/codec.js";
import type { Connection, Invocation } from "../core/connection.js";
import type { Events } from "../core/events.js";
import type { Clock } from "../core/time.js";
import type { Loader, ManyLoader } from "./loader.js";
import type { Sharing } from "./single-flight.js";

/** What a client works with. */
export interface ClientContext {
  readonly connection: Connection;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly invocation: Invocation;
  readonly events: Events;
  /** What callers of one key share. */
  readonly sharing: Sharing;
  /** Calls the cache's `onError` with a failure that no caller sees. Never throws. */
  report(error: unknown, method: string, key: string): void;
  /** Throws `error`, unless failures of the store are ignored: then `onError` is told, and the work goes on without. */
  forgive(error: unknown, method: string, key: string): void;
}

/** Makes the client of one cache. */
export type ClientFactory = (context: ClientContext) => Client;

export interface WriteOptions {
  /** In milliseconds, above 0; `null` never expires. */
  readonly ttlMs: number | null;
  /** `nx`: only when there is no entry; `xx`: only when there is one. */
  readonly condition?: "nx" | "xx" | undefined;
}

export interface LoadOptions {
  /** In milliseconds; `null` never expires; 0 or less stores nothing. */
  readonly ttlMs: number | null;
  /** Fires when the caller wants no answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds: a stale value, where there is one, answers when the loader takes longer. */
  readonly softTimeoutMs?: number | undefined;
  /** In milliseconds: the loader is given up when it takes longer; `Infinity` never. */
  readonly hardTimeoutMs?: number | undefined;
}

export interface DeleteOptions {
  /** How many keys the server looks at for each batch. */
  readonly count: number;
  /** Of the keys that match the pattern, those to delete. */
  readonly owns: (key: string) => boolean;
  /** Told after each batch how many keys are deleted so far. */
  readonly onProgress: ((deleted: number) => void) | undefined;
}

/**
 * Turns cache methods into Valkey commands. Keys are made keys; times are milliseconds; values are the user's own, and
 * what is returned belongs to the caller alone. Every method rejects with `ConnectionError` when the server can't be
 * reached, and with `ReplyError` when it refuses.
 */
export interface Client {
  /** The value, or `undefined` when there is none. @throws {DecodeError} */
  get(key: string): Promise<unknown>;
  /** The values in the order of the keys, `undefined` where there is none. One flight. @throws {DecodeError} */
  getMany(keys: readonly string[]): Promise<unknown[]>;
  /** As `getMany`, all read at one moment. */
  mget(keys: readonly string[]): Promise<unknown[]>;
  /** Whether the condition was met, `true` without one. @throws {EncodeError} before any I/O */
  set(key: string, value: unknown, options: WriteOptions): Promise<boolean>;
  /** The keys that could not be written. One flight. @throws {EncodeError} before any I/O */
  setMany(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<string[]>;
  /** All or nothing. @throws {EncodeError} before any I/O */
  mset(entries: ReadonlyMap<string, unknown>, ttlMs: number | null): Promise<void>;
  /** The value, or what `loader` gives; only a failing loader rejects. */
  getOrSet(key: string, loader: Loader<unknown>, options: LoadOptions): Promise<unknown>;
  /** As `getOrSet` for several keys: one flight to read them, one load for those that are missing. */
  getOrSetMany(keys: readonly string[], loader: ManyLoader, options: LoadOptions): Promise<Map<string, unknown>>;
  /** How many there were. */
  delete(keys: readonly string[]): Promise<number>;
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
  /** Whether there is an entry; a lifetime of 0 or less ends it; `null` makes it stay. */
  touch(key: string, ttlMs: number | null): Promise<boolean>;
  /** Whether there is an entry. @param atMs milliseconds since the epoch */
  expireAt(key: string, atMs: number): Promise<boolean>;
  /** Whether there was a lifetime to take away. */
  persist(key: string): Promise<boolean>;
  /** Keys that match a glob, in batches; a key may come twice. */
  scan(pattern: string, count: number): AsyncIterable<string[]>;
  /** How many entries were deleted. */
  deletePattern(pattern: string, options: DeleteOptions): Promise<number>;
  /** Empties the whole database. */
  flush(): Promise<void>;
  /** Waits for work that goes on in the background. The connection is not the client's to close. */
  close(): Promise<void>;
}
