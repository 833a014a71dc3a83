import type { LoaderContext, LoadOptions, ManyLoader } from "../client/client.js";
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
import type {
  EntriesInput,
  GetOrSetManyOptions,
  KeyOptions,
  Many,
  RecordInput,
  SetManyOptions,
  TtlOptions,
} from "./method-options.js";
import type { CacheParts } from "./parts.js";

/** A loader of several keys, as `getOrSetMany` takes it. The `stale` of its context is `undefined`. */
export type LoadMany<T> = (keys: string[], context: LoaderContext) => Many<T> | Promise<Many<T>>;

/** The same, with a result that an interface describes. */
export type LoadRecord<R extends RecordInput> = (keys: string[], context: LoaderContext) => R | Promise<R>;

/** `getMany` and `mget`. */
export async function getMany<T>(
  parts: CacheParts,
  method: "getMany" | "mget",
  keys: Iterable<Key>,
  options: KeyOptions,
): Promise<Map<string, T>> {
  const names = several(keys, "keys");
  const stored = toStored(parts, names, checked(method, options));
  if (stored.pass) await stored.pass;
  const found = new Map<string, T>();
  if (names.length === 0) return found;
  const read = (call?: CacheCall) => parts.client[method](stored.keys, call);
  const values = await parts.calls.guard<unknown[]>(method, "", [], read, names.length);
  await inTurns(names, (name, i) => {
    const value = values[i];
    if (value !== undefined) found.set(String(name), value as T);
  });
  return found;
}

/** `getOrSetMany`. */
export async function getOrSetMany<T>(
  parts: CacheParts,
  keys: Iterable<Key>,
  loader: LoadMany<T>,
  options: GetOrSetManyOptions,
): Promise<Map<string, T>> {
  parts.keys.check(checked("getOrSetMany", options));
  /** The user's keys by their stored keys. */
  const names = new Map<string, string>();
  const list = several(keys, "keys");
  if (typeof loader !== "function") throw notALoader(loader, "values");
  const { tags: tagsOf, ...rest } = toLoadOptions(options, parts.settings, parts.invocation.signal);
  const loadOptions: LoadOptions = {
    ...rest,
    tags: tagsOf && ((value, key) => tagsOf(value, names.get(key) ?? key)),
  };
  loadOptions.signal?.throwIfAborted();
  const pass = inTurns(list, (name) => void names.set(parts.keys.stored(name as Key, options), String(name)));
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
    parts.client.getOrSetMany([...names.keys()], load, call ? { ...loadOptions, call } : loadOptions);
  const values = await parts.calls.observe("getOrSetMany", "", answer, names.size);
  const found = new Map<string, T>();
  await inTurns([...names], ([key, name]) => void (values.has(key) && found.set(name, values.get(key) as T)));
  return found;
}

/** `setMany`: the keys that could not be written. */
export async function setMany(parts: CacheParts, entries: EntriesInput, options: SetManyOptions): Promise<string[]> {
  const { tags: given } = checked("setMany", options);
  const { values, names, ttlMs, pass } = toWrite(parts, entries, options);
  if (pass) await pass;
  if (values.size === 0) return [];
  const tags = toTagsOfEach(parts, given, values, names);
  const keys = [...values.keys()];
  const isOver = ttlMs !== null && ttlMs <= 0;
  const write = (call?: CacheCall): Promise<string[]> =>
    isOver ? endAll(parts, keys, call).then(() => []) : parts.client.setMany(values, { ttlMs, tags, call });
  const failed = await parts.calls.guard("setMany", "", keys, write, keys.length);
  return failed.map((stored) => names.get(stored) ?? stored);
}

/** `mset`. */
export async function setAll(parts: CacheParts, entries: EntriesInput, options: TtlOptions): Promise<void> {
  const { values, names, ttlMs, pass } = toWrite(parts, entries, checked("mset", options));
  if (pass) await pass;
  if (values.size === 0) return;
  const tags = toTagsOfEach(parts, undefined, values, names);
  const isOver = ttlMs !== null && ttlMs <= 0;
  const write = (call?: CacheCall): Promise<void> =>
    isOver ? endAll(parts, [...values.keys()], call) : parts.client.mset(values, { ttlMs, tags, call });
  await parts.calls.guard("mset", "", undefined, write, values.size);
}

/** `deleteMany`, and `expireSoftMany`. */
export async function endMany(
  parts: CacheParts,
  method: "deleteMany" | "expireSoftMany",
  keys: Iterable<Key>,
  options: KeyOptions,
): Promise<number> {
  const how = method === "deleteMany" ? "delete" : "expireSoft";
  const stored = toStored(parts, several(keys, "keys"), checked(method, options));
  if (stored.pass) await stored.pass;
  if (stored.keys.length === 0) return 0;
  return parts.calls.guard(method, "", 0, () => parts.client[how](stored.keys), stored.keys.length);
}

/** The tags of values that are written, by stored key. @throws TypeError */
function toTagsOfEach(
  { settings }: CacheParts,
  given: unknown,
  values: ReadonlyMap<string, unknown>,
  names: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> | undefined {
  const tagsOf = toTagsOf(given, settings.namespaces);
  return tagsOf && new Map([...values].map(([key, value]) => [key, tagsOf(value, names.get(key) ?? key)]));
}

/** A lifetime of 0 or less ends entries instead of storing them. */
async function endAll({ client }: CacheParts, keys: readonly string[], call: CacheCall | undefined): Promise<void> {
  const deleted = await client.delete(keys);
  call?.changed("delete", deleted);
}

/** The stored keys. They are complete when `pass` has resolved; without one they are at once. @throws TypeError */
function toStored(
  { keys }: CacheParts,
  names: readonly unknown[],
  options: KeyOptions,
): { keys: string[]; pass: Promise<void> | undefined } {
  keys.check(options);
  const stored: string[] = [];
  return { keys: stored, pass: inTurns(names, (name) => void stored.push(keys.stored(name as Key, options))) };
}

/** Values and the user's keys, both by stored keys. They are complete when `pass` has resolved, if there is one. */
function toWrite({ keys, settings }: CacheParts, entries: EntriesInput, options: TtlOptions) {
  keys.check(options);
  const ttlMs = toTtlMs(options.ttl, settings.ttlMs);
  const values = new Map<string, unknown>();
  const names = new Map<string, string>();
  const pass = inTurns(toPairs(entries), ([key, value]) => {
    const stored = keys.stored(key, options);
    checkValue(value, stored);
    values.set(stored, value);
    names.set(stored, String(key));
  });
  return { values, names, ttlMs, pass };
}
