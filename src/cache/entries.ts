import type { LoadOptions } from "../client/client.js";
import type { Loader, LoaderContext, ManyLoader } from "../client/loader.js";
import { several } from "../client/sets.js";
import { KeyNotFoundError, show } from "../core/errors.js";
import { type Key, MadeKey } from "../core/key.js";
import { promised } from "../core/maybe-promise.js";
import { toWindowMs } from "../core/time.js";
import type { KeyOptions } from "./base.js";
import type {
  EntriesInput,
  GetOptions,
  GetOrSetOptions,
  IncrOptions,
  Many,
  SetOptions,
  TtlOptions,
} from "./entry-options.js";
import { Lifetimes } from "./lifetimes.js";

/** Methods on single values. */
export abstract class Entries extends Lifetimes {
  /** The value, or `undefined` (or `options.default`) when there is none. @throws {DecodeError} */
  get<T = unknown>(key: Key, options?: GetOptions): Promise<T | undefined>;
  get<T = unknown, D = T>(key: Key, options: GetOptions<D>): Promise<T | D>;
  get(key: Key, options: GetOptions<unknown> = {}): Promise<unknown> {
    return promised(() => {
      const made = this.made(key, options);
      const found = this.guard("get", made, undefined, this.client.get(made));
      const { default: otherwise } = options;
      return otherwise === undefined ? found : found.then((value) => (value === undefined ? otherwise : value));
    });
  }

  /**
   * Writes a value. A `ttl` of 0 or less ends the entry instead.
   * @returns `true`, or `false` when `nx` or `xx` was not met
   * @throws {EncodeError} before any I/O, when the value can't be stored
   */
  set(key: Key, value: unknown, options: SetOptions = {}): Promise<boolean> {
    return promised(() => this.#set(key, value, options));
  }

  #set(key: Key, value: unknown, options: SetOptions): Promise<boolean> {
    const made = this.made(key, options);
    const ttlMs = this.ttlMs(options.ttl);
    checkValue(value, made);
    if (options.nx && options.xx)
      throw new TypeError("nx and xx: an entry can't be both absent and there; give one of them");
    const condition = options.nx ? "nx" : options.xx ? "xx" : undefined;
    const write =
      ttlMs !== null && ttlMs <= 0
        ? this.#expireNow(made, condition)
        : this.client.set(made, value, { ttlMs, condition });
    return this.guard("set", made, false, write);
  }

  /** Writes a value when there is no entry. Whether it was written. @throws {EncodeError} before any I/O */
  add(key: Key, value: unknown, options: TtlOptions = {}): Promise<boolean> {
    return this.set(key, value, { ...options, nx: true });
  }

  /**
   * The value, or what the loader gives, which is stored for `ttl` unless it is `undefined`. Callers of one key in one
   * process share one load. When the store fails, the loader answers.
   * @throws whatever the loader throws, and nothing of the store
   */
  getOrSet<T>(key: Key, loader: Loader<T>, options: GetOrSetOptions = {}): Promise<T> {
    return promised(() => {
      const made = this.made(key, options);
      if (typeof loader !== "function")
        throw new TypeError(`loader: ${show(loader)} is not a function that gives a value`);
      this.checkOpen();
      return this.client.getOrSet(made, loader, this.#loadOptions(options)) as Promise<T>;
    });
  }

  /**
   * As `getOrSet` for several keys: one flight to read them, and one call of the loader for those that are missing.
   * @param loader is given the missing keys, and answers a `Map` or an object; a key without a value there is missing in the answer
   * @throws whatever the loader throws, and nothing of the store
   */
  async getOrSetMany<T = unknown>(
    keys: Iterable<Key>,
    loader: (keys: string[], context: LoaderContext) => Many<T> | Promise<Many<T>>,
    options: GetOrSetOptions = {},
  ): Promise<Map<string, T>> {
    const names = this.#names(keys, options);
    if (typeof loader !== "function")
      throw new TypeError(`loader: ${show(loader)} is not a function that gives values`);
    const load: ManyLoader = async (wanted, context) => {
      const given = await loader(
        wanted.map((made) => names.get(made) ?? made),
        context,
      );
      const values = given instanceof Map ? given : new Map(Object.entries(given));
      return new Map(wanted.map((made) => [made, values.get(names.get(made) ?? made)]));
    };
    this.checkOpen();
    if (names.size === 0) return new Map();
    return named<T>(await this.client.getOrSetMany([...names.keys()], load, this.#loadOptions(options)), names);
  }

  /** Those of the keys that have a value, by key. One flight. @throws {DecodeError} */
  getMany<T = unknown>(keys: Iterable<Key>, options: KeyOptions = {}): Promise<Map<string, T>> {
    return this.#values("getMany", keys, options);
  }

  /** As `getMany`, all read at one moment; in a cluster the keys need a common hash tag. @throws {DecodeError} */
  mget<T = unknown>(keys: Iterable<Key>, options: KeyOptions = {}): Promise<Map<string, T>> {
    return this.#values("mget", keys, options);
  }

  /**
   * Writes several values in one flight.
   * @param entries a `Map`, pairs, or a record
   * @returns the keys that could not be written
   * @throws {EncodeError} before any I/O
   */
  async setMany(entries: EntriesInput, options: TtlOptions = {}): Promise<string[]> {
    const { made, names } = this.#pairs(entries, options);
    const ttlMs = this.ttlMs(options.ttl);
    if (made.size === 0) return [];
    const keys = [...made.keys()];
    const gone = ttlMs !== null && ttlMs <= 0;
    const write = gone ? this.client.delete(keys).then((): string[] => []) : this.client.setMany(made, ttlMs);
    const failed = await this.guard("setMany", "", keys, write);
    return failed.map((key) => names.get(key) ?? key);
  }

  /** Writes several values in one step, all or none; in a cluster the keys need a common hash tag. @throws {EncodeError} before any I/O */
  async mset(entries: EntriesInput, options: TtlOptions = {}): Promise<void> {
    const { made } = this.#pairs(entries, options);
    const ttlMs = this.ttlMs(options.ttl);
    if (made.size === 0) return;
    const gone = ttlMs !== null && ttlMs <= 0;
    const write = gone ? this.client.delete([...made.keys()]).then(() => {}) : this.client.mset(made, ttlMs);
    await this.guard("mset", "", undefined, write);
  }

  /** Whether there was an entry to delete. */
  async delete(key: Key, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return (await this.guard("delete", made, 0, this.client.delete([made]))) > 0;
  }

  /** How many entries were deleted. */
  async deleteMany(keys: Iterable<Key>, options: KeyOptions = {}): Promise<number> {
    const made = this.#keys(keys, options);
    return made.length === 0 ? 0 : this.guard("deleteMany", "", 0, this.client.delete(made));
  }

  async has(key: Key, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return this.guard("has", made, false, this.client.has(made));
  }

  /**
   * Adds to an integer, and keeps its lifetime. The answer is a `bigint` beyond ±2^53.
   * @throws {KeyNotFoundError} when there is no entry and `create` is not given
   * @throws {NotAnIntegerError} when something else is stored; it is left as it is
   */
  async incr(key: Key, delta: number | bigint = 1, options: IncrOptions = {}): Promise<number | bigint> {
    return this.#add("incr", key, toInt64(delta), options);
  }

  /** As `incr`, taking away. */
  async decr(key: Key, delta: number | bigint = 1, options: IncrOptions = {}): Promise<number | bigint> {
    return this.#add("decr", key, toInt64(-toInt64(delta)), options);
  }

  /** Moves an entry, with what is left of its lifetime, to the version `delta` above. The new version. @throws {KeyNotFoundError} */
  async incrVersion(key: string, delta = 1, options: KeyOptions = {}): Promise<number> {
    if ((key as unknown) instanceof MadeKey)
      throw new TypeError("key: a made key has its version in it; give your own key");
    const version = this.version(options) + toStep(delta);
    const from = this.made(key, options);
    const moved = await this.guard(
      "incrVersion",
      from,
      undefined,
      this.client.rename(from, this.made(key, { ...options, version })),
    );
    if (moved === false) throw notFound(from);
    return moved === undefined ? 0 : version;
  }

  /** As `incrVersion`, downwards. @throws {KeyNotFoundError} */
  async decrVersion(key: string, delta = 1, options: KeyOptions = {}): Promise<number> {
    return this.incrVersion(key, -toStep(delta), options);
  }

  async #expireNow(made: string, condition: "nx" | "xx" | undefined): Promise<boolean> {
    if (condition === "nx") return !(await this.client.has(made));
    const deleted = await this.client.delete([made]);
    return condition === undefined || deleted > 0;
  }

  #add(method: "incr" | "decr", key: Key, delta: bigint, options: IncrOptions): Promise<number | bigint> {
    const made = this.made(key, options);
    const create = options.create ? { ttlMs: this.ttlMs(options.ttl) } : undefined;
    return this.guard<number | bigint>(method, made, 0, this.#counted(made, delta, create));
  }

  async #counted(made: string, delta: bigint, create: { ttlMs: number | null } | undefined): Promise<number | bigint> {
    // What is to live for no time is not created, only answered.
    const shortLived = create !== undefined && create.ttlMs !== null && create.ttlMs <= 0;
    const value = await this.client.incr(made, delta, shortLived ? undefined : create);
    if (value !== undefined) return value;
    if (!shortLived) throw notFound(made);
    return Number.isSafeInteger(Number(delta)) ? Number(delta) : delta;
  }

  #keys(keys: Iterable<Key>, options: KeyOptions): string[] {
    return this.allMade(several(keys, "keys"), options);
  }

  async #values<T>(method: "getMany" | "mget", keys: Iterable<Key>, options: KeyOptions): Promise<Map<string, T>> {
    const names = several(keys, "keys");
    const made = this.allMade(names, options);
    const values = new Map<string, T>();
    if (names.length === 0) return values;
    const found = await this.guard<unknown[]>(method, "", [], this.client[method](made));
    for (let i = 0; i < names.length; i++) {
      const value = found[i];
      if (value !== undefined) values.set(String(names[i]), value as T);
    }
    return values;
  }

  /** The user's keys by their made ones. */
  #names(keys: Iterable<Key>, options: KeyOptions): Map<string, string> {
    const names = new Map<string, string>();
    for (const key of several(keys, "keys") as Key[]) names.set(this.made(key, options), String(key));
    return names;
  }

  #loadOptions({ ttl, signal, softTimeout, hardTimeout }: GetOrSetOptions): LoadOptions {
    return {
      ttlMs: this.ttlMs(ttl),
      signal,
      softTimeoutMs: softTimeout === undefined ? undefined : toWindowMs(softTimeout, "softTimeout"),
      hardTimeoutMs:
        hardTimeout === undefined
          ? undefined
          : hardTimeout === null
            ? Infinity
            : toWindowMs(hardTimeout, "hardTimeout"),
    };
  }

  #pairs(entries: EntriesInput, options: KeyOptions): { made: Map<string, unknown>; names: Map<string, string> } {
    if (typeof entries !== "object" || entries === null) {
      throw new TypeError(`entries: ${show(entries)} has no entries; give a Map, pairs, or an object`);
    }
    const pairs =
      Symbol.iterator in entries ? (several(entries, "entries") as [Key, unknown][]) : Object.entries(entries);
    const made = new Map<string, unknown>();
    const names = new Map<string, string>();
    for (const pair of pairs) {
      if (!Array.isArray(pair)) throw new TypeError(`entries: ${show(pair)} is not a pair; give [key, value]`);
      const [key, value] = pair;
      const as = this.made(key, options);
      checkValue(value, as);
      made.set(as, value);
      names.set(as, String(key));
    }
    return { made, names };
  }
}

function named<T>(values: ReadonlyMap<string, unknown>, names: ReadonlyMap<string, string>): Map<string, T> {
  return new Map([...values].map(([made, value]) => [names.get(made) ?? made, value as T]));
}

function checkValue(value: unknown, key: string): void {
  if (value !== undefined) return;
  throw new TypeError(
    `key ${show(key)}: undefined can't be stored, as it is what a miss answers; store null, or delete the key`,
  );
}

/** @throws TypeError on what is no integer of 64 bits, which is what the server counts in */
function toInt64(delta: unknown): bigint {
  if (typeof delta === "bigint" ? BigInt.asIntN(64, delta) === delta : Number.isSafeInteger(delta)) {
    return BigInt(delta as number | bigint);
  }
  throw new TypeError(
    `delta: ${show(delta)} is not a whole number of 64 bits; give an integer, or a bigint beyond ±2^53`,
  );
}

/** @throws TypeError */
function toStep(delta: unknown): number {
  if (typeof delta === "number" && Number.isSafeInteger(delta)) return delta;
  throw new TypeError(`delta: ${show(delta)} is not a whole number`);
}

function notFound(key: string): KeyNotFoundError {
  return new KeyNotFoundError(`key ${show(key)}: there is no such entry; set it first`);
}
