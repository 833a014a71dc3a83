import type { Cache } from "../cache/cache.js";
import type { GetOrSetOptions } from "../cache/method-options.js";
import { DELETE_IF } from "../client/entry-scripts.js";
import type { Reply } from "../core/connection.js";
import { SchemaError, type SchemaIssue, show, throwIfError } from "../core/errors.js";
import { listed, type Validator } from "./schema.js";

/** Values by key. */
export type Values = ReadonlyMap<string, unknown>;

/** Lookups in the cache, which load and validate what is missing. */
export interface Source {
  readonly method: "getOrSet" | "getOrSetMany";
  /** Answers what is stored, or else loads. @param options those of the lookup */
  look(keys: readonly string[], options?: Pick<GetOrSetOptions, "forceRefresh">): Promise<Values>;
  /** The last load that the lookups have begun, also one in the background. */
  loading(): Promise<unknown> | undefined;
}

export type Refused = ReadonlyMap<string, readonly SchemaIssue[]>;

/** How often a stored value is looked up again that the schema refuses, before one is loaded whatever is stored. */
const MAX_TRIES = 3;

/**
 * Looks values up, and replaces stored ones that the schema refuses: they are deleted, and count as missing then, so that one
 * caller of the fleet loads them under `herd()`.
 * @returns the schema's outputs, by key
 * @throws {SchemaError} for a loader's value that the schema refuses
 */
export async function lookUp(
  cache: Cache,
  validator: Validator,
  keys: readonly string[],
  source: Source,
): Promise<Map<string, unknown>> {
  const outputs = new Map<string, unknown>();
  let awaited: Promise<unknown> | undefined;
  let left = keys;
  for (let tries = 0; ; tries++) {
    // Read before the lookup: if it is still there after that, it is what the lookup has answered.
    const before = tries === 0 ? undefined : readStored(cache, left);
    const found = await source.look(left);
    const refused = await sort(validator, found, outputs);
    if (refused.size === 0) return outputs;
    if (tries === 0) emitRefused(cache, source.method, refused);
    left = [...refused.keys()];
    if (tries === MAX_TRIES) break;
    // The refresh of an old value, by this caller.
    const loading = source.loading();
    if (loading !== awaited) {
      await loading;
      awaited = loading;
    } else if (before) await remove(cache, source.method, await before);
  }
  // The store refuses writes, or another release of the application writes the key as often.
  const refused = await sort(validator, await source.look(left, { forceRefresh: true }), outputs);
  if (refused.size > 0) throw changedByStoring(refused);
  return outputs;
}

/** Validates values, and adds the outputs. @returns the refused ones */
async function sort(validator: Validator, found: Values, outputs: Map<string, unknown>): Promise<Refused> {
  const refused = new Map<string, readonly SchemaIssue[]>();
  for (const [key, value] of found) {
    const checked = validator.check(value);
    const result = checked instanceof Promise ? await checked : checked;
    if (result.issues) refused.set(key, result.issues);
    else outputs.set(key, result.value);
  }
  return refused;
}

/** The stored bytes, from the primary. They are no promise of what the cache would answer. Never rejects. */
async function readStored(cache: Cache, keys: readonly string[]): Promise<ReadonlyMap<string, Reply>> {
  const stored = keys.map((key) => String(cache.makeKey(key)));
  try {
    const replies = await cache.connection.send(stored.map((key) => ["GET", key]));
    return new Map(stored.map((key, i) => [key, replies[i] ?? null]));
  } catch {
    // The lookup meets the same error, and reports it.
    return new Map();
  }
}

/** Deletes what is still stored as it was read. Never rejects. */
async function remove(cache: Cache, method: string, before: ReadonlyMap<string, Reply>): Promise<void> {
  const deleting = [...before].map(async ([key, reply]) => {
    try {
      const stored = throwIfError(reply);
      if (typeof stored !== "string" && !(stored instanceof Uint8Array)) return;
      await cache.connection.script(DELETE_IF, [key], [stored]);
    } catch (error) {
      cache.report(error, method, key);
    }
  });
  await Promise.all(deleting);
}

export function emitRefused(cache: Cache, method: string, refused: Refused): void {
  for (const [key, issues] of refused) {
    cache.events.emit("refused", () => ({ method, key: String(cache.makeKey(key)), issues }));
  }
}

function changedByStoring(refused: Refused): SchemaError {
  const [[key, issues] = ["", []]] = refused;
  return new SchemaError(
    `key ${show(key)}: the schema accepts what the loader returns, but refuses what the cache's serializer restores of it (${listed(issues)}); use a schema for the stored form, such as z.coerce.date() for a Date under json(), or another serializer`,
    issues,
  );
}
