import type { CommandName } from "../contract/cache/commands.ts";
import type { Place } from "./model.ts";

/** What a loader of an operation does. */
export interface LoadPlan {
  readonly takesMs: number;
  readonly ends: "value" | "undefined" | "error";
}

/** One call with its arguments. Values are made when it is performed, as each has a number of its own. */
export interface Operation {
  readonly method: CommandName;
  readonly keys: readonly string[];
  readonly prefix?: string;
  readonly version?: number;
  /** In seconds; `null` never expires. @default the cache's */
  readonly ttl?: number | null;
  readonly nx?: boolean;
  readonly xx?: boolean;
  readonly otherwise?: boolean;
  readonly load?: LoadPlan;
  readonly hardTimeout?: number;
  readonly softTimeout?: number;
  /** When the caller's signal fires; 0 is before the call. */
  readonly abortAfterMs?: number;
}

export type Random = () => number;

/** The same numbers from the same seed: mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function pick<T>(random: Random, list: readonly [T, ...T[]]): T {
  return list[Math.floor(random() * list.length)] ?? list[0];
}

/**
 * The prefix and version of a cache, and others that an operation may name. All keys of a prefix are in one slot of a
 * cluster, as methods on several keys need.
 */
export const HOME = { prefix: "{home}", version: 1 } as const;
export const AWAY = { prefix: "{away}", version: 2 } as const;

export function placeOf({ prefix = HOME.prefix, version = HOME.version }: Partial<Operation>, key: string): Place {
  return `${prefix}:${version}:${key}`;
}

export const ENTRIES = ["a", "b", "c", "d", "e"] as const;
/** Entries that `incrVersion` moves, so that a value may turn up in another version. */
const MOVED = ["moved:1", "moved:2"] as const;
export const COUNTERS = ["count:1", "count:2"] as const;
const SETS = ["set:1", "set:2", "set:3"] as const;
const HASHES = ["hash:1", "hash:2"] as const;

/** How often each method is called, and on which keys. A new method without a row here does not compile. */
const WEIGHTS: Readonly<Record<CommandName, readonly [number, readonly [string, ...string[]]]>> = {
  get: [16, ENTRIES],
  set: [8, ENTRIES],
  add: [2, ENTRIES],
  getOrSet: [18, ENTRIES],
  getOrSetMany: [7, ENTRIES],
  getMany: [5, ENTRIES],
  mget: [3, ENTRIES],
  setMany: [2, ENTRIES],
  mset: [2, ENTRIES],
  delete: [6, ENTRIES],
  deleteMany: [1.5, ENTRIES],
  has: [1, ENTRIES],
  ttl: [1, ENTRIES],
  touch: [1, ENTRIES],
  expire: [1, ENTRIES],
  expireAt: [1, ENTRIES],
  expireSoft: [1, ENTRIES],
  expireSoftMany: [1, ENTRIES],
  persist: [1, ENTRIES],
  incr: [2, [...COUNTERS, "a"]],
  decr: [1, [...COUNTERS, "b"]],
  incrVersion: [0.5, MOVED],
  decrVersion: [0.5, MOVED],
  keys: [0.3, ENTRIES],
  iterKeys: [0.3, ENTRIES],
  deletePattern: [0.5, ENTRIES],
  clear: [0.3, ENTRIES],
  purgeTags: [0.3, ENTRIES],
  flush: [0.1, ENTRIES],
  lock: [0.5, ENTRIES],
  "sets.add": [2, SETS],
  "sets.delete": [0.5, SETS],
  "sets.size": [0.5, SETS],
  "sets.has": [0.5, SETS],
  "sets.hasMany": [0.5, SETS],
  "sets.members": [0.5, SETS],
  "sets.difference": [0.3, SETS],
  "sets.intersection": [0.3, SETS],
  "sets.union": [0.3, SETS],
  "sets.differenceStore": [0.3, SETS],
  "sets.intersectionStore": [0.3, SETS],
  "sets.unionStore": [0.3, SETS],
  "sets.move": [0.3, SETS],
  "sets.pop": [0.5, SETS],
  "sets.random": [0.5, SETS],
  "sets.scan": [0.5, SETS],
  "sets.iterate": [0.5, SETS],
  "hashes.set": [1, HASHES],
  "hashes.get": [0.5, HASHES],
  "hashes.getAll": [0.5, HASHES],
  "hashes.delete": [0.5, HASHES],
  "hashes.size": [0.5, HASHES],
  "hashes.fields": [0.5, HASHES],
  "hashes.has": [0.5, HASHES],
};

const METHODS = Object.keys(WEIGHTS) as CommandName[];
const TOTAL = METHODS.reduce((sum, method) => sum + WEIGHTS[method][0], 0);

const SEVERAL =
  /^(get|m)(OrSet)?(Many|get|set)$|Many$|^m(get|set)$|Store$|^sets\.(difference|intersection|union|move)$/;
const WRITES = /^(set|add|setMany|mset|getOrSet|getOrSetMany|incr|decr|touch|expire|expireAt)$/;

export function randomOperation(random: Random): Operation {
  const method = randomMethod(random);
  const of = WEIGHTS[method][1];
  const chance = (part: number) => random() < part;
  const size = !SEVERAL.test(method) ? 1 : method.startsWith("sets.") ? 2 : 1 + Math.floor(random() * 4);
  const isLoad = method.startsWith("getOrSet");
  return {
    method,
    keys: [
      ...new Set(Array.from({ length: size }, () => (chance(0.03) && of === ENTRIES ? MOVED[0] : pick(random, of)))),
    ],
    ...(chance(0.06) ? { prefix: AWAY.prefix } : {}),
    ...(chance(0.06) ? { version: AWAY.version } : {}),
    ...(WRITES.test(method) && chance(0.9) ? { ttl: randomTtl(random) } : {}),
    ...(method === "set"
      ? pick<object>(random, [
          {},
          {},
          {},
          {},
          {},
          { nx: true },
          { xx: true },
          random() < 0.1 ? { nx: true, xx: true } : {},
        ])
      : {}),
    ...(method === "get" && chance(0.2) ? { otherwise: true } : {}),
    ...(isLoad ? { load: randomLoad(random) } : {}),
    ...(isLoad && chance(0.1) ? { hardTimeout: 0.05 } : {}),
    // Loads that are far longer than the limit.
    ...(isLoad && chance(0.3)
      ? {
          softTimeout: pick(random, [0, 0.005, 0.02]),
          load: { ...randomLoad(random), takesMs: pick(random, [5, 20, 500]) },
        }
      : {}),
    ...((isLoad || method === "lock") && chance(0.15) ? { abortAfterMs: pick(random, [0, 1, 5, 20, 60]) } : {}),
  };
}

function randomMethod(random: Random): CommandName {
  let at = random() * TOTAL;
  for (const method of METHODS) {
    at -= WEIGHTS[method][0];
    if (at < 0) return method;
  }
  return "get";
}

function randomTtl(random: Random): number | null {
  return pick<number | null>(random, [0.02, 0.05, 0.1, 0.3, 1, 1, 60, 60, null, random() < 0.2 ? 0 : 0.2]);
}

function randomLoad(random: Random): LoadPlan {
  const takesMs = pick(random, [0, 0, 0, 2, 5, 10, 30, 80, random() < 0.3 ? 500 : 150]);
  return { takesMs, ends: pick(random, ["value", "value", "value", "value", "value", "value", "error", "undefined"]) };
}
