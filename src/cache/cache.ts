import type { Loader } from "../client/client.js";
import type { Lock } from "../client/lock.js";
import type { Connection, Invocation } from "../core/connection.js";
import type { EventName, Listener } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import type { Key, StoredKey } from "../core/key.js";
import type { Duration } from "../core/time.js";
import type { LogPlace } from "../tags/purge-log.js";
import type { CacheHashes } from "./hashes.js";
import type { Health } from "./health.js";
import type { LoadMany, LoadRecord } from "./many-entries.js";
import type {
  AddOptions,
  DeletePatternOptions,
  EntriesInput,
  GetOptions,
  GetOrSetManyOptions,
  GetOrSetOptions,
  IncrOptions,
  InvocationOptions,
  KeyOptions,
  LockOptions,
  PurgeTagsOptions,
  RecordInput,
  ScanOptions,
  SetManyOptions,
  SetOptions,
  TtlOptions,
} from "./method-options.js";
import type { CacheParts } from "./parts.js";
import type { CacheSets } from "./sets.js";
import type { ValueCodec } from "./value-codec.js";

/**
 * A cache kept in Valkey. Keys are strings, or stored keys as `makeKey` returns them.
 *
 * Durations are seconds, with fractions to the millisecond, or strings such as `"250ms"` and `"5m"`. Wrong arguments and
 * unknown options are a `TypeError` before any I/O, with which methods that return a promise reject. Every method rejects with
 * `ConnectionError` when the server can't be reached, and with `ReplyError` when the server refuses a command. With
 * `ignoreErrors`, store errors go to `onError` instead.
 */
export interface Cache extends AsyncDisposable {
  /** The raw connection, for commands that have no method. Use `makeKey` for its keys, and `codec` for its values. */
  readonly connection: Connection;
  /** @internal The connection that all views of a cache share; `connection` is this view's own handle to it. */
  readonly shared: Connection;
  /** @internal */
  readonly invocation: Invocation;
  /** @internal One hub for a cache and all its views. */
  readonly events: Events;
  /** @internal One for a cache and all its views: where tags/ finds its purge log. */
  readonly purges: LogPlace;
  /** @internal Calls `onError`, or warns. Never throws. */
  readonly report: (error: unknown, method: string, key: string) => void;
  /** @internal What functions that take a cache work with. */
  readonly parts: CacheParts;
  /** @internal Has `close` of a view wait for work that uses its connection. */
  track(work: Promise<unknown>): void;
  /** Sets of values, such as `cache.sets.add("online", ["ann"])`. */
  readonly sets: CacheSets;
  /** Hashes, which map fields to values, such as `cache.hashes.get("user:1", "name")`. */
  readonly hashes: CacheHashes;
  /** Encodes and decodes values as this cache stores them. */
  readonly codec: ValueCodec;
  /**
   * The value of an entry.
   * @returns the value; on a miss `options.default`
   * @throws {DecodeError} when the stored bytes can't be decoded
   */
  get<T = unknown, D = T>(
    key: Key,
    options: GetOptions<D> & {
      default: D;
    },
  ): Promise<T | D>;
  /** The value of an entry. @returns the value; on a miss `options.default`, which may be `null` @throws {DecodeError} */
  get<T>(
    key: Key,
    options: GetOptions<T | null> & {
      default: T | null;
    },
  ): Promise<T | null>;
  /** The value of an entry. @returns the value; on a miss `undefined`, or `options.default` @throws {DecodeError} */
  get<T = unknown>(key: Key, options?: GetOptions<NoInfer<T>>): Promise<T | undefined>;
  /**
   * Writes an entry. A `ttl` of 0 or less deletes it instead.
   * @returns `true`, or `false` when `nx` or `xx` was not met
   * @throws {EncodeError} before any I/O, when the value can't be stored
   * @example
   * await cache.set("user:1", { name: "Ann" }, { ttl: "5m" });
   */
  set<V>(key: Key, value: V, options?: SetOptions<NoInfer<V>>): Promise<boolean>;
  /** Writes an entry when there is none. @returns whether it was written @throws {EncodeError} before any I/O */
  add<V>(key: Key, value: V, options?: AddOptions<NoInfer<V>>): Promise<boolean>;
  /**
   * The value of an entry, or else the loader's result, which is stored unless it is `undefined`. Concurrent callers of one
   * key share one load. When the store fails, the loader's result is returned.
   *
   * Every answer is what the serializer restores, the first one too: under `json()` a `Date` that the loader returns is
   * answered as a string, though `T` is the loader's type. Use `structuredClone()` or `msgpack()` for values that JSON
   * doesn't have. A value that is not stored, and could not be, is answered as it is.
   *
   * A loader that reads `stale` needs its type: `getOrSet<User>(…)`, or `LoaderContext<User>`. TypeScript can't infer it, as it
   * fixes the types of a function's parameters before it looks at what the function returns.
   * @throws what the loader throws, but no store error
   * @example
   * const user = await cache.getOrSet("user:1", () => db.users.find(1), { ttl: "5m" });
   */
  getOrSet<T, Stale = T>(key: Key, loader: Loader<T, Stale>, options?: GetOrSetOptions<NoInfer<T>>): Promise<T>;
  /**
   * As `getOrSet` for several keys, with one round trip to read them, and one call of the loader for the missing ones.
   * @param loader is called with the missing keys, and returns a `Map` or an object; keys that it leaves out have no value
   * @throws what the loader throws, but no store error
   * @example
   * const users = await cache.getOrSetMany(["1", "2"], (ids) => db.users.findMany(ids)); // Map
   */
  getOrSetMany<T = unknown>(
    keys: Iterable<Key>,
    loader: LoadMany<T>,
    options?: GetOrSetManyOptions<NoInfer<T>>,
  ): Promise<Map<string, T>>;
  /** As above, for a loader whose result an interface describes. @returns values of any type that its properties have */
  getOrSetMany<R extends RecordInput>(
    keys: Iterable<Key>,
    loader: LoadRecord<R>,
    options?: GetOrSetManyOptions,
  ): Promise<Map<string, Exclude<R[keyof R], undefined>>>;
  /** The values of several entries, by key, without the missing ones. One round trip. @throws {DecodeError} */
  getMany<T = unknown>(keys: Iterable<Key>, options?: KeyOptions): Promise<Map<string, T>>;
  /** As `getMany`, all read at one moment (`MGET`). In a cluster the keys need a common hash tag. @throws {DecodeError} */
  mget<T = unknown>(keys: Iterable<Key>, options?: KeyOptions): Promise<Map<string, T>>;
  /**
   * Writes several entries in one round trip.
   * @returns the keys that could not be written
   * @throws {EncodeError} before any I/O
   * @example
   * const failed = await cache.setMany({ a: 1, b: 2 }, { ttl: 60 });
   */
  setMany<V>(entries: EntriesInput, options?: SetManyOptions<V>): Promise<string[]>;
  /** Writes all of several entries or none. In a cluster the keys need a common hash tag. @throws {EncodeError} before any I/O */
  mset(entries: EntriesInput, options?: TtlOptions): Promise<void>;
  /** Deletes an entry. @returns whether there was one */
  delete(key: Key, options?: KeyOptions): Promise<boolean>;
  /** Deletes several entries in one round trip. @returns how many there were */
  deleteMany(keys: Iterable<Key>, options?: KeyOptions): Promise<number>;
  /** Whether there is an entry. */
  has(key: Key, options?: KeyOptions): Promise<boolean>;
  /**
   * Adds to an integer and keeps its lifetime.
   * @returns the new value, a `bigint` beyond ±2^53
   * @throws {KeyNotFoundError} when there is no entry and `create` is not set
   * @throws {NotAnIntegerError} when another value is stored, which is left as it is
   * @example
   * await cache.incr("visits", 1, { create: true, ttl: "1d" });
   */
  incr(key: Key, delta?: number | bigint, options?: IncrOptions): Promise<number | bigint>;
  /** As `incr`, but subtracts. */
  decr(key: Key, delta?: number | bigint, options?: IncrOptions): Promise<number | bigint>;
  /** Moves an entry, with its remaining lifetime, to a version higher by `delta`. @returns that version @throws {KeyNotFoundError} */
  incrVersion(key: string, delta?: number, options?: KeyOptions): Promise<number>;
  /** As `incrVersion`, to a lower version. @throws {KeyNotFoundError} */
  decrVersion(key: string, delta?: number, options?: KeyOptions): Promise<number>;
  /**
   * The remaining lifetime of an entry (`PTTL`).
   * @returns seconds, with fractions to the millisecond; `null` when it never expires; `undefined` when there is no entry
   */
  ttl(key: Key, options?: KeyOptions): Promise<number | null | undefined>;
  /**
   * Gives an entry a new lifetime, the cache's by default. `null` never expires, and 0 or less deletes it.
   * @returns whether there was an entry
   */
  touch(key: Key, ttl?: Duration | null, options?: KeyOptions): Promise<boolean>;
  /**
   * Gives an entry, a set or a hash a new lifetime: seconds, or a duration such as `"5m"`. 0 or less deletes it.
   * @returns whether there was an entry
   * @example
   * await cache.expire("session", 1.5); // in 1,500 ms
   */
  expire(key: Key, ttl: Duration, options?: KeyOptions): Promise<boolean>;
  /**
   * Makes an entry expire at a moment: a `Date`, or seconds since the epoch with fractions to the millisecond.
   * @returns whether there was an entry
   * @example
   * await cache.expireAt("offer", new Date("2030-01-01"));
   */
  expireAt(key: Key, at: Date | number, options?: KeyOptions): Promise<boolean>;
  /**
   * Makes an entry stale for every process, as a soft purge does: `get` finds it no more, while `getOrSet` answers it until a
   * new value is loaded, by one caller. It stays for the grace of `herd()`; under the default client for what is left of its
   * lifetime. The result of a load that is under way is not stored.
   * @returns whether there was an entry
   * @example
   * await cache.expireSoft("user:1"); // the next getOrSet("user:1", …) answers the old value and loads a new one
   */
  expireSoft(key: Key, options?: KeyOptions): Promise<boolean>;
  /** As `expireSoft` for several entries, in one round trip for each batch. @returns how many there were */
  expireSoftMany(keys: Iterable<Key>, options?: KeyOptions): Promise<number>;
  /** Makes an entry never expire (`PERSIST`). @returns whether it had a lifetime */
  persist(key: Key, options?: KeyOptions): Promise<boolean>;
  /** The keys that match a glob, each once. Reads every key of the database (`SCAN`). */
  keys(pattern?: string, options?: ScanOptions): Promise<string[]>;
  /**
   * The keys that match a glob, batch by batch. A key may come twice, and the loop may be left early.
   * @example
   * for await (const key of cache.iterKeys("user:*")) console.log(key);
   */
  iterKeys(pattern?: string, options?: ScanOptions): AsyncIterable<string>;
  /**
   * Deletes every entry whose key matches a glob, in batches. Escape what comes from outside: an id `*` would match all.
   * @returns how many
   * @throws TypeError on an empty pattern
   * @example
   * await cache.deletePattern(`user:${escapePattern(id)}:*`);
   */
  deletePattern(pattern: string, options?: DeletePatternOptions): Promise<number>;
  /** Deletes every entry with this cache's prefix, or of this namespace, in every version, but no locks. The purge log goes last, uncounted. @returns how many */
  clear(options?: Omit<DeletePatternOptions, "version">): Promise<number>;
  /**
   * Ends everything that has one of these tags, or all of them with `match: "all"`: entries, and responses of the HTTP cache under this cache's prefix and version.
   * It costs one write, however many there are. What is being loaded for such a key is stored, and counts as ended.
   * @throws TypeError when a tag is not a text of 1 to 1,024 characters
   * @example
   * await cache.purgeTags(["user:7"]);
   */
  purgeTags(tags: readonly string[], options?: PurgeTagsOptions): Promise<void>;
  /** Deletes everything in the database, also what other programs stored (`FLUSHDB`). */
  flush(): Promise<void>;
  /**
   * Takes a lock that holds for the whole fleet. Its name doesn't collide with the key of an entry.
   * @returns the lock; `undefined` when it is not free within `waitTimeout`
   * @example
   * await using lock = await cache.lock("nightly", { ttl: "1m", waitTimeout: "2s", renew: true });
   * if (lock) await runNightlyJob(lock.signal);
   */
  lock(name: string, options?: LockOptions): Promise<Lock | undefined>;
  /**
   * A view of this cache for one invocation, such as a request or a function call. Creating it does no I/O. Close it when
   * the invocation ends. Where the host's sockets belong to one request, the view has a connection of its own.
   * @example
   * await using cache = whole.for({ waitUntil: (work) => ctx.waitUntil(work), signal: request.signal });
   */
  for(invocation?: InvocationOptions): Cache;
  /**
   * A view of this cache whose keys are in a namespace: all methods work as they do here, on entries that nothing outside of it
   * has. It shares connection, near cache and loads with this cache, takes microseconds to make, and need not be closed. This
   * cache has its entries, too: `user:1` in the namespace `tenant-42` has the key `ns(tenant-42):user:1` here.
   * @param name any text; namespaces within namespaces have up to 1,024 characters together
   * @throws TypeError on a wrong name
   * @example
   * const tenant = cache.namespace("tenant-42");
   * await tenant.set("user:1", { name: "Ann" });
   * await tenant.purge(); // ends its values, and those of namespaces within it, by one write
   * await tenant.clear(); // deletes its entries, and those of namespaces within it, to free their memory
   */
  namespace(name: string): Namespace;
  /** Calls `listener` on every event of that name. @returns a function that ends this @throws TypeError on an unknown event */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void;
  /** The state of the connection, with one PING. Resolves also when the store fails. @throws {ConnectionError} after `close` */
  health(): Promise<Health>;
  /**
   * The key as stored, with prefix and version. Methods take it in place of a key; `String(storedKey)` is its text.
   * @example
   * String(cache.makeKey("user:1")); // "prefix:1:user:1"
   */
  makeKey(key: Key, options?: KeyOptions): StoredKey;
  /** A glob of stored keys: wildcards work in `pattern`, and the prefix stands for itself. */
  makePattern(pattern: string, options?: KeyOptions): string;
  /**
   * Waits for work in the background, then closes the connection. Idempotent. Later calls reject with `ConnectionError`.
   * A namespace has no connection of its own: it ends with its cache, and need not be closed.
   */
  close(): Promise<void>;
}
/** A view of a cache whose keys are in a namespace, which `namespace` returns. */
export interface Namespace extends Cache {
  /** A view of this namespace for one invocation: `for` of a cache, with `purge`. */
  for(invocation?: InvocationOptions): Namespace;
  /**
   * Ends every value of this namespace, and of those within it, by one write, however many there are; with `soft` they are
   * stale instead. Sets, hashes, locks and numbers that `incr` has created stay.
   * @example
   * await cache.namespace("tenant-42").purge({ soft: true });
   */
  purge(options?: Pick<PurgeTagsOptions, "soft">): Promise<void>;
}
