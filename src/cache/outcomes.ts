import type { CacheCall } from "../core/events.js";
import type { MethodOptions } from "./method-options.js";

type Method = Exclude<keyof MethodOptions, "for" | "makeKey" | "makePattern"> | "flush";

type Tell = (call: CacheCall, result: never) => void;

const one = (call: CacheCall, found: boolean): void => (found ? call.hit() : call.miss());
const value: Tell = (call, result: unknown) => one(call, result !== undefined);
const yes: Tell = (call, result: boolean) => one(call, result);
const all: Tell = (call, result: readonly unknown[]) => {
  const hits = result.filter((found) => found !== undefined && found !== false).length;
  call.hit(hits);
  call.miss(result.length - hits);
};
const some: Tell = (call, result: { readonly length: number } | { readonly size: number }) =>
  one(call, ("size" in result ? result.size : result.length) > 0);
const set: Tell = (call, result: unknown) => call.changed("set", numberOf(result));
const removed: Tell = (call, result: unknown) => call.changed("delete", numberOf(result));
const expire: Tell = (call, result: unknown) => call.changed("expire", numberOf(result));
const nothing: Tell = () => {};

/**
 * What the result of each method says: values were found or not, stored, deleted, or given another lifetime. A client may
 * have told more already, such as the size of what it found.
 */
const TELLS: Readonly<Record<Method, Tell>> = {
  get: value,
  getMany: all,
  mget: all,
  getOrSet: nothing,
  getOrSetMany: nothing,
  set,
  add: set,
  setMany: (call, failed: readonly string[]) => call.changed("set", call.count - failed.length),
  mset: (call) => call.changed("set", call.count),
  delete: removed,
  deleteMany: removed,
  has: yes,
  incr: set,
  decr: set,
  incrVersion: set,
  decrVersion: set,
  ttl: nothing,
  touch: expire,
  expire,
  expireAt: expire,
  persist: expire,
  keys: nothing,
  iterKeys: nothing,
  deletePattern: removed,
  clear: removed,
  flush: nothing,
  lock: nothing,
  "sets.add": set,
  "sets.delete": removed,
  "sets.size": nothing,
  "sets.has": yes,
  "sets.hasMany": all,
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
  "sets.scan": nothing,
  "sets.iterate": nothing,
  "hashes.set": set,
  "hashes.get": value,
  "hashes.getAll": some,
  "hashes.delete": removed,
  "hashes.size": nothing,
  "hashes.fields": nothing,
  "hashes.has": yes,
};

/** Tells what a call's result says. */
export function tell(call: CacheCall, result: unknown): void {
  const tells = TELLS[call.method as Method] as ((call: CacheCall, result: unknown) => void) | undefined;
  if (!call.told && !call.isAnswered) tells?.(call, result);
}

/** How many a result counts: a number, or whether there was one. */
function numberOf(result: unknown): number {
  if (typeof result === "number") return result;
  if (Array.isArray(result)) return result.length;
  return result === undefined || result === false ? 0 : 1;
}
