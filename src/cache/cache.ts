import type { Client, Loader } from "../client/client.js";
import { acquire, type Lock } from "../client/lock.js";
import { Memo } from "../client/memo.js";
import { Sharing } from "../client/single-flight.js";
import { handleOf } from "../connection/registry.js";
import { type Connection, type Invocation, type OrderedConnection, PROCESS } from "../core/connection.js";
import { ConnectionError, KeyNotFoundError, show } from "../core/errors.js";
import type { Channels, EventName, Listener } from "../core/event-types.js";
import type { CacheCall, Events } from "../core/events.js";
import { type Key, StoredKey } from "../core/key.js";
import { type Duration, systemClock, toMs } from "../core/time.js";
import type { LogPlace } from "../tags/purge-log.js";
import {
  checked,
  checkNoOptions,
  checkValue,
  NO_OPTIONS,
  notALoader,
  toAcquireOptions,
  toInt64,
  toLoadOptions,
  toMoment,
  toSignal,
  toStep,
  toTagsOf,
  toTtlMs,
} from "./arguments.js";
import { CacheHashes } from "./hashes.js";
import { type Health, health } from "./health.js";
import { KeyBuilder, toNamespace } from "./key-builder.js";
import { type LoadMany, type LoadRecord, ManyEntries } from "./many-entries.js";
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
import type { CacheOptions, LocatedCacheOptions } from "./options.js";
import { CacheSets } from "./sets.js";
import { type ChooseFactory, type Settings, toSettings } from "./settings.js";
import { type CacheParts, StoreCalls } from "./store-calls.js";
import { ValueCodec } from "./value-codec.js";

/**
 * A cache kept in Valkey. Keys are strings, or stored keys as `makeKey` returns them.
 *
 * Durations are seconds, with fractions to the millisecond, or strings such as `"250ms"` and `"5m"`. Wrong arguments and
 * unknown options are a `TypeError` before any I/O, with which methods that return a promise reject. Every method rejects with
 * `ConnectionError` when the server can't be reached, and with `ReplyError` when the server refuses a command. With
 * `ignoreErrors`, store errors go to `onError` instead.
 */
export class Cache implements AsyncDisposable {
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
  readonly report: StoreCalls["report"];
  readonly #ordered: OrderedConnection;
  readonly #settings: Settings;
  readonly #sharing: Sharing;
  readonly #client: Client;
  readonly #keys: KeyBuilder;
  readonly #calls: StoreCalls;
  #many: ManyEntries | undefined;
  #sets: CacheSets | undefined;
  #hashes: CacheHashes | undefined;
  #codec: ValueCodec | undefined;
  #closing: Promise<void> | undefined;

  /** The cache that this one is a namespace of. It has the connection and the client, and is what can be closed. */
  readonly #parent: Cache | undefined;

  /**
   * @internal Use `createCache`.
   * @param whole the cache of the process, for a view of it that shares its connection
   * @param of the cache that this one is a namespace of, or what a view remembers
   */
  constructor(settings: Settings, invocation: Invocation, whole?: Cache, of?: Cache | Memo) {
    const memo = of instanceof Memo ? of : undefined;
    const parent = of instanceof Memo ? undefined : of;
    this.#parent = parent;
    this.invocation = invocation;
    this.#settings = settings;
    this.events = settings.events;
    this.purges = settings.purges;
    this.#keys = new KeyBuilder(settings);
    this.#calls = new StoreCalls(settings, this.#keys, invocation, parent ? parent.#calls : undefined);
    this.shared = whole?.shared ?? settings.connect(invocation);
    this.#ordered = parent
      ? parent.#ordered
      : handleOf(memo?.batches(this.shared, settings.purges) ?? this.shared, async () =>
          whole ? undefined : this.shared.close(),
        );
    this.connection = this.#ordered;
    this.#sharing = whole === undefined ? new Sharing() : whole.#sharing;
    this.report = (error, method, key) => this.#calls.report(error, method, key);
    const client = memo ? memo.client(settings.client) : settings.client;
    this.#client = parent
      ? parent.#client
      : client({
          connection: this.#ordered,
          unordered: this.shared,
          codec: settings.codec,
          clock: systemClock,
          invocation,
          events: this.events,
          sharing: this.#sharing,
          purges: settings.purges,
          tags: settings.tags,
          report: this.report,
          forgive: (error, method, key) => this.#calls.forgive(error, method, key),
        });
  }

  /** Sets of values, such as `cache.sets.add("online", ["ann"])`. */
  get sets(): CacheSets {
    this.#sets ??= new CacheSets(this.#parts());
    return this.#sets;
  }

  /** Hashes, which map fields to values, such as `cache.hashes.get("user:1", "name")`. */
  get hashes(): CacheHashes {
    this.#hashes ??= new CacheHashes(this.#parts());
    return this.#hashes;
  }

  /** Encodes and decodes values as this cache stores them. */
  get codec(): ValueCodec {
    this.#codec ??= new ValueCodec(this.#settings.codec);
    return this.#codec;
  }

  /**
   * The value of an entry.
   * @returns the value; on a miss `options.default`
   * @throws {DecodeError} when the stored bytes can't be decoded
   */
  get<T = unknown, D = T>(key: Key, options: GetOptions<D> & { default: D }): Promise<T | D>;
  /** The value of an entry. @returns the value; on a miss `options.default`, which may be `null` @throws {DecodeError} */
  get<T>(key: Key, options: GetOptions<T | null> & { default: T | null }): Promise<T | null>;
  /** The value of an entry. @returns the value; on a miss `undefined`, or `options.default` @throws {DecodeError} */
  get<T = unknown>(key: Key, options?: GetOptions<NoInfer<T>>): Promise<T | undefined>;
  get(key: Key, options: GetOptions<unknown> = NO_OPTIONS): Promise<unknown> {
    try {
      const stored = this.#keys.stored(key, checked("get", options));
      const found = this.#calls.guard("get", stored, undefined, (call) => this.#client.get(stored, call));
      const { default: otherwise } = options;
      return otherwise === undefined ? found : found.then((value) => (value === undefined ? otherwise : value));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Writes an entry. A `ttl` of 0 or less deletes it instead.
   * @returns `true`, or `false` when `nx` or `xx` was not met
   * @throws {EncodeError} before any I/O, when the value can't be stored
   * @example
   * await cache.set("user:1", { name: "Ann" }, { ttl: "5m" });
   */
  set<V>(key: Key, value: V, options?: SetOptions<NoInfer<V>>): Promise<boolean>;
  set(key: Key, value: unknown, options: SetOptions = NO_OPTIONS): Promise<boolean> {
    return this.#write("set", key, value, options);
  }

  /** Writes an entry when there is none. @returns whether it was written @throws {EncodeError} before any I/O */
  add<V>(key: Key, value: V, options?: AddOptions<NoInfer<V>>): Promise<boolean>;
  async add(key: Key, value: unknown, options: AddOptions = NO_OPTIONS): Promise<boolean> {
    return this.#write("add", key, value, { ...checked("add", options), nx: true });
  }

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
  getOrSet(key: Key, loader: Loader<unknown>, options: GetOrSetOptions = NO_OPTIONS): Promise<unknown> {
    try {
      const stored = this.#keys.stored(key, checked("getOrSet", options));
      if (typeof loader !== "function") throw notALoader(loader, "a value");
      const loadOptions = toLoadOptions(options, this.#settings, this.invocation.signal);
      if (this.#isClosing) throw closed();
      loadOptions.signal?.throwIfAborted();
      return this.#calls.observe("getOrSet", stored, (call) =>
        this.#client.getOrSet(stored, loader, call ? { ...loadOptions, call } : loadOptions),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

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
  async getOrSetMany(
    keys: Iterable<Key>,
    loader: LoadMany<unknown>,
    options: GetOrSetManyOptions = NO_OPTIONS,
  ): Promise<Map<string, unknown>> {
    if (this.#isClosing) throw closed();
    return this.#manyEntries().getOrSet(keys, loader, options);
  }

  /** The values of several entries, by key, without the missing ones. One round trip. @throws {DecodeError} */
  getMany<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Map<string, T>> {
    return this.#manyEntries().get("getMany", keys, options);
  }

  /** As `getMany`, all read at one moment (`MGET`). In a cluster the keys need a common hash tag. @throws {DecodeError} */
  mget<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Map<string, T>> {
    return this.#manyEntries().get("mget", keys, options);
  }

  /**
   * Writes several entries in one round trip.
   * @returns the keys that could not be written
   * @throws {EncodeError} before any I/O
   * @example
   * const failed = await cache.setMany({ a: 1, b: 2 }, { ttl: 60 });
   */
  setMany<V>(entries: EntriesInput, options?: SetManyOptions<V>): Promise<string[]>;
  setMany(entries: EntriesInput, options: SetManyOptions = NO_OPTIONS): Promise<string[]> {
    return this.#manyEntries().set(entries, options);
  }

  /** Writes all of several entries or none. In a cluster the keys need a common hash tag. @throws {EncodeError} before any I/O */
  mset(entries: EntriesInput, options: TtlOptions = NO_OPTIONS): Promise<void> {
    return this.#manyEntries().setAll(entries, options);
  }

  /** Deletes an entry. @returns whether there was one */
  delete(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey(
      "delete",
      key,
      options,
      false,
      async (stored) => (await this.#client.delete([stored])) > 0,
    );
  }

  /** Deletes several entries in one round trip. @returns how many there were */
  deleteMany(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#manyEntries().delete(keys, options);
  }

  /** Whether there is an entry. */
  has(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey("has", key, options, false, (stored) => this.#client.has(stored));
  }

  /**
   * Adds to an integer and keeps its lifetime.
   * @returns the new value, a `bigint` beyond ±2^53
   * @throws {KeyNotFoundError} when there is no entry and `create` is not set
   * @throws {NotAnIntegerError} when another value is stored, which is left as it is
   * @example
   * await cache.incr("visits", 1, { create: true, ttl: "1d" });
   */
  async incr(key: Key, delta: number | bigint = 1, options: IncrOptions = NO_OPTIONS): Promise<number | bigint> {
    return this.#add("incr", key, toInt64(delta), options);
  }

  /** As `incr`, but subtracts. */
  async decr(key: Key, delta: number | bigint = 1, options: IncrOptions = NO_OPTIONS): Promise<number | bigint> {
    return this.#add("decr", key, toInt64(-toInt64(delta)), options);
  }

  /** Moves an entry, with its remaining lifetime, to a version higher by `delta`. @returns that version @throws {KeyNotFoundError} */
  incrVersion(key: string, delta = 1, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#moveVersion("incrVersion", key, () => toStep(delta), options);
  }

  /** As `incrVersion`, to a lower version. @throws {KeyNotFoundError} */
  decrVersion(key: string, delta = 1, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return this.#moveVersion("decrVersion", key, () => -toStep(delta), options);
  }

  /**
   * The remaining lifetime of an entry (`PTTL`).
   * @returns seconds, with fractions to the millisecond; `null` when it never expires; `undefined` when there is no entry
   */
  ttl(key: Key, options: KeyOptions = NO_OPTIONS): Promise<number | null | undefined> {
    return this.#calls.onKey<number | null | undefined>("ttl", key, options, undefined, async (stored) => {
      const leftMs = await this.#client.pttl(stored);
      return typeof leftMs === "number" ? leftMs / 1_000 : leftMs;
    });
  }

  /**
   * Gives an entry a new lifetime, the cache's by default. `null` never expires, and 0 or less deletes it.
   * @returns whether there was an entry
   */
  touch(key: Key, ttl?: Duration | null, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey("touch", key, options, false, (stored, call) =>
      this.#touch(stored, toTtlMs(ttl, this.#settings.ttlMs), call),
    );
  }

  /**
   * Gives an entry, a set or a hash a new lifetime: seconds, or a duration such as `"5m"`. 0 or less deletes it.
   * @returns whether there was an entry
   * @example
   * await cache.expire("session", 1.5); // in 1,500 ms
   */
  expire(key: Key, ttl: Duration, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey("expire", key, options, false, (stored, call) =>
      this.#touch(stored, toMs(ttl, "ttl"), call),
    );
  }

  /**
   * Makes an entry expire at a moment: a `Date`, or seconds since the epoch with fractions to the millisecond.
   * @returns whether there was an entry
   * @example
   * await cache.expireAt("offer", new Date("2030-01-01"));
   */
  expireAt(key: Key, at: Date | number, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey("expireAt", key, options, false, (stored, call) => {
      const atMs = toMoment(at);
      return endsEntry(this.#client.expireAt(stored, atMs), atMs <= systemClock.now(), call);
    });
  }

  /**
   * Makes an entry stale for every process, as a soft purge does: `get` finds it no more, while `getOrSet` answers it until a
   * new value is loaded, by one caller. It stays for the grace of `herd()`; under the default client for what is left of its
   * lifetime. The result of a load that is under way is not stored.
   * @returns whether there was an entry
   * @example
   * await cache.expireSoft("user:1"); // the next getOrSet("user:1", …) answers the old value and loads a new one
   */
  expireSoft(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey(
      "expireSoft",
      key,
      options,
      false,
      async (stored) => (await this.#client.expireSoft([stored])) > 0,
    );
  }

  /** Makes an entry never expire (`PERSIST`). @returns whether it had a lifetime */
  persist(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#calls.onKey("persist", key, options, false, (stored) => this.#client.persist(stored));
  }

  /** The keys that match a glob, each once. Reads every key of the database (`SCAN`). */
  async keys(pattern = "*", options: ScanOptions = NO_OPTIONS): Promise<string[]> {
    const keys = new Set<string>();
    for await (const key of this.#scanKeys("keys", pattern, options)) keys.add(key);
    return [...keys];
  }

  /**
   * The keys that match a glob, batch by batch. A key may come twice, and the loop may be left early.
   * @example
   * for await (const key of cache.iterKeys("user:*")) console.log(key);
   */
  iterKeys(pattern = "*", options: ScanOptions = NO_OPTIONS): AsyncIterable<string> {
    return this.#scanKeys("iterKeys", pattern, options);
  }

  /**
   * Deletes every entry whose key matches a glob, in batches. Escape what comes from outside: an id `*` would match all.
   * @returns how many
   * @throws TypeError on an empty pattern
   * @example
   * await cache.deletePattern(`user:${escapePattern(id)}:*`);
   */
  async deletePattern(pattern: string, options: DeletePatternOptions = NO_OPTIONS): Promise<number> {
    const glob = this.#keys.pattern(pattern, checked("deletePattern", options));
    return this.#deleteMatching("deletePattern", glob, () => true, options);
  }

  /** Deletes every entry with this cache's prefix, or of this namespace, in every version, but no locks. @returns how many */
  async clear(options: Omit<DeletePatternOptions, "version"> = NO_OPTIONS): Promise<number> {
    const { pattern, isEntry } = this.#keys.all(checked("clear", options));
    return this.#deleteMatching("clear", pattern, isEntry, options);
  }

  /**
   * Ends everything that has one of these tags, or all of them with `match: "all"`: entries, and responses of the HTTP cache under this cache's prefix and version.
   * It costs one write, however many there are. What is being loaded for such a key is stored, and counts as ended.
   * @throws TypeError when a tag is not a text of 1 to 1,024 characters
   * @example
   * await cache.purgeTags(["user:7"]);
   */
  purgeTags(tags: readonly string[], options: PurgeTagsOptions = NO_OPTIONS): Promise<void> {
    return this.#calls.guard("purgeTags", "", undefined, async () => {
      const prepared = import("../tags/purge-tags.js").then(({ preparePurge }) =>
        preparePurge(tags, checked("purgeTags", options)),
      );
      return this.#ordered.inOrder(prepared, (connection, purge) => purge(connection, this));
    });
  }

  /** Deletes everything in the database, also what other programs stored (`FLUSHDB`). */
  flush(): Promise<void>;
  async flush(surplus?: unknown): Promise<void> {
    checkNoOptions("flush", surplus);
    await this.#calls.guard("flush", "", undefined, () => this.#client.flush());
  }

  /**
   * Takes a lock that holds for the whole fleet. Its name doesn't collide with the key of an entry.
   * @returns the lock; `undefined` when it is not free within `waitTimeout`
   * @example
   * await using lock = await cache.lock("nightly", { ttl: "1m", waitTimeout: "2s", renew: true });
   * if (lock) await runNightlyJob(lock.signal);
   */
  async lock(name: string, options: LockOptions = NO_OPTIONS): Promise<Lock | undefined> {
    const key = this.#keys.lock(name, checked("lock", options));
    const acquireOptions = toAcquireOptions(options, this.invocation.signal);
    acquireOptions.signal?.throwIfAborted();
    const context = {
      connection: this.#ordered,
      clock: systemClock,
      forgive: (error: unknown, method: string, lockKey: string) => this.#calls.forgive(error, method, lockKey),
      report: this.report,
    };
    return this.#calls.guard("lock", key, undefined, () => acquire(context, key, acquireOptions));
  }

  /**
   * A view of this cache for one invocation, such as a request or a function call. Creating it does no I/O. Close it when
   * the invocation ends. Where the host's sockets belong to one request, the view has a connection of its own.
   * @example
   * await using cache = whole.for({ waitUntil: (work) => ctx.waitUntil(work), signal: request.signal });
   */
  for(invocation: InvocationOptions = NO_OPTIONS): Cache {
    const { waitUntil, memo } = checked("for", invocation);
    const signal = toSignal(invocation.signal, undefined);
    const work: Invocation = { scope: "request", waitUntil: (promise) => waitUntil?.(promise), signal };
    return new Cache(
      this.#settings,
      work,
      this.#settings.sharesConnection ? this : undefined,
      memo ? new Memo() : undefined,
    );
  }

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
  namespace(name: string, surplus?: unknown): Namespace {
    checkNoOptions("namespace", surplus);
    const namespace = toNamespace(name, this.#settings.namespace);
    const namespaces = [...this.#settings.namespaces, namespace];
    return new Namespace({ ...this.#settings, namespace, namespaces }, this.invocation, this, this);
  }

  /** Calls `listener` on every event of that name. @returns a function that ends this @throws TypeError on an unknown event */
  on<E extends EventName>(name: E, listener: Listener<E>): () => void;
  on<E extends EventName>(name: E, listener: Listener<E>, surplus?: unknown): () => void {
    checkNoOptions("on", surplus);
    return this.events.on(name, listener);
  }

  /** The state of the connection, with one PING. Resolves also when the store fails. @throws {ConnectionError} after `close` */
  health(): Promise<Health>;
  async health(surplus?: unknown): Promise<Health> {
    checkNoOptions("health", surplus);
    const { near } = this.#settings;
    const known = await health(this.connection);
    return near ? { ...known, nearCache: near.health() } : known;
  }

  /**
   * The key as stored, with prefix and version. Methods take it in place of a key; `String(storedKey)` is its text.
   * @example
   * String(cache.makeKey("user:1")); // "prefix:1:user:1"
   */
  makeKey(key: Key, options: KeyOptions = NO_OPTIONS): StoredKey {
    const stored = this.#keys.stored(key, checked("makeKey", options));
    return key instanceof StoredKey ? key : new StoredKey(stored);
  }

  /** A glob of stored keys: wildcards work in `pattern`, and the prefix stands for itself. */
  makePattern(pattern: string, options: KeyOptions = NO_OPTIONS): string {
    return this.#keys.pattern(pattern, checked("makePattern", options));
  }

  /**
   * Waits for work in the background, then closes the connection. Idempotent. Later calls reject with `ConnectionError`.
   * A namespace has no connection of its own: it ends with its cache, and need not be closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#parent ? this.#calls.settled() : this.#settle().finally(() => this.connection.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal Has `close` of a view wait for work that uses its connection. */
  track(work: Promise<unknown>): void {
    this.#calls.track(work);
  }

  get #isClosing(): boolean {
    return this.#closing !== undefined || (this.#parent ? this.#parent.#isClosing : false);
  }

  async #settle(): Promise<void> {
    await this.#calls.settled();
    await this.#client.close();
  }

  #manyEntries(): ManyEntries {
    this.#many ??= new ManyEntries({
      client: this.#client,
      keys: this.#keys,
      calls: this.#calls,
      settings: this.#settings,
      signal: this.invocation.signal,
    });
    return this.#many;
  }

  #parts(): CacheParts {
    const { codec, scanCount } = this.#settings;
    return { connection: this.#ordered, codec, keys: this.#keys, calls: this.#calls, scanCount };
  }

  #write(method: "set" | "add", key: Key, value: unknown, options: SetOptions): Promise<boolean> {
    try {
      const stored = this.#keys.stored(key, checked("set", options));
      const ttlMs = toTtlMs(options.ttl, this.#settings.ttlMs);
      checkValue(value, stored);
      const tags = toTagsOf(options.tags, this.#settings.namespaces)?.(value, stored);
      if (options.nx && options.xx)
        throw new TypeError("nx and xx: an entry can't be both absent and there; give one of them");
      const condition = options.nx ? "nx" : options.xx ? "xx" : undefined;
      const isOver = ttlMs !== null && ttlMs <= 0;
      return this.#calls.guard(method, stored, false, (call) => {
        if (!isOver) return this.#client.set(stored, value, { ttlMs, condition, tags, call });
        return this.#end(stored, condition, call);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #moveVersion(
    method: "incrVersion" | "decrVersion",
    key: string,
    delta: () => number,
    options: KeyOptions,
  ): Promise<number> {
    if ((key as unknown) instanceof StoredKey)
      throw new TypeError("key: a stored key has its version in it; give your own key");
    const version = this.#keys.version(checked(method, options)) + delta();
    const from = this.#keys.stored(key, options);
    const to = this.#keys.stored(key, { ...options, version });
    return this.#calls.guard(method, from, 0, async () => {
      if (!(await this.#client.rename(from, to))) throw notFound(from);
      return version;
    });
  }

  async *#scanKeys(method: "keys" | "iterKeys", pattern: string, options: ScanOptions): AsyncIterable<string> {
    const glob = this.#keys.pattern(pattern, checked(method, options));
    const batches = this.#calls.guardEach(method, glob, this.#userKeys(glob, options));
    for await (const keys of batches) for (const key of keys) yield key;
  }

  async *#userKeys(glob: string, options: ScanOptions): AsyncIterable<string[]> {
    for await (const batch of this.#client.scan(glob, options.scanCount ?? this.#settings.scanCount)) {
      this.invocation.signal?.throwIfAborted();
      yield batch.map((key) => this.#keys.reverse(key, options));
    }
  }

  #touch(stored: string, ttlMs: number | null, call: CacheCall | undefined): Promise<boolean> {
    return endsEntry(this.#client.touch(stored, ttlMs), ttlMs !== null && ttlMs <= 0, call);
  }

  async #end(stored: string, condition: "nx" | "xx" | undefined, call: CacheCall | undefined): Promise<boolean> {
    if (condition === "nx") {
      call?.stored(0);
      return !(await this.#client.has(stored));
    }
    const deleted = await this.#client.delete([stored]);
    call?.changed("delete", deleted);
    return condition === undefined || deleted > 0;
  }

  #add(method: "incr" | "decr", key: Key, delta: bigint, options: IncrOptions): Promise<number | bigint> {
    return this.#calls.onKey<number | bigint>(method, key, options, 0, async (stored, call) => {
      const ttlMs = toTtlMs(options.ttl, this.#settings.ttlMs);
      // With a ttl of 0 or less nothing is stored; the result is what the value would have been.
      const isOver = ttlMs !== null && ttlMs <= 0;
      const value = await this.#client.incr(stored, delta, options.create && !isOver ? { ttlMs } : undefined);
      if (value !== undefined) return value;
      if (!options.create) throw notFound(stored);
      call?.stored(0);
      return Number.isSafeInteger(Number(delta)) ? Number(delta) : delta;
    });
  }

  #deleteMatching(
    method: string,
    pattern: string,
    owns: (key: string) => boolean,
    { scanCount, onProgress }: DeletePatternOptions,
  ): Promise<number> {
    const count = scanCount ?? this.#settings.scanCount;
    const { signal } = this.invocation;
    if (signal?.aborted) return Promise.reject(signal.reason);
    return this.#calls.guard(method, pattern, 0, () =>
      this.#client.deletePattern(pattern, { count, owns, onProgress, signal }),
    );
  }
}

/** A view of a cache whose keys are in a namespace, which `namespace` returns. */
export class Namespace extends Cache {
  readonly #tag: string;

  /** @internal Use `cache.namespace`. */
  constructor(settings: Settings, invocation: Invocation, whole: Cache, parent: Cache) {
    super(settings, invocation, whole, parent);
    this.#tag = settings.namespace;
  }

  /**
   * Ends every value of this namespace, and of those within it, by one write, however many there are; with `soft` they are
   * stale instead. Sets, hashes, locks and numbers that `incr` has created stay.
   * @example
   * await cache.namespace("tenant-42").purge({ soft: true });
   */
  purge(options: Pick<PurgeTagsOptions, "soft"> = NO_OPTIONS): Promise<void> {
    try {
      return this.purgeTags([this.#tag], { ...checked("purgeTags", options), only: "data" });
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** Makes a cache. No I/O. @throws {ConfigurationError} on wrong options */
export function makeCache(
  options: CacheOptions | LocatedCacheOptions,
  choose: ChooseFactory,
  channels?: Channels,
): Cache {
  return new Cache(toSettings(options, choose, channels), PROCESS);
}

/** Tells of an entry that a lifetime which is over deletes, and does not change. */
async function endsEntry(changes: Promise<boolean>, isOver: boolean, call: CacheCall | undefined): Promise<boolean> {
  const wasThere = await changes;
  if (isOver) call?.changed("delete", Number(wasThere));
  return wasThere;
}

function closed(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}

function notFound(key: string): KeyNotFoundError {
  return new KeyNotFoundError(`key ${show(key)}: there is no such entry; set it first`);
}
