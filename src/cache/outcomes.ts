import type { CacheCall } from "../core/events.js";
import type { MethodOptions } from "./method-options.js";

/** Methods that ask the store. */
export type Method = Exclude<keyof MethodOptions, "for" | "makeKey" | "makePattern"> | "flush";

type Outcome = (call: CacheCall, result: never) => void;

/** All keys were found, or none. */
const one = (call: CacheCall, found: boolean): void => (found ? call.hit(call.count) : call.miss(call.count));
const value: Outcome = (call, result: unknown) =>
  one(call, Array.isArray(result) ? result.length > 0 : result !== undefined);
const yes: Outcome = (call, result: boolean) => one(call, result);
const each: Outcome = (call, result: readonly unknown[]) => {
  const hits = result.filter((found) => found !== undefined && found !== false).length;
  call.hit(hits);
  call.miss(call.count - hits);
};
const some: Outcome = (call, result: { readonly length: number } | { readonly size: number }) =>
  one(call, ("size" in result ? result.size : result.length) > 0);
/** The client records what was found. */
const loaded: Outcome = () => {};
const LOOKUPS: ReadonlySet<Outcome | undefined> = new Set([value, yes, each, some, loaded]);

const set: Outcome = (call, result: number | boolean) => call.stored(Number(result));
const all: Outcome = (call) => call.stored(call.count);
const removed: Outcome = (call, result: unknown) => call.changed("delete", numberOf(result));
const expire: Outcome = (call, result: number | boolean) => call.changed("expire", Number(result));

/**
 * What the result of a method says, for those that find values or not, store, delete, or change a lifetime. A client may
 * have recorded more already, such as the size of what it found.
 */
const OUTCOMES: { readonly [M in Method]?: Outcome } = {
  get: value,
  getMany: each,
  mget: each,
  getOrSet: loaded,
  getOrSetMany: loaded,
  set,
  add: set,
  setMany: (call, failed: readonly string[]) => call.stored(call.count - failed.length),
  mset: all,
  delete: removed,
  deleteMany: removed,
  has: yes,
  incr: all,
  decr: all,
  incrVersion: all,
  decrVersion: all,
  touch: expire,
  expire,
  expireAt: expire,
  expireSoft: expire,
  expireSoftMany: expire,
  persist: expire,
  deletePattern: removed,
  clear: removed,
  "sets.add": set,
  "sets.delete": removed,
  "sets.has": yes,
  "sets.hasMany": each,
  "sets.members": some,
  "sets.difference": some,
  "sets.intersection": some,
  "sets.union": some,
  "sets.differenceStore": set,
  "sets.intersectionStore": set,
  "sets.unionStore": set,
  "sets.move": set,
  "sets.pop": removed,
  "sets.random": value,
  "hashes.set": set,
  "hashes.get": value,
  "hashes.getAll": some,
  "hashes.delete": removed,
  "hashes.has": yes,
};

/** Records what a call's result says. */
export function recordResult(call: CacheCall, result: unknown): void {
  const record = OUTCOMES[call.method as Method] as ((call: CacheCall, result: unknown) => void) | undefined;
  if (!call.isRecorded) record?.(call, result);
}

/** Records a call that has failed: the keys of which nothing is recorded yet were not found. */
export function recordFailure(call: CacheCall): void {
  const { count, hits, misses, stale } = call;
  if (LOOKUPS.has(OUTCOMES[call.method as Method])) call.miss(count - hits - misses - stale);
}

/** How many a result counts: a number, members, or whether there was one. */
function numberOf(result: unknown): number {
  if (Array.isArray(result)) return result.length;
  return typeof result === "number" ? result : Number(result !== undefined && result !== false);
}
