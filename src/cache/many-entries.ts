import type { Client, LoaderContext, LoadOptions, ManyLoader } from "../client/client.js";
import { inTurns } from "../core/async.js";
import type { CacheCall } from "../core/events.js";
import type { Key } from "../core/key.js";
import {
  checked,
  checkValue,
  notALoader,
  several,
  toLoaded,
  toLoadOptions,
  toPairs,
  toTagsOf,
  toTtlMs,
} from "./arguments.js";
import type { KeyBuilder } from "./key-builder.js";
import type {
  EntriesInput,
  GetOrSetManyOptions,
  KeyOptions,
  Many,
  RecordInput,
  SetManyOptions,
  TtlOptions,
} from "./method-options.js";
import type { Settings } from "./settings.js";
import type { StoreCalls } from "./store-calls.js";

export interface ManyEntriesParts {
  readonly client: Client;
  readonly keys: KeyBuilder;
  readonly calls: StoreCalls;
  readonly settings: Pick<Settings, "ttlMs" | "namespaces">;
  /** The invocation's. */
  readonly signal: AbortSignal | undefined;
}

/** A loader of several keys, as `getOrSetMany` takes it. The `stale` of its context is `undefined`. */
export type LoadMany<T> = (keys: string[], context: LoaderContext) => Many<T> | Promise<Many<T>>;

/** The same, with a result that an interface describes. */
export type LoadRecord<R extends RecordInput> = (keys: string[], context: LoaderContext) => R | Promise<R>;

/** The methods of a cache that take several keys. */
export class ManyEntries {
  readonly #client: Client;
  readonly #keys: KeyBuilder;
  readonly #calls: StoreCalls;
  readonly #settings: Pick<Settings, "ttlMs" | "namespaces">;
  readonly #signal: AbortSignal | undefined;

  constructor({ client, keys, calls, settings, signal }: ManyEntriesParts) {
    this.#signal = signal;
    this.#client = client;
    this.#keys = keys;
    this.#calls = calls;
    this.#settings = settings;
  }

  async get<T>(method: "getMany" | "mget", keys: Iterable<Key>, options: KeyOptions): Promise<Map<string, T>> {
    const names = several(keys, "keys");
    const stored = this.#stored(names, checked(method, options));
    if (stored.pass) await stored.pass;
    const found = new Map<string, T>();
    if (names.length === 0) return found;
    const read = (call?: CacheCall) => this.#client[method](stored.keys, call);
    const values = await this.#calls.guard<unknown[]>(method, "", [], read, names.length);
    await inTurns(names, (name, i) => {
      const value = values[i];
      if (value !== undefined) found.set(String(name), value as T);
    });
    return found;
  }

  async getOrSet<T>(keys: Iterable<Key>, loader: LoadMany<T>, options: GetOrSetManyOptions): Promise<Map<string, T>> {
    this.#keys.check(checked("getOrSetMany", options));
    /** The user's keys by their stored keys. */
    const names = new Map<string, string>();
    const list = several(keys, "keys");
    if (typeof loader !== "function") throw notALoader(loader, "values");
    const { tags: tagsOf, ...rest } = toLoadOptions(options, this.#settings, this.#signal);
    const loadOptions: LoadOptions = {
      ...rest,
      tags: tagsOf && ((value, key) => tagsOf(value, names.get(key) ?? key)),
    };
    loadOptions.signal?.throwIfAborted();
    const pass = inTurns(list, (name) => void names.set(this.#keys.stored(name as Key, options), String(name)));
    if (pass) await pass;
    const load: ManyLoader = async (missing, context) => {
      const asked: string[] = [];
      await inTurns(missing, (key) => void asked.push(names.get(key) ?? key));
      const loaded = toLoaded(await loader(asked, context));
      const values = new Map<string, unknown>();
      await inTurns(missing, (key, i) => void values.set(key, loaded.get(asked[i])));
      return values;
    };
    if (names.size === 0) return new Map();
    const answer = (call?: CacheCall) =>
      this.#client.getOrSetMany([...names.keys()], load, call ? { ...loadOptions, call } : loadOptions);
    const values = await this.#calls.observe("getOrSetMany", "", answer, names.size);
    const found = new Map<string, T>();
    await inTurns([...names], ([key, name]) => void (values.has(key) && found.set(name, values.get(key) as T)));
    return found;
  }

  /** The keys that could not be written. */
  async set(entries: EntriesInput, options: SetManyOptions): Promise<string[]> {
    const { tags: given } = checked("setMany", options);
    const { values, names, ttlMs, pass } = this.#toWrite(entries, options);
    if (pass) await pass;
    if (values.size === 0) return [];
    const tags = this.#tags(given, values, names);
    const keys = [...values.keys()];
    const isOver = ttlMs !== null && ttlMs <= 0;
    const write = (call?: CacheCall): Promise<string[]> =>
      isOver ? this.#end(keys, call).then(() => []) : this.#client.setMany(values, { ttlMs, tags, call });
    const failed = await this.#calls.guard("setMany", "", keys, write, keys.length);
    return failed.map((stored) => names.get(stored) ?? stored);
  }

  /** All or nothing. */
  async setAll(entries: EntriesInput, options: TtlOptions): Promise<void> {
    const { values, names, ttlMs, pass } = this.#toWrite(entries, checked("mset", options));
    if (pass) await pass;
    if (values.size === 0) return;
    const tags = this.#tags(undefined, values, names);
    const isOver = ttlMs !== null && ttlMs <= 0;
    const write = (call?: CacheCall): Promise<void> =>
      isOver ? this.#end([...values.keys()], call) : this.#client.mset(values, { ttlMs, tags, call });
    await this.#calls.guard("mset", "", undefined, write, values.size);
  }

  /** The tags of values that are written, by stored key. @throws TypeError */
  #tags(
    given: unknown,
    values: ReadonlyMap<string, unknown>,
    names: ReadonlyMap<string, string>,
  ): ReadonlyMap<string, readonly string[]> | undefined {
    const tagsOf = toTagsOf(given, this.#settings.namespaces);
    return tagsOf && new Map([...values].map(([key, value]) => [key, tagsOf(value, names.get(key) ?? key)]));
  }

  async delete(keys: Iterable<Key>, options: KeyOptions): Promise<number> {
    const stored = this.#stored(several(keys, "keys"), checked("deleteMany", options));
    if (stored.pass) await stored.pass;
    if (stored.keys.length === 0) return 0;
    return this.#calls.guard("deleteMany", "", 0, () => this.#client.delete(stored.keys), stored.keys.length);
  }

  /** A lifetime of 0 or less ends entries instead of storing them. */
  async #end(keys: readonly string[], call: CacheCall | undefined): Promise<void> {
    const deleted = await this.#client.delete(keys);
    call?.changed("delete", deleted);
  }

  /** The stored keys. They are complete when `pass` has resolved; without one they are at once. @throws TypeError */
  #stored(names: readonly unknown[], options: KeyOptions): { keys: string[]; pass: Promise<void> | undefined } {
    this.#keys.check(options);
    const keys: string[] = [];
    return { keys, pass: inTurns(names, (name) => void keys.push(this.#keys.stored(name as Key, options))) };
  }

  /** Values and the user's keys, both by stored keys. They are complete when `pass` has resolved, if there is one. */
  #toWrite(entries: EntriesInput, options: TtlOptions) {
    this.#keys.check(options);
    const ttlMs = toTtlMs(options.ttl, this.#settings.ttlMs);
    const values = new Map<string, unknown>();
    const names = new Map<string, string>();
    const pass = inTurns(toPairs(entries), ([key, value]) => {
      const stored = this.#keys.stored(key, options);
      checkValue(value, stored);
      values.set(stored, value);
      names.set(stored, String(key));
    });
    return { values, names, ttlMs, pass };
  }
}
