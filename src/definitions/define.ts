import { several, toLoaded } from "../cache/arguments.js";
import type { Cache } from "../cache/cache.js";
import type { LoadingOptions } from "../cache/method-options.js";
import type { Loader, LoaderContext } from "../client/client.js";
import { inTurns, untilAborted } from "../core/async.js";
import { SchemaError, show } from "../core/errors.js";
import { checkCall, checkDefinition, type DefinitionCallOptions, type DefinitionOptions } from "./options.js";
import { emitRefused, lookUp, type Source } from "./replace.js";
import { listed, type SchemaInput, type SchemaOutput, type StandardSchema, Validator } from "./schema.js";

/**
 * Says once how one kind of values is cached: key, loader, lifetime, schema.
 *
 * With a schema its output is answered, and the loader's value is stored. The schema sees a value when it is loaded and each
 * time it is read, except for a frozen value of a near cache that it has left as it is. What the schema throws, the call
 * rejects with.
 * @throws {ConfigurationError} when an option is wrong, unknown or missing
 * @example
 * const users = define(cache, {
 *   key: (id: string) => `user:${id}`,
 *   load: (id, { signal }) => db.user(id, { signal }),
 *   loadMany: (ids) => db.users(ids),
 *   ttl: "5m",
 * });
 * const user = await users.get("7");
 */
export function define<Id, S extends StandardSchema>(
  cache: Cache,
  options: DefinitionOptions<Id, unknown, unknown, S, SchemaOutput<S>> & { readonly schema: S },
): Definition<Id, SchemaOutput<S>, SchemaInput<S>>;
/** As above, without a schema: the loader's type is that of the values. */
export function define<Id, T, Stale = T>(
  cache: Cache,
  options: DefinitionOptions<Id, T, Stale, undefined>,
): Definition<Id, T>;
export function define<Id>(cache: Cache, options: AnyOptions<Id>): Definition<Id, unknown> {
  checkDefinition(options);
  return new Definition(cache, options);
}

/** Options of a definition, whatever the types of its values. */
type AnyOptions<Id> = DefinitionOptions<Id, unknown, never, StandardSchema, never>;

type Given = LoadingOptions & { readonly tags?: readonly string[] | undefined };

/** The values of a definition, by id. Made by `define`. */
export class Definition<Id, Value, Input = Value> {
  readonly #cache: Cache;
  readonly #options: AnyOptions<Id>;
  /** Its `stale` is a value of the type that it returns. */
  readonly #load: (id: Id, context: LoaderContext) => unknown;
  readonly #tagsOf: ((value: unknown, id: Id) => readonly string[]) | undefined;
  readonly #defaults: Given;
  readonly #validator: Validator | undefined;
  readonly #suffix: string;

  /** @internal Use `define`. */
  constructor(cache: Cache, options: AnyOptions<Id>, validator?: Validator) {
    const { ttl, softTimeout, hardTimeout, version, schema, tags } = options;
    this.#cache = cache;
    this.#options = options;
    this.#load = options.load as (id: Id, context: LoaderContext) => unknown;
    if (typeof tags === "function") this.#tagsOf = tags as (value: unknown, id: Id) => readonly string[];
    // A list in any case: with tags the purge log is read, or begun, before a load.
    this.#defaults = {
      ttl,
      softTimeout,
      hardTimeout,
      tags: typeof tags === "function" ? [] : tags,
    };
    this.#validator = validator ?? (schema && new Validator(schema));
    this.#suffix = version === undefined ? "" : `@${version}`;
  }

  /** The same definition over another cache: a view for one invocation, for example. */
  with(cache: Cache): Definition<Id, Value, Input> {
    return new Definition<Id, Value, Input>(cache, this.#options, this.#validator);
  }

  /** The key of an id, for methods of the cache. @throws TypeError when the definition's `key` gives none */
  key(id: Id): string {
    const key: unknown = this.#options.key(id);
    if (typeof key === "string" && key !== "") return key + this.#suffix;
    throw new TypeError(`key: the definition's function returned ${show(key)}; return a string that is not empty`);
  }

  /**
   * The value of an id: what is stored, or else what `load` returns, which is stored. As `cache.getOrSet`.
   * @throws what `load` or the schema throws, but no store error
   * @throws {SchemaError} when the schema refuses what `load` returns, which is not stored then
   */
  get(id: Id, options?: DefinitionCallOptions): Promise<Value> {
    try {
      return this.#get(id, this.#given("get", options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The values of several ids, by id, in one round trip where all are stored. What is missing is loaded by one call of
   * `loadMany`, as by `cache.getOrSetMany`; without it, by a call of `load` for each id, as by `get`.
   * @throws as `get`; one value that the schema refuses ends the whole load
   * @example
   * const users = await definition.getMany(["7", "8"]); // Map
   */
  async getMany(ids: Iterable<Id>, options?: DefinitionCallOptions): Promise<Map<Id, Value>> {
    const list = several(ids, "ids") as Id[];
    const given = this.#given("getMany", options);
    const { loadMany } = this.#options;
    const values = new Map<Id, Value>();
    if (!loadMany) {
      const distinct = [...new Set(list)];
      const got = await Promise.all(distinct.map((id) => this.get(id, options)));
      await inTurns(distinct, (id, i) => void (got[i] !== undefined && values.set(id, got[i] as Value)));
      return values;
    }
    const keys: string[] = [];
    await inTurns(list, (id) => void keys.push(this.key(id)));
    const tags = new Map<string, readonly string[]>();
    const load = async (missing: readonly string[], context: LoaderContext): Promise<Map<string, unknown>> => {
      const idOf = new Map<string, Id>();
      await inTurns(keys, (key, i) => void idOf.set(key, list[i] as Id));
      const asked = missing.map((key) => idOf.get(key) as Id);
      const loaded = await loadMany(asked, context);
      const byId = toLoaded(loaded);
      // An object has text for names.
      const isById = loaded instanceof Map;
      const values = new Map<string, unknown>();
      for (const [i, key] of missing.entries()) {
        const value = byId.get(isById ? asked[i] : String(asked[i]));
        if (value === undefined) continue;
        const output = this.#validator ? await accept(this.#validator, key, value) : value;
        if (this.#tagsOf) tags.set(key, this.#tagsOf(output, asked[i] as Id));
        values.set(key, value);
      }
      return values;
    };
    let loading: Promise<Map<string, unknown>> | undefined;
    const begin = (missing: readonly string[], context: LoaderContext): Promise<Map<string, unknown>> => {
      loading = load(missing, context);
      return loading;
    };
    const tagsOf = this.#tagsOf && { tags: (_: unknown, key: string) => tags.get(key) ?? [] };
    const look: Source["look"] = (some, more) =>
      this.#cache.getOrSetMany(some, begin, { ...given, ...tagsOf, ...more });
    const found = this.#validator
      ? await leaving(
          lookUp(this.#cache, this.#validator, [...new Set(keys)], {
            method: "getOrSetMany",
            look,
            loading: () => loading,
          }),
          given,
        )
      : await look(keys);
    await inTurns(list, (id, i) => {
      const value = found.get(keys[i] as string);
      if (value !== undefined) values.set(id, value as Value);
    });
    return values;
  }

  /** Stores the value of an id. @throws {SchemaError} when the schema refuses it @throws {EncodeError} before any I/O */
  async set(id: Id, value: Input): Promise<void> {
    const key = this.key(id);
    const output = this.#validator ? await accept(this.#validator, key, value) : value;
    const { ttl, tags } = this.#defaults;
    await this.#cache.set(key, value, { ttl, tags: this.#tagsOf?.(output, id) ?? tags });
  }

  /** Loads the value of an id although one is stored, and stores it. `get` answers the old one meanwhile. @throws as `get` */
  async refresh(id: Id, options?: DefinitionCallOptions): Promise<Value> {
    return this.#get(id, { ...this.#given("refresh", options), forceRefresh: true });
  }

  /** Deletes the value of an id. @returns whether there was one */
  async delete(id: Id): Promise<boolean> {
    return this.#cache.delete(this.key(id));
  }

  /** The stored value of an id, without loading. @returns `undefined` when there is none that the schema accepts */
  async peek(id: Id): Promise<Value | undefined> {
    const key = this.key(id);
    const value = await this.#cache.get(key);
    if (value === undefined || !this.#validator) return value as Value | undefined;
    const result = await this.#validator.check(value);
    if (!result.issues) return result.value as Value;
    emitRefused(this.#cache, "get", new Map([[key, result.issues]]));
    return undefined;
  }

  #get(id: Id, given: Given): Promise<Value> {
    const key = this.key(id);
    const loading = this.#validator
      ? leaving(this.#validated(this.#validator, id, key, given), given)
      : this.#cache.getOrSet(key, this.#tagsOf ? this.#tagging(id) : (context) => this.#load(id, context), given);
    return loading as Promise<Value>;
  }

  #tagging(id: Id): Loader<unknown> {
    return async (context) => {
      const value = await this.#load(id, context);
      this.#tag(context, value, id);
      return value;
    };
  }

  #tag(context: LoaderContext, value: unknown, id: Id): void {
    // What is not stored has no tags.
    if (this.#tagsOf && value !== undefined) context.tags(this.#tagsOf(value, id));
  }

  #given(method: string, options: DefinitionCallOptions | undefined): Given {
    if (options === undefined) return this.#defaults;
    checkCall(method, options);
    return { ...this.#defaults, ...options };
  }

  async #validated(validator: Validator, id: Id, key: string, given: Given): Promise<unknown> {
    const cache = this.#cache;
    let loading: Promise<unknown> | undefined;
    const load = async (context: LoaderContext): Promise<unknown> => {
      const value = await this.#load(id, context);
      this.#tag(context, await accept(validator, key, value), id);
      return value;
    };
    const begin = (context: LoaderContext): Promise<unknown> => {
      loading = load(context);
      return loading;
    };
    const checked = validator.check(await cache.getOrSet(key, begin, given));
    const result = checked instanceof Promise ? await checked : checked;
    if (!result.issues) return result.value;
    const outputs = await lookUp(cache, validator, [key], {
      method: "getOrSet",
      look: async (_, options) => new Map([[key, await cache.getOrSet(key, begin, { ...given, ...options })]]),
      loading: () => loading,
    });
    return outputs.get(key);
  }
}

/** Lets a caller end its wait for the schema, too. */
function leaving<T>(work: Promise<T>, { signal }: Given): Promise<T> {
  return signal ? untilAborted(work, signal) : work;
}

/** The schema's output. @throws {SchemaError} */
async function accept(validator: Validator, key: string, value: unknown): Promise<unknown> {
  const result = await validator.check(value);
  if (!result.issues) return result.value;
  throw new SchemaError(
    `key ${show(key)}: the schema refuses the value, which is not stored: ${listed(result.issues)}; mend what returns it, or the schema`,
    result.issues,
  );
}
