import { KeyNotFoundError, show } from "../core/errors.js";
import { type Key, StoredKey } from "../core/key.js";
import { checked, toInt64, toStep, toTtlMs } from "./arguments.js";
import type { IncrOptions, KeyOptions } from "./method-options.js";
import type { CacheParts } from "./parts.js";

/** `incr` and `decr`. */
export async function addTo(
  { calls, client, settings }: CacheParts,
  method: "incr" | "decr",
  key: Key,
  by: number | bigint,
  options: IncrOptions,
): Promise<number | bigint> {
  const delta = method === "incr" ? toInt64(by) : toInt64(-toInt64(by));
  return calls.onKey<number | bigint>(method, key, options, 0, async (stored, call) => {
    const ttlMs = toTtlMs(options.ttl, settings.ttlMs);
    // With a ttl of 0 or less nothing is stored; the result is what the value would have been.
    const isOver = ttlMs !== null && ttlMs <= 0;
    const value = await client.incr(stored, delta, options.create && !isOver ? { ttlMs } : undefined);
    if (value !== undefined) return value;
    if (!options.create) throw notFound(stored);
    call?.stored(0);
    return Number.isSafeInteger(Number(delta)) ? Number(delta) : delta;
  });
}

/** `incrVersion` and `decrVersion`. */
export async function moveVersion(
  { calls, client, keys }: CacheParts,
  method: "incrVersion" | "decrVersion",
  key: string,
  by: number,
  options: KeyOptions,
): Promise<number> {
  if ((key as unknown) instanceof StoredKey)
    throw new TypeError("key: a stored key has its version in it; give your own key");
  const current = keys.version(checked(method, options));
  const version = method === "incrVersion" ? current + toStep(by) : current - toStep(by);
  const from = keys.stored(key, options);
  const to = keys.stored(key, { ...options, version });
  return calls.guard(method, from, 0, async () => {
    if (!(await client.rename(from, to))) throw notFound(from);
    return version;
  });
}

function notFound(key: string): KeyNotFoundError {
  return new KeyNotFoundError(`key ${show(key)}: there is no such entry; set it first`);
}
