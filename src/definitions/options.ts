import { cacheChecks } from "../cache/options.js";
import type { LoaderContext } from "../client/client.js";
import { ConfigurationError, show } from "../core/errors.js";
import {
  type Check,
  type Checks,
  checkOptions,
  isFunction,
  isWait,
  isWindow,
  orNull,
  wrongOption,
} from "../core/options.js";
import type { Duration } from "../core/time.js";
import { toTags } from "../tags/tags.js";
import { isSchema, type StandardSchema } from "./schema.js";

/** Values by the caller's ids: a `Map`, or an object whose names are the ids as text. */
export type ValuesById<Id, T> = ReadonlyMap<Id, T> | Readonly<Record<string, T>>;

/** Loads the values of several ids. An id that it leaves out has no value. */
export type LoadManyById<Id, T> = (ids: Id[], context: LoaderContext) => ValuesById<Id, T> | Promise<ValuesById<Id, T>>;

/** Options that `define` and `wrap` share. */
export interface DefinitionSettings {
  /** Lifetime: seconds, or a duration such as `"5m"`; `null` never expires. @default the cache's `ttl` */
  ttl?: Duration | null | undefined;
  /** The version of the values, which is a part of the key. Change it with the shape of the values, so that the old and the new release of a deploy have separate entries. @default none */
  version?: number | string | undefined;
  /** When the loader takes longer, a stale value is returned if there is one, and the load continues. @default none */
  softTimeout?: Duration | undefined;
  /** When the loader takes longer, the call rejects with a `LoaderTimeoutError`; `null` for no limit. @default the client's */
  hardTimeout?: Duration | null | undefined;
}

/** Options of `define`. */
export interface DefinitionOptions<Id, T, Stale = T, S = StandardSchema, Value = T> extends DefinitionSettings {
  /** The key of an id. Different ids need different keys. */
  key: (id: Id) => string;
  /** Loads the value of an id. `undefined` is returned and never stored. */
  load: (id: Id, context: LoaderContext<Stale>) => T | Promise<T>;
  /** Loads the values of several ids for `getMany`, in one call for all missing ones. @default `load` for each of them, at the same time */
  loadMany?: LoadManyById<Id, T> | undefined;
  /** A schema of zod, valibot, arktype or another library with Standard Schema. A loaded value that it refuses is not stored; a stored value that it refuses is loaded again. @default none */
  schema?: S | undefined;
  /** Tags by which `cache.purgeTags` invalidates a value: a list, or a function of the value, as it is returned, and its id. @default none */
  tags?: readonly string[] | ((value: Value, id: Id) => readonly string[]) | undefined;
}

/** Options of `get`, `getMany` and `refresh` of a definition, in place of its own. */
export interface DefinitionCallOptions {
  /** Ends this caller's wait, with the signal's reason. @default none */
  signal?: AbortSignal | undefined;
  /** As the definition's. @default the definition's */
  softTimeout?: Duration | undefined;
  /** As the definition's. @default the definition's */
  hardTimeout?: Duration | null | undefined;
}

const isVersion: Check = (value) => {
  if (typeof value === "string" && value !== "" && value.isWellFormed()) return undefined;
  return Number.isSafeInteger(value) ? undefined : "a whole number, or a string that is not empty";
};

/** Made when it is needed: a bundler can't leave out an object that calls make, though nothing uses it. */
export const settingsChecks = (): Checks<DefinitionSettings> => ({
  ttl: cacheChecks.ttl,
  version: isVersion,
  softTimeout: isWindow,
  hardTimeout: orNull(isWait),
});

export const schemaCheck: Check = (value) =>
  isSchema(value) ? undefined : "a schema with Standard Schema, as zod, valibot and arktype make them";

export const tagsCheck: Check = (value, name) => {
  if (typeof value === "function") return undefined;
  try {
    toTags(value, name);
    return undefined;
  } catch {
    return "at most 128 texts of 1 to 1,024 characters, or a function that returns these";
  }
};

const definitionChecks = (): Checks<DefinitionOptions<unknown, unknown>> => ({
  ...settingsChecks(),
  key: isFunction,
  load: isFunction,
  loadMany: isFunction,
  schema: schemaCheck,
  tags: tagsCheck,
});

const callChecks: Checks<DefinitionCallOptions> = { signal: null, softTimeout: null, hardTimeout: null };

/** @throws {ConfigurationError} */
export function checkDefinition(given: unknown): void {
  checkOptions<DefinitionOptions<unknown, unknown>>("define", given, definitionChecks());
  for (const name of ["key", "load"] as const) {
    if (given[name] === undefined) throw new ConfigurationError(`define: option "${name}" is missing; give a function`);
  }
}

/** @throws TypeError naming the option that is unknown, or what was given in the place of options */
export function checkCall(method: string, given: DefinitionCallOptions): void {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`${method}: options are ${show(given)}; give an object such as { signal }`);
  }
  for (const [name, value] of Object.entries(given)) {
    const wrong = wrongOption(name, value, callChecks);
    if (wrong !== undefined) throw new TypeError(`${method}: ${wrong}`);
  }
}
