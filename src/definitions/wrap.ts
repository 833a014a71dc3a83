import type { Cache } from "../cache/cache.js";
import { ConfigurationError, show } from "../core/errors.js";
import { type Check, checkOptions } from "../core/options.js";
import { argumentKey } from "./argument-key.js";
import { Definition } from "./define.js";
import { type DefinitionSettings, schemaCheck, settingsChecks, tagsCheck } from "./options.js";
import type { StandardSchema } from "./schema.js";

/** Options of `wrap`. */
export interface WrapOptions<A extends readonly unknown[], T> extends DefinitionSettings {
  /** A name for the function, to which its arguments are added; or a function of the arguments that returns the whole key. Give one where code is minified. @default the function's name */
  key?: string | ((...args: A) => string) | undefined;
  /** A schema, as for `define`, that answers the function's type. @default none */
  schema?: StandardSchema<unknown, T> | undefined;
  /** Tags by which `cache.purgeTags` invalidates a value: a list, or a function of the value and the arguments. @default none */
  tags?: readonly string[] | ((value: T, ...args: A) => readonly string[]) | undefined;
}

/** A function with a cache before it. */
export interface Wrapped<A extends readonly unknown[], T> {
  /** What is stored for these arguments, or else what the function returns, which is stored unless it is `undefined`. */
  (...args: A): Promise<T>;
  /** Calls the function although something is stored, and stores what it returns. */
  refresh(...args: A): Promise<T>;
  /** Deletes what is stored for these arguments. @returns whether there was anything */
  delete(...args: A): Promise<boolean>;
  /** What is stored for these arguments, without calling the function. @returns `undefined` when there is nothing */
  peek(...args: A): Promise<T | undefined>;
  /** The key of these arguments, for methods of the cache. */
  key(...args: A): string;
}

/**
 * Puts a cache before a function. Without a function `key`, the key is the name with the arguments:
 * `report("7",{"from":Date(0)})`. Arguments may be strings, numbers, bigints, booleans, `null`, `undefined`, `Date`s, and
 * arrays and plain objects of these. Others reject with a `TypeError`, as two of them might get one key.
 * @throws {ConfigurationError} when an option is wrong or unknown, or the function has no name of its own
 * @example
 * const cachedReport = wrap(cache, report, { key: "report", ttl: "5m" });
 * await cachedReport("7", { deep: true });
 * await cachedReport.delete("7", { deep: true });
 */
export function wrap<A extends readonly unknown[], R>(
  cache: Cache,
  fn: (...args: A) => R,
  options: WrapOptions<A, NoInfer<Awaited<R>>> = {},
): Wrapped<A, Awaited<R>> {
  if (typeof fn !== "function") throw new ConfigurationError(`wrap: ${show(fn)} is not a function; give one`);
  checkOptions<WrapOptions<A, Awaited<R>>>("wrap", options, {
    ...settingsChecks(),
    key: isKey,
    schema: schemaCheck,
    tags: tagsCheck,
  });
  const { key = nameOf(fn), tags, ...rest } = options;
  const definition = new Definition<A, Awaited<R>>(cache, {
    ...rest,
    key: typeof key === "string" ? (args) => key + argumentKey(key, args) : (args) => key(...args),
    load: (args) => fn(...args),
    tags: typeof tags === "function" ? (value: Awaited<R>, args: A) => tags(value, ...args) : tags,
  });
  return Object.assign((...args: A) => definition.get(args), {
    refresh: (...args: A) => definition.refresh(args),
    delete: (...args: A) => definition.delete(args),
    peek: (...args: A) => definition.peek(args),
    key: (...args: A) => definition.key(args),
  });
}

const isKey: Check = (value) =>
  typeof value === "function" || (typeof value === "string" && value !== "" && value.isWellFormed())
    ? undefined
    : "a string that is not empty, or a function that returns one";

/** Names that minifiers make are mostly shorter. */
const MIN_NAME = 4;

/** A minifier gives one name to several functions, and another one with each build. */
function nameOf({ name }: { readonly name: string }): string {
  if (name.length >= MIN_NAME && name.isWellFormed()) return name;
  const why = name === "" ? "has no name" : `is called ${show(name)}, as a minifier may call any function`;
  throw new ConfigurationError(`wrap: the function ${why}; give the option "key", such as { key: "report" }`);
}
