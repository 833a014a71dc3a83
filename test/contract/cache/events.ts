import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CallEvent, EventName } from "../../../src/core/event-types.js";
import type { Open } from "../cache.js";
import { COMMANDS } from "./commands.js";
import { all } from "./sets.js";

/** The events of what a call found and changed. */
const COUNTED = ["hit", "miss", "stale", "set", "delete", "expire"] as const satisfies readonly EventName[];
type Counts = Partial<Record<(typeof COUNTED)[number], number>>;

/** Records the calls of a cache, and how much each event that is counted amounts to. */
export function record(cache: Cache) {
  const calls: CallEvent[] = [];
  const counts: Counts = {};
  cache.on("call", (call) => void calls.push(call));
  for (const name of COUNTED) {
    cache.on(name, ({ count }) => {
      counts[name] = (counts[name] ?? 0) + count;
    });
  }
  return { calls, counts };
}

/** What a cache holds, according to what was asked of it. */
class Model {
  /** Whether each entry has a lifetime. */
  readonly entries = new Map<string, boolean>();
  readonly sets = new Map<string, Set<number>>();
  readonly hash = new Set<string>();

  set(key: string): number {
    this.entries.set(key, true);
    return 1;
  }

  delete(key: string): number {
    return Number(this.entries.delete(key));
  }

  /** `change` is what the lifetime of an entry becomes. */
  expire(key: string, change: boolean): number {
    return this.entries.has(key) ? this.entries.set(key, change).size && 1 : 0;
  }

  members(key: string): Set<number> {
    const members = this.sets.get(key) ?? new Set();
    this.sets.set(key, members);
    return members;
  }
}

/** What a step is given: keys of one slot, and numbers. */
interface Given {
  readonly key: string;
  readonly other: string;
  readonly keys: readonly string[];
  readonly n: number;
}

interface Step {
  run(cache: Cache, given: Given): Promise<unknown>;
  /** What is told of it. @param count how many keys it looks up or writes @default 1 */
  told(model: Model, given: Given): Counts & { readonly count?: number };
}

const found = (is: boolean, count = 1): Counts => (is ? { hit: count } : { miss: count });
const several = (model: Model, keys: readonly string[]): Counts & { count: number } => {
  const hit = keys.filter((key) => model.entries.has(key)).length;
  return { hit, miss: keys.length - hit, count: keys.length };
};
const record1 = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, 1]));
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
const union = (model: Model, a: string, b: string) => new Set([...model.members(a), ...model.members(b)]);

/** By the method's name, and behind a space what is special. */
const STEPS: Readonly<Record<string, Step>> = {
  get: { run: (cache, { key }) => cache.get(key), told: (model, { key }) => found(model.entries.has(key)) },
  has: { run: (cache, { key }) => cache.has(key), told: (model, { key }) => found(model.entries.has(key)) },
  getMany: { run: (cache, { keys }) => cache.getMany(keys), told: (model, { keys }) => several(model, keys) },
  mget: { run: (cache, { keys }) => cache.mget(keys), told: (model, { keys }) => several(model, keys) },
  set: { run: (cache, { key }) => cache.set(key, 1), told: (model, { key }) => ({ set: model.set(key) }) },
  "set nx": {
    run: (cache, { key }) => cache.set(key, 1, { nx: true }),
    told: (model, { key }) => ({ set: model.entries.has(key) ? 0 : model.set(key) }),
  },
  "set xx": {
    run: (cache, { key }) => cache.set(key, 1, { xx: true }),
    told: (model, { key }) => ({ set: model.entries.has(key) ? model.set(key) : 0 }),
  },
  "set for no time": {
    run: (cache, { key }) => cache.set(key, 1, { ttl: 0 }),
    told: (model, { key }) => ({ delete: model.delete(key) }),
  },
  "set nx for no time": { run: (cache, { key }) => cache.set(key, 1, { ttl: 0, nx: true }), told: () => ({}) },
  add: {
    run: (cache, { key }) => cache.add(key, 1),
    told: (model, { key }) => ({ set: model.entries.has(key) ? 0 : model.set(key) }),
  },
  setMany: {
    run: (cache, { keys }) => cache.setMany(record1(keys)),
    told: (model, { keys }) => ({ set: sum(keys.map((key) => model.set(key))), count: keys.length }),
  },
  "setMany for no time": {
    run: (cache, { keys }) => cache.setMany(record1(keys), { ttl: 0 }),
    told: (model, { keys }) => ({ delete: sum(keys.map((key) => model.delete(key))), count: keys.length }),
  },
  mset: {
    run: (cache, { keys }) => cache.mset(record1(keys)),
    told: (model, { keys }) => ({ set: sum(keys.map((key) => model.set(key))), count: keys.length }),
  },
  delete: { run: (cache, { key }) => cache.delete(key), told: (model, { key }) => ({ delete: model.delete(key) }) },
  deleteMany: {
    run: (cache, { keys }) => cache.deleteMany(keys),
    told: (model, { keys }) => ({ delete: sum(keys.map((key) => model.delete(key))), count: keys.length }),
  },
  deletePattern: {
    run: (cache, { key }) => cache.deletePattern(key),
    told: (model, { key }) => ({ delete: model.delete(key) }),
  },
  incr: {
    run: (cache, { key, n }) => cache.incr(key, n, { create: true }),
    told: (model, { key }) => ({ set: model.entries.has(key) ? 1 : model.set(key) }),
  },
  decr: {
    run: (cache, { key, n }) => cache.decr(key, n),
    told: (model, { key }) => ({ set: Number(model.entries.has(key)) }),
  },
  "incr for no time": {
    run: (cache, { key, n }) => cache.incr(key, n, { create: true, ttl: 0 }),
    told: (model, { key }) => ({ set: Number(model.entries.has(key)) }),
  },
  incrVersion: {
    run: (cache, { key }) => cache.incrVersion(key),
    told: (model, { key }) => ({ set: model.delete(key) }),
  },
  touch: {
    run: (cache, { key }) => cache.touch(key, 60),
    told: (model, { key }) => ({ expire: model.expire(key, true) }),
  },
  "touch with null": {
    run: (cache, { key }) => cache.touch(key, null),
    told: (model, { key }) => ({ expire: model.expire(key, false) }),
  },
  "touch with 0": {
    run: (cache, { key }) => cache.touch(key, 0),
    told: (model, { key }) => ({ delete: model.delete(key) }),
  },
  expire: {
    run: (cache, { key }) => cache.expire(key, 60),
    told: (model, { key }) => ({ expire: model.expire(key, true) }),
  },
  expireAt: {
    run: (cache, { key }) => cache.expireAt(key, new Date(Date.now() + 60_000)),
    told: (model, { key }) => ({ expire: model.expire(key, true) }),
  },
  "expireAt in the past": {
    run: (cache, { key }) => cache.expireAt(key, 1),
    told: (model, { key }) => ({ delete: model.delete(key) }),
  },
  persist: {
    run: (cache, { key }) => cache.persist(key),
    told: (model, { key }) => ({ expire: model.entries.get(key) === true ? model.expire(key, false) : 0 }),
  },
  ttl: { run: (cache, { key }) => cache.ttl(key), told: () => ({}) },
  keys: { run: (cache) => cache.keys(), told: () => ({}) },
  iterKeys: { run: (cache) => all(cache.iterKeys()), told: () => ({}) },
  getOrSet: {
    run: (cache, { key }) => cache.getOrSet(key, () => 1),
    told: (model, { key }) => (model.entries.has(key) ? { hit: 1 } : { miss: 1, set: model.set(key) }),
  },
  "getOrSet with a loader that has no value": {
    run: (cache, { key }) => cache.getOrSet(key, () => undefined),
    told: (model, { key }) => found(model.entries.has(key)),
  },
  "getOrSet with a loader that fails": {
    run: (cache, { key }) => cache.getOrSet(key, () => Promise.reject(new Error("no value"))),
    told: (model, { key }) => found(model.entries.has(key)),
  },
  getOrSetMany: {
    run: (cache, { keys }) => cache.getOrSetMany(keys, record1),
    told: (model, { keys }) => {
      const counts = several(model, keys);
      for (const key of keys) if (!model.entries.has(key)) model.set(key);
      return { ...counts, set: counts.miss ?? 0 };
    },
  },
  "getOrSetMany with a loader that fails": {
    run: (cache, { keys }) => cache.getOrSetMany(keys, () => Promise.reject(new Error("no value"))),
    told: (model, { keys }) => several(model, keys),
  },
  "sets.add": {
    run: (cache, { key, n }) => cache.sets.add(`${key}s`, [n, n + 1]),
    told: (model, { key, n }) => {
      const members = model.members(key);
      const before = members.size;
      return { set: members.add(n).add(n + 1).size - before };
    },
  },
  "sets.delete": {
    run: (cache, { key, n }) => cache.sets.delete(`${key}s`, [n]),
    told: (model, { key, n }) => ({ delete: Number(model.members(key).delete(n)) }),
  },
  "sets.has": {
    run: (cache, { key, n }) => cache.sets.has(`${key}s`, n),
    told: (model, { key, n }) => found(model.members(key).has(n)),
  },
  "sets.hasMany": {
    run: (cache, { key, n }) => cache.sets.hasMany(`${key}s`, [n, n + 1, "none"]),
    told: (model, { key, n }) => {
      const hit = [n, n + 1].filter((one) => model.members(key).has(one)).length;
      return { hit, miss: 3 - hit, count: 3 };
    },
  },
  "sets.members": {
    run: (cache, { key }) => cache.sets.members(`${key}s`),
    told: (model, { key }) => found(model.members(key).size > 0),
  },
  "sets.random": {
    run: (cache, { key }) => cache.sets.random(`${key}s`),
    told: (model, { key }) => found(model.members(key).size > 0),
  },
  "sets.random with a count": {
    run: (cache, { key }) => cache.sets.random(`${key}s`, 2),
    told: (model, { key }) => found(model.members(key).size > 0),
  },
  "sets.union": {
    run: (cache, { key, other }) => cache.sets.union([`${key}s`, `${other}s`]),
    told: (model, { key, other }) => ({ ...found(union(model, key, other).size > 0, 2), count: 2 }),
  },
  "sets.unionStore": {
    run: (cache, { key, other }) => cache.sets.unionStore(`${key}s`, [`${key}s`, `${other}s`]),
    told: (model, { key, other }) => {
      model.sets.set(key, union(model, key, other));
      return { set: model.members(key).size };
    },
  },
  "sets.size": { run: (cache, { key }) => cache.sets.size(`${key}s`), told: () => ({}) },
  "sets.iterate": { run: (cache, { key }) => all(cache.sets.iterate(`${key}s`)), told: () => ({}) },
  "sets.scan": { run: (cache, { key }) => cache.sets.scan(`${key}s`), told: () => ({}) },
  "sets.pop": {
    run: (cache, { key }) => cache.sets.pop(`${key}s`, 10),
    told: (model, { key }) => {
      const { size } = model.members(key);
      model.members(key).clear();
      return { delete: size };
    },
  },
  "hashes.set": {
    run: (cache, { keys }) => cache.hashes.set("h", record1(keys)),
    told: (model, { keys }) => {
      for (const key of keys) model.hash.add(key);
      return { set: keys.length };
    },
  },
  "hashes.get": {
    run: (cache, { key }) => cache.hashes.get("h", key),
    told: ({ hash }, { key }) => found(hash.has(key)),
  },
  "hashes.has": {
    run: (cache, { key }) => cache.hashes.has("h", key),
    told: ({ hash }, { key }) => found(hash.has(key)),
  },
  "hashes.getAll": { run: (cache) => cache.hashes.getAll("h"), told: ({ hash }) => found(hash.size > 0) },
  "hashes.delete": {
    run: (cache, { keys }) => cache.hashes.delete("h", keys),
    told: ({ hash }, { keys }) => ({ delete: keys.filter((key) => hash.delete(key)).length }),
  },
};

/** What is told of calls, on every transport and by both clients. */
export function events(open: Open): void {
  describe("the events of a call", () => {
    // The database is shared with other tests.
    const commands = Object.entries(COMMANDS).filter(([name]) => name !== "flush");

    it.each(commands)("%s is one call, whether it succeeds or fails", async (name, { run }) => {
      const cache = open();
      const { calls, counts } = record(cache);
      const errors: unknown[] = [];
      cache.on("error", ({ error }) => void errors.push(error));
      const thrown = await run(cache).then(
        () => undefined,
        (error: unknown) => error,
      );
      const [call] = calls;
      expect(calls).toEqual([expect.objectContaining({ method: name, key: expect.any(String), error: thrown })]);
      expect(call?.durationMs).toBeGreaterThanOrEqual(0);
      expect(errors).toEqual(thrown === undefined ? [] : [thrown]);
      const { hits, misses, stale, count } = call as CallEvent;
      expect([0, count]).toContain(hits + misses + stale);
      expect([counts.hit ?? 0, counts.miss ?? 0, counts.stale ?? 0]).toEqual([hits, misses, stale]);
    });

    it.each([
      ["iterKeys", (cache: Cache) => cache.iterKeys("*", { scanCount: 10 })],
      ["sets.iterate", (cache: Cache) => cache.sets.iterate("s", { scanCount: 10 })],
    ])("a loop over %s is one call, also when it is left early", async (name, loop) => {
      const cache = open();
      await cache.setMany(Array.from({ length: 50 }, (_, i) => [`key ${i}`, i] as const));
      await cache.sets.add(
        "s",
        Array.from({ length: 50 }, (_, i) => `member ${i}`),
      );
      const { calls } = record(cache);
      for await (const _ of loop(cache)) break;
      expect(calls).toEqual([expect.objectContaining({ method: name, error: undefined })]);
    });

    const keys = ["{t}a", "{t}b", "{t}c"];
    const given = fc.record({
      name: fc.constantFrom(...Object.keys(STEPS)),
      key: fc.constantFrom(...keys),
      other: fc.constantFrom(...keys),
      keys: fc.uniqueArray(fc.constantFrom(...keys), { minLength: 1 }),
      n: fc.integer({ min: 1, max: 3 }),
    });

    it("adds up to what the store holds, after any calls", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(given, { minLength: 40, maxLength: 60 }), async (steps) => {
          const cache = open();
          const model = new Model();
          const { calls, counts } = record(cache);
          await cache.clear();
          for (const { name, ...rest } of steps) {
            const { run, told } = STEPS[name] as Step;
            calls.length = 0;
            for (const each of COUNTED) counts[each] = 0;
            const { count = 1, hit = 0, miss = 0, ...changed } = told(model, rest);
            await run(cache, rest).catch(() => {});
            expect({ name, ...counts }).toEqual({
              name,
              hit,
              miss,
              stale: 0,
              set: 0,
              delete: 0,
              expire: 0,
              ...changed,
            });
            const [method] = name.split(" ");
            expect(calls).toEqual([expect.objectContaining({ method, count, hits: hit, misses: miss, stale: 0 })]);
          }
        }),
        { numRuns: 4 },
      );
    });
  });
}
