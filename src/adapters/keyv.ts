import type { Cache } from "../cache/cache.js";
import { cacheChecks } from "../cache/options.js";
import { withSerializer } from "../cache/view.js";
import { BATCH_SIZE } from "../core/async.js";
import { ConfigurationError } from "../core/errors.js";
import { escapeGlob } from "../core/glob.js";
import { type Checks, checkOptions, isBoolean } from "../core/options.js";
import { toText } from "../core/text.js";
import type { Duration } from "../core/time.js";
import type { Serializer } from "../core/value-format.js";
import { type CacheOrOptions, type OwnCache, ownCache } from "../hosts/own-cache.js";
import { type FleetStore, lifetimeOf } from "./cache-manager.js";

export type { CacheOrOptions, GivenCache, OwnCacheOptions } from "../hosts/own-cache.js";
export {
  type CacheManagerCache,
  type CacheManagerKeyv,
  type FleetWrapOptions,
  fleetWrap,
  type RawValue,
} from "./cache-manager.js";

/** Options of `keyvStore`, beside those of `createCache`, or a cache that exists. */
export interface KeyvStoreSettings {
  /** Lifetime of entries for which Keyv gives none: seconds, or a duration such as `"5m"`; `null` never expires, as Keyv has it. @default null */
  ttl?: Duration | null | undefined;
  /** Whether `getMany`, `has` and `hasMany` reject when the store fails, instead of an `error` event and a miss: give it with Keyv 5's option of that name. @default false */
  throwOnErrors?: boolean | undefined;
  /** Left out, as Keyv serializes values itself. */
  serializer?: undefined;
}

/** Options of `keyvStore()`: those of `createCache`, or `cache`, and its own. */
export type KeyvStoreOptions = CacheOrOptions & KeyvStoreSettings;

/** An entry as Keyv gives it: `ttl` is in milliseconds. */
export interface KeyvStoreEntry {
  readonly key: string;
  readonly value: unknown;
  readonly ttl?: number | undefined;
}

/**
 * A store for Keyv 5 and 6, and so for cache-manager 7 and NestJS. Nothing is dialled before its first call.
 *
 * Keyv counts in milliseconds, and its lifetimes are taken as such. Durations in the options are seconds, or strings, as in
 * the whole package. Make one store for each `Keyv`, since a `Keyv` sets the namespace of its store.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const keyv = new Keyv({ store: keyvStore({ location: "valkey://localhost:6379" }), namespace: "users" });
 */
export function keyvStore(options: KeyvStoreOptions): KeyvStore {
  return new KeyvStore(options);
}

/** A store for Keyv. Made by `keyvStore`. */
export class KeyvStore {
  /** Keyv 5 iterates over stores of the dialects that it knows. */
  readonly opts: Record<string, unknown> = { dialect: "valkey" };
  readonly #own: OwnCache;
  readonly #cache: Cache;
  readonly #ttl: Duration | null;
  readonly #throws: boolean;
  readonly #listeners = new Set<(error: unknown) => void>();
  #names = new Names(undefined);
  #isKeyv6 = false;

  /** @internal Use `keyvStore`. */
  constructor(options: KeyvStoreOptions) {
    const { ttl = null, throwOnErrors = false, serializer, ...others } = options;
    checkOptions<KeyvStoreSettings>("keyvStore", { ttl, throwOnErrors, serializer }, settingsChecks);
    this.#own = ownCache("keyvStore", others);
    this.#cache = withSerializer(this.#own.cache, keyvText);
    this.#ttl = ttl;
    this.#throws = throwOnErrors;
  }

  /** Set by Keyv. */
  get namespace(): string | undefined {
    return this.#names.namespace;
  }

  set namespace(namespace: string | undefined) {
    this.#names = new Names(namespace);
  }

  /**
   * Keyv 6 reads this before it uses a store; Keyv 5 never does. As there is none, Keyv 6 gives lifetimes rather than moments.
   * It emits what a store throws, which Keyv 5 does for writes only.
   */
  get capabilities(): undefined {
    this.#isKeyv6 = true;
    return undefined;
  }

  async get<Value = string>(key: string): Promise<Value | undefined> {
    try {
      return await this.#cache.get<Value>(this.#names.of(key));
    } catch (error) {
      // Keyv 5 throws it by its own option, and otherwise ignores it.
      if (!this.#isKeyv6) this.#emit(error);
      throw error;
    }
  }

  async getMany<Value = string>(keys: readonly string[]): Promise<(Value | undefined)[]> {
    const names = keys.map((key) => this.#names.of(key));
    const found = await this.#read(this.#cache.getMany<Value>(names), new Map<string, Value>());
    return names.map((name) => found.get(name));
  }

  async has(key: string): Promise<boolean> {
    return this.#read(this.#cache.has(this.#names.of(key)), false);
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    // Commands of one turn of the event loop are one round trip.
    const found = Promise.all(keys.map((key) => this.#cache.has(this.#names.of(key))));
    const none = keys.map(() => false);
    return this.#read(found, none);
  }

  /** @param ttl in milliseconds */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return this.#cache.set(this.#names.of(key), value, { ttl: lifetimeOf(ttl, this.#ttl) });
  }

  async setMany(entries: readonly KeyvStoreEntry[]): Promise<boolean[]> {
    const [ttl, ...others] = new Set(entries.map((entry) => entry.ttl));
    if (others.length > 0) return Promise.all(entries.map((entry) => this.set(entry.key, entry.value, entry.ttl)));
    const values = new Map(entries.map(({ key, value }) => [this.#names.of(key), value]));
    const failed = new Set(await this.#cache.setMany(values, { ttl: lifetimeOf(ttl, this.#ttl) }));
    return entries.map(({ key }) => !failed.has(this.#names.of(key)));
  }

  async delete(key: string): Promise<boolean> {
    return this.#cache.delete(this.#names.of(key));
  }

  /** @returns whether there was one of them; for Keyv 6 whether there was each */
  async deleteMany(keys: readonly string[]): Promise<boolean | boolean[]> {
    if (this.#isKeyv6) return Promise.all(keys.map((key) => this.delete(key)));
    return (await this.#cache.deleteMany(keys.map((key) => this.#names.of(key)))) > 0;
  }

  /** Deletes the entries of the namespace; without one, those that have none. */
  async clear(): Promise<void> {
    await this.#cache.deletePattern(this.#names.pattern);
  }

  /** Keys as Keyv has given them, and values as they are stored. A key may come twice. */
  async *iterator<Value = string>(namespace = this.namespace): AsyncGenerator<[string, Value], void> {
    const names = new Names(namespace);
    let batch: string[] = [];
    for await (const name of this.#cache.iterKeys(names.pattern)) {
      if (batch.push(name) < BATCH_SIZE) continue;
      yield* this.#entries<Value>(batch, names);
      batch = [];
    }
    yield* this.#entries<Value>(batch, names);
  }

  /** Closes a cache of the store's own. A cache that was given stays open. */
  async disconnect(): Promise<void> {
    await this.#own.close();
  }

  on(event: string, listener: (error: unknown) => void): this {
    if (event === "error") this.#listeners.add(listener);
    return this;
  }

  off(event: string, listener: (error: unknown) => void): this {
    if (event === "error") this.#listeners.delete(listener);
    return this;
  }

  /** @internal As `getOrSet`, of the text that Keyv makes of a value. */
  load(...[key, loader, options]: Parameters<FleetStore["load"]>): Promise<string | undefined> {
    return this.#cache.getOrSet(this.#names.of(key), loader, { ttl: this.#ttl, ...options });
  }

  async *#entries<Value>(batch: readonly string[], names: Names): AsyncGenerator<[string, Value], void> {
    for (const [name, value] of await this.#cache.getMany<Value>(batch)) yield [names.keyOf(name), value];
  }

  async #read<T>(reading: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      if (this.#isKeyv6 || this.#throws) throw error;
      this.#emit(error);
      return otherwise;
    }
  }

  #emit(error: unknown): void {
    for (const listener of this.#listeners) listener(error);
  }
}

const settingsChecks: Checks<KeyvStoreSettings> = {
  ttl: cacheChecks.ttl,
  throwOnErrors: isBoolean,
  serializer: () => "it to Keyv, which serializes values itself",
};

/**
 * Keys as Keyv gives them, and the cache's keys. Those of different namespaces differ, whatever text namespaces and keys are:
 * a namespace is before the first colon, where it has none itself.
 *
 * Keyv 5 puts `namespace:` before each key, unless its option useKeyPrefix is false; Keyv 6 doesn't. Such a key is stored as
 * it is, and any other one behind a second colon: `users:7` and `users::7`.
 */
class Names {
  readonly namespace: string | undefined;
  readonly #prefix: string;
  readonly #head: string;

  constructor(namespace: string | undefined) {
    this.namespace = namespace;
    this.#prefix = `${namespace}:`;
    this.#head = namespace ? `${namespace.replaceAll("%", "%25").replaceAll(":", "%3a")}:` : ":";
  }

  /** A glob of all keys of the namespace. */
  get pattern(): string {
    return `${escapeGlob(this.#head)}*`;
  }

  of(key: string): string {
    if (!this.namespace) return this.#head + key;
    const { length } = this.#prefix;
    const isPrefixed = key.startsWith(this.#prefix) && key[length] !== ":";
    return this.#head + (isPrefixed ? key.slice(length) : `:${key}`);
  }

  keyOf(name: string): string {
    const rest = name.slice(this.#head.length);
    if (!this.namespace) return rest;
    return rest.startsWith(":") ? rest.slice(1) : this.#prefix + rest;
  }
}

/**
 * The text that Keyv makes of a value, stored as it is. That of its own serializers begins with a brace. A sign is put before
 * any other text, as it may be empty or a number, which a cache reads in other ways.
 */
const keyvText: Serializer = {
  name: "keyv",
  text: true,
  serialize(value) {
    if (typeof value !== "string") {
      throw new TypeError("it is no text; leave Keyv a serializer that makes text of values, as its own does");
    }
    return value.startsWith("{") ? value : `=${value}`;
  },
  deserialize(stored) {
    const text = typeof stored === "string" ? stored : toText(stored);
    return text.startsWith("=") ? text.slice(1) : text;
  },
};

/** A string that begins with a colon, which Keyv's serializers escape, or with a colon that is escaped in JSON. */
const ESCAPED = /(?:^|[:[,])\s*"(?::|\\u003a)/i;

/**
 * A deserializer with the results of Keyv's own, several times as fast for most values: Keyv calls a function for each part of
 * a value, for the sake of text that begins with a colon, and of bytes. This does so only where a value has such parts.
 * @param deserialize the `deserialize` of a Keyv 5, or the `parse` of Keyv 6's `jsonSerializer`; `undefined` is returned as it is
 * @throws {ConfigurationError} when it is another one than Keyv's own
 * @example
 * const keyv = new Keyv({ store: keyvStore({ location: "valkey://localhost:6379" }) });
 * keyv.deserialize = fastDeserialize(keyv.deserialize);
 */
export function fastDeserialize<D extends ((text: string) => unknown) | undefined>(deserialize: D): D {
  if (!deserialize) return deserialize;
  if (JSON.stringify(deserialize(SAMPLE)) !== SAMPLE_READ) {
    throw new ConfigurationError(
      "fastDeserialize: this is not the deserializer that Keyv has by default; leave one of your own as it is",
    );
  }
  const fast = (text: string): unknown => (ESCAPED.test(text) ? deserialize(text) : JSON.parse(text));
  return fast as D;
}

/** What deserializers of others most likely read in another way: escapes of Keyv's, and dates. */
const SAMPLE = '{"value":["::a","2026-01-31T00:00:00.000Z"]}';
const SAMPLE_READ = '{"value":[":a","2026-01-31T00:00:00.000Z"]}';
