import type { Client, LoaderContext, ManyLoader } from "../client/client.js";
import { pauseIfMany } from "../connection/server-commands.js";
import type { Key } from "../core/key.js";
import { checked, checkValue, notALoader, several, toLoaded, toLoadOptions, toPairs, toTtlMs } from "./arguments.js";
import type { KeyBuilder } from "./key-builder.js";
import type { EntriesInput, GetOrSetOptions, KeyOptions, Many, RecordInput, TtlOptions } from "./method-options.js";
import type { Settings } from "./settings.js";
import type { StoreCalls } from "./store-calls.js";

export interface ManyEntriesParts {
  readonly client: Client;
  readonly keys: KeyBuilder;
  readonly calls: StoreCalls;
  readonly settings: Pick<Settings, "ttlMs">;
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
  readonly #ttlMs: number | null;
  readonly #signal: AbortSignal | undefined;

  constructor({ client, keys, calls, settings, signal }: ManyEntriesParts) {
    this.#signal = signal;
    this.#client = client;
    this.#keys = keys;
    this.#calls = calls;
    this.#ttlMs = settings.ttlMs;
  }

  async get<T>(method: "getMany" | "mget", keys: Iterable<Key>, options: KeyOptions): Promise<Map<string, T>> {
    const names = several(keys, "keys");
    const stored = this.#keys.storedAll(names, checked(method, options));
    const found = new Map<string, T>();
    if (names.length === 0) return found;
    const values = await this.#calls.guard<unknown[]>(method, "", [], this.#client[method](stored));
    for (let i = 0; i < names.length; i++) {
      const value = values[i];
      if (value !== undefined) found.set(String(names[i]), value as T);
    }
    return found;
  }

  async getOrSet<T>(keys: Iterable<Key>, loader: LoadMany<T>, options: GetOrSetOptions): Promise<Map<string, T>> {
    const names = this.#names(keys, checked("getOrSetMany", options));
    if (typeof loader !== "function") throw notALoader(loader, "values");
    const load: ManyLoader = async (missing, context) => {
      const loaded = await loader(
        missing.map((stored) => names.get(stored) ?? stored),
        context,
      );
      const values = toLoaded(loaded);
      await pauseIfMany(missing.length);
      return new Map(missing.map((stored) => [stored, values.get(names.get(stored) ?? stored)]));
    };
    const loadOptions = toLoadOptions(options, this.#ttlMs, this.#signal);
    loadOptions.signal?.throwIfAborted();
    if (names.size === 0) return new Map();
    await pauseIfMany(names.size);
    const values = await this.#client.getOrSetMany([...names.keys()], load, loadOptions);
    await pauseIfMany(names.size);
    const found = new Map<string, T>();
    for (const [stored, name] of names) if (values.has(stored)) found.set(name, values.get(stored) as T);
    return found;
  }

  /** The keys that could not be written. */
  async set(entries: EntriesInput, options: TtlOptions): Promise<string[]> {
    const { values, names, ttlMs } = this.#toWrite(entries, checked("setMany", options));
    if (values.size === 0) return [];
    const keys = [...values.keys()];
    const isOver = ttlMs !== null && ttlMs <= 0;
    const write = isOver ? this.#client.delete(keys).then((): string[] => []) : this.#client.setMany(values, ttlMs);
    const failed = await this.#calls.guard("setMany", "", keys, write);
    return failed.map((stored) => names.get(stored) ?? stored);
  }

  /** All or nothing. */
  async setAll(entries: EntriesInput, options: TtlOptions): Promise<void> {
    const { values, ttlMs } = this.#toWrite(entries, checked("mset", options));
    if (values.size === 0) return;
    const isOver = ttlMs !== null && ttlMs <= 0;
    const write = isOver ? this.#client.delete([...values.keys()]).then(() => {}) : this.#client.mset(values, ttlMs);
    await this.#calls.guard("mset", "", undefined, write);
  }

  async delete(keys: Iterable<Key>, options: KeyOptions): Promise<number> {
    const stored = this.#keys.storedAll(several(keys, "keys"), checked("deleteMany", options));
    return stored.length === 0 ? 0 : this.#calls.guard("deleteMany", "", 0, this.#client.delete(stored));
  }

  /** The user's keys by their stored keys. */
  #names(keys: Iterable<Key>, options: KeyOptions): Map<string, string> {
    const list = several(keys, "keys");
    return new Map(this.#keys.storedAll(list, options).map((stored, i) => [stored, String(list[i])]));
  }

  /** Values and the user's keys, both by stored keys. */
  #toWrite(entries: EntriesInput, options: TtlOptions) {
    const values = new Map<string, unknown>();
    const names = new Map<string, string>();
    const pairs = toPairs(entries);
    const keys = pairs.map(([key]) => key);
    for (const [i, stored] of this.#keys.storedAll(keys, options).entries()) {
      const value = pairs[i]?.[1];
      checkValue(value, stored);
      values.set(stored, value);
      names.set(stored, String(keys[i]));
    }
    return { values, names, ttlMs: toTtlMs(options.ttl, this.#ttlMs) };
  }
}
