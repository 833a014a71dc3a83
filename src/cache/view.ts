import type { Loader } from "../client/client.js";
import { acquire, type Lock } from "../client/lock.js";
import { Codec } from "../codec/codec.js";
import { type Connection, type Invocation, PROCESS } from "../core/connection.js";
import { ConnectionError } from "../core/errors.js";
import type { Channels, EventName, Listener } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import { type Key, StoredKey } from "../core/key.js";
import { type Duration, systemClock } from "../core/time.js";
import type { Serializer } from "../core/value-format.js";
import type { LogPlace } from "../tags/purge-log.js";
import { checked, checkNoOptions, NO_OPTIONS, notALoader, toAcquireOptions, toLoadOptions } from "./arguments.js";
import type { Cache, Namespace } from "./cache.js";
import { addTo, moveVersion } from "./counters.js";
import { expire, expireAt, expireSoft, persist, remaining, touch } from "./expiry.js";
import { CacheHashes } from "./hashes.js";
import { type Health, health } from "./health.js";
import { toNamespace } from "./key-builder.js";
import { endMany, getMany, getOrSetMany, type LoadMany, setAll, setMany } from "./many-entries.js";
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
  ScanOptions,
  SetManyOptions,
  SetOptions,
  TtlOptions,
} from "./method-options.js";
import type { CacheOptions, LocatedCacheOptions } from "./options.js";
import { type CacheParts, invocationParts, namespaceParts, openParts } from "./parts.js";
import { clear, deletePattern, scanKeys } from "./scans.js";
import { CacheSets } from "./sets.js";
import { type ChooseFactory, toSettings } from "./settings.js";
import { ValueCodec } from "./value-codec.js";
import { write } from "./writes.js";

/** A cache, or a view of one: for an invocation, or of a namespace. */
class CacheView implements Cache {
  readonly connection: Connection;
  readonly shared: Connection;
  readonly invocation: Invocation;
  readonly events: Events;
  readonly purges: LogPlace;
  readonly report: CacheParts["calls"]["report"];
  readonly #parts: CacheParts;
  /** The cache that this one is a namespace of. It has the connection and the client, and is what can be closed. */
  readonly #parent: CacheView | undefined;
  #sets: CacheSets | undefined;
  #hashes: CacheHashes | undefined;
  #codec: ValueCodec | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: CacheParts, parent?: CacheView) {
    this.connection = parts.connection;
    this.shared = parts.shared;
    this.invocation = parts.invocation;
    this.events = parts.settings.events;
    this.purges = parts.settings.purges;
    this.report = parts.calls.report;
    this.#parts = parts;
    this.#parent = parent;
  }

  get sets(): CacheSets {
    this.#sets ??= new CacheSets(this.#parts);
    return this.#sets;
  }

  get hashes(): CacheHashes {
    this.#hashes ??= new CacheHashes(this.#parts);
    return this.#hashes;
  }

  get codec(): ValueCodec {
    this.#codec ??= new ValueCodec(this.#parts.settings.codec);
    return this.#codec;
  }

  get<T>(key: Key, options?: GetOptions<unknown>): Promise<T>;
  get(key: Key, options: GetOptions<unknown> = NO_OPTIONS): Promise<unknown> {
    try {
      const stored = this.#parts.keys.stored(key, checked("get", options));
      const found = this.#parts.calls.guard("get", stored, undefined, (call) => this.#parts.client.get(stored, call));
      const { default: otherwise } = options;
      return otherwise === undefined ? found : found.then((value) => (value === undefined ? otherwise : value));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  set(key: Key, value: unknown, options: SetOptions = NO_OPTIONS): Promise<boolean> {
    return write(this.#parts, "set", key, value, options);
  }

  async add(key: Key, value: unknown, options: AddOptions = NO_OPTIONS): Promise<boolean> {
    return write(this.#parts, "add", key, value, { ...checked("add", options), nx: true });
  }

  getOrSet<T, Stale>(key: Key, loader: Loader<T, Stale>, options?: GetOrSetOptions<T>): Promise<T>;
  getOrSet(key: Key, loader: Loader<unknown>, options: GetOrSetOptions = NO_OPTIONS): Promise<unknown> {
    try {
      const stored = this.#parts.keys.stored(key, checked("getOrSet", options));
      if (typeof loader !== "function") throw notALoader(loader, "a value");
      const loadOptions = toLoadOptions(options, this.#parts.settings, this.invocation.signal);
      if (this.#isClosing) throw closed();
      loadOptions.signal?.throwIfAborted();
      return this.#parts.calls.observe("getOrSet", stored, (call) =>
        this.#parts.client.getOrSet(stored, loader, call ? { ...loadOptions, call } : loadOptions),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async getOrSetMany<T>(
    keys: Iterable<Key>,
    loader: LoadMany<T>,
    options: GetOrSetManyOptions = NO_OPTIONS,
  ): Promise<Map<string, T>> {
    if (this.#isClosing) throw closed();
    return getOrSetMany(this.#parts, keys, loader, options);
  }

  getMany<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Map<string, T>> {
    return getMany(this.#parts, "getMany", keys, options);
  }

  mget<T = unknown>(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<Map<string, T>> {
    return getMany(this.#parts, "mget", keys, options);
  }

  setMany(entries: EntriesInput, options: SetManyOptions = NO_OPTIONS): Promise<string[]> {
    return setMany(this.#parts, entries, options);
  }

  mset(entries: EntriesInput, options: TtlOptions = NO_OPTIONS): Promise<void> {
    return setAll(this.#parts, entries, options);
  }

  delete(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#parts.calls.onKey(
      "delete",
      key,
      options,
      false,
      async (stored) => (await this.#parts.client.delete([stored])) > 0,
    );
  }

  deleteMany(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return endMany(this.#parts, "deleteMany", keys, options);
  }

  has(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return this.#parts.calls.onKey("has", key, options, false, (stored) => this.#parts.client.has(stored));
  }

  incr(key: Key, delta: number | bigint = 1, options: IncrOptions = NO_OPTIONS): Promise<number | bigint> {
    return addTo(this.#parts, "incr", key, delta, options);
  }

  decr(key: Key, delta: number | bigint = 1, options: IncrOptions = NO_OPTIONS): Promise<number | bigint> {
    return addTo(this.#parts, "decr", key, delta, options);
  }

  incrVersion(key: string, delta = 1, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return moveVersion(this.#parts, "incrVersion", key, delta, options);
  }

  decrVersion(key: string, delta = 1, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return moveVersion(this.#parts, "decrVersion", key, delta, options);
  }

  ttl(key: Key, options: KeyOptions = NO_OPTIONS): Promise<number | null | undefined> {
    return remaining(this.#parts, key, options);
  }

  touch(key: Key, ttl?: Duration | null, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return touch(this.#parts, key, ttl, options);
  }

  expire(key: Key, ttl: Duration, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return expire(this.#parts, key, ttl, options);
  }

  expireAt(key: Key, at: Date | number, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return expireAt(this.#parts, key, at, options);
  }

  expireSoft(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return expireSoft(this.#parts, key, options);
  }

  expireSoftMany(keys: Iterable<Key>, options: KeyOptions = NO_OPTIONS): Promise<number> {
    return endMany(this.#parts, "expireSoftMany", keys, options);
  }

  persist(key: Key, options: KeyOptions = NO_OPTIONS): Promise<boolean> {
    return persist(this.#parts, key, options);
  }

  async keys(pattern = "*", options: ScanOptions = NO_OPTIONS): Promise<string[]> {
    const keys = new Set<string>();
    for await (const key of scanKeys(this.#parts, "keys", pattern, options)) keys.add(key);
    return [...keys];
  }

  iterKeys(pattern = "*", options: ScanOptions = NO_OPTIONS): AsyncIterable<string> {
    return scanKeys(this.#parts, "iterKeys", pattern, options);
  }

  deletePattern(pattern: string, options: DeletePatternOptions = NO_OPTIONS): Promise<number> {
    return deletePattern(this.#parts, pattern, options);
  }

  clear(options: Omit<DeletePatternOptions, "version"> = NO_OPTIONS): Promise<number> {
    return clear(this.#parts, options);
  }

  purgeTags(tags: readonly string[], options: PurgeTagsOptions = NO_OPTIONS): Promise<void> {
    return this.#parts.calls.guard("purgeTags", "", undefined, async () => {
      const prepared = import("../tags/purge-tags.js").then(({ preparePurge }) =>
        preparePurge(tags, checked("purgeTags", options)),
      );
      return this.#parts.connection.inOrder(prepared, (connection, purge) => purge(connection, this));
    });
  }

  async flush(surplus?: unknown): Promise<void> {
    checkNoOptions("flush", surplus);
    await this.#parts.calls.guard("flush", "", undefined, () => this.#parts.client.flush());
  }

  async lock(name: string, options: LockOptions = NO_OPTIONS): Promise<Lock | undefined> {
    const { connection, invocation, calls, keys } = this.#parts;
    const key = keys.lock(name, checked("lock", options));
    const acquireOptions = toAcquireOptions(options, invocation.signal);
    acquireOptions.signal?.throwIfAborted();
    const { forgive, report } = calls;
    const track = (work: Promise<unknown>): void => calls.track(work);
    const context = { connection, clock: systemClock, invocation, forgive, report, track };
    return calls.guard("lock", key, undefined, () => acquire(context, key, acquireOptions));
  }

  for(invocation: InvocationOptions = NO_OPTIONS): Cache {
    return new CacheView(invocationParts(this.#parts, invocation));
  }

  namespace(name: string, surplus?: unknown): Namespace {
    checkNoOptions("namespace", surplus);
    const { settings } = this.#parts;
    const namespace = toNamespace(name, settings.namespace);
    const namespaces = [...settings.namespaces, namespace];
    return new NamespaceView(namespaceParts({ ...settings, namespace, namespaces }, this.#parts), this);
  }

  on<E extends EventName>(name: E, listener: Listener<E>, surplus?: unknown): () => void {
    checkNoOptions("on", surplus);
    return this.events.on(name, listener);
  }

  async health(surplus?: unknown): Promise<Health> {
    checkNoOptions("health", surplus);
    const { near } = this.#parts.settings;
    const known = await health(this.connection);
    return near ? { ...known, nearCache: near.health() } : known;
  }

  makeKey(key: Key, options: KeyOptions = NO_OPTIONS): StoredKey {
    const stored = this.#parts.keys.stored(key, checked("makeKey", options));
    return key instanceof StoredKey ? key : new StoredKey(stored);
  }

  makePattern(pattern: string, options: KeyOptions = NO_OPTIONS): string {
    return this.#parts.keys.pattern(pattern, checked("makePattern", options));
  }

  get parts(): CacheParts {
    return this.#parts;
  }

  close(): Promise<void> {
    this.#closing ??= this.#parent
      ? this.#parts.calls.settled()
      : this.#settle().finally(() => this.connection.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  track(work: Promise<unknown>): void {
    this.#parts.calls.track(work);
  }

  get #isClosing(): boolean {
    return this.#closing !== undefined || (this.#parent ? this.#parent.#isClosing : false);
  }

  async #settle(): Promise<void> {
    await this.#parts.calls.settled();
    await this.#parts.client.close();
  }
}

class NamespaceView extends CacheView implements Namespace {
  override for(invocation: InvocationOptions = NO_OPTIONS): Namespace {
    return new NamespaceView(invocationParts(this.parts, invocation));
  }

  async purge(options: Pick<PurgeTagsOptions, "soft"> = NO_OPTIONS): Promise<void> {
    const { namespace } = this.parts.settings;
    return this.purgeTags([namespace], { ...checked("purgeTags", options), only: "data" });
  }
}

/** Makes a cache. No I/O. @throws {ConfigurationError} on wrong options */
export function makeCache(
  options: CacheOptions | LocatedCacheOptions,
  choose: ChooseFactory,
  channels?: Channels,
): Cache {
  return new CacheView(openParts(toSettings(options, choose, channels), PROCESS));
}

/** A view of a cache whose values have another serializer: over its connection, with its client and its options. */
export function withSerializer({ parts }: Cache, serializer: Serializer): Cache {
  const { settings, invocation } = parts;
  const codec = new Codec({ ...settings.codecOptions, serializer });
  return new CacheView(openParts({ ...settings, codec }, invocation, parts));
}

function closed(): ConnectionError {
  return new ConnectionError("the cache was closed; make a new one with createCache()");
}
