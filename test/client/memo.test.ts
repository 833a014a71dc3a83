import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cache } from "../../src/cache/cache.js";
import { createCache, ReplyError } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";

const KEYS = ["a", "b", "c"] as const;
type Keys = readonly string[];

interface Step {
  readonly name: keyof typeof STEPS;
  readonly key: string;
  readonly other: string;
  readonly keys: Keys;
  readonly value: number;
}

const entries = ({ keys, value }: Step) => Object.fromEntries(keys.map((key) => [key, value]));

/**
 * Reads, and writes that take one round trip, so that they act in the order in which they are called. Not `expireSoft`: a view
 * remembers a stale value that `getOrSet` has answered, which others don't. The contract of memo views has it.
 */
const STEPS = {
  get: (cache: Cache, { key }: Step) => cache.get(key),
  getMany: (cache: Cache, { keys }: Step) => cache.getMany(keys),
  mget: (cache: Cache, { keys }: Step) => cache.mget(keys),
  has: (cache: Cache, { key }: Step) => cache.has(key),
  ttl: async (cache: Cache, { key }: Step) => typeof (await cache.ttl(key)),
  set: (cache: Cache, { key, value }: Step) => cache.set(key, value),
  "set nx": (cache: Cache, { key, value }: Step) => cache.set(key, value, { nx: true }),
  "set xx": (cache: Cache, { key, value }: Step) => cache.set(key, value, { xx: true }),
  add: (cache: Cache, { key, value }: Step) => cache.add(key, value),
  setMany: (cache: Cache, step: Step) => cache.setMany(entries(step)),
  mset: (cache: Cache, step: Step) => cache.mset(entries(step)),
  delete: (cache: Cache, { key }: Step) => cache.delete(key),
  deleteMany: (cache: Cache, { keys }: Step) => cache.deleteMany(keys),
  incr: (cache: Cache, { key, value }: Step) => cache.incr(key, value, { create: true }),
  incrVersion: (cache: Cache, { key }: Step) => cache.incrVersion(key),
  decrVersion: (cache: Cache, { key }: Step) => cache.decrVersion(key),
  touch: (cache: Cache, { key, value }: Step) => cache.touch(key, value > 5 ? 0 : 60),
  expire: (cache: Cache, { key, value }: Step) => cache.expire(key, value > 5 ? 0 : 60),
  persist: (cache: Cache, { key }: Step) => cache.persist(key),
  "sets.add": (cache: Cache, { key, value }: Step) => cache.sets.add(key, [value]),
  "sets.unionStore": (cache: Cache, { key, other }: Step) => cache.sets.unionStore(key, [other]),
  "sets.pop": async (cache: Cache, { key }: Step) => typeof (await cache.sets.pop(key)),
  "hashes.set": (cache: Cache, { key, value }: Step) => cache.hashes.set(key, "field", value),
  "hashes.delete": (cache: Cache, { key }: Step) => cache.hashes.delete(key, ["field"]),
  flush: (cache: Cache) => cache.flush(),
  "a command of one's own": (cache: Cache, { key, value }: Step) =>
    cache.connection.send([["APPEND", String(cache.makeKey(key)), String(value)]]).then(() => true),
} as const;

/** Calls that take several round trips, between which others may act: they run alone. */
const ALONE = {
  getOrSet: async (cache: Cache, { key, value }: Step) => {
    await endTyped(cache, [key]);
    return cache.getOrSet(key, () => ({ value }));
  },
  "getOrSet with a loader that fails": (cache: Cache, { key }: Step) =>
    cache.getOrSet(key, () => Promise.reject(new Error("no"))),
  getOrSetMany: async (cache: Cache, { keys, value }: Step) => {
    await endTyped(cache, keys);
    return cache.getOrSetMany(keys, (missing) => Object.fromEntries(missing.map((key) => [key, value])));
  },
  forceRefresh: async (cache: Cache, { key, value }: Step) => {
    await endTyped(cache, [key]);
    return cache.getOrSet(key, () => value, { forceRefresh: true });
  },
  deletePattern: (cache: Cache, { key }: Step) => cache.deletePattern(`${key}*`),
  clear: (cache: Cache) => cache.clear(),
};

/** In the place of a set or a hash nothing is stored, but a view remembers what a loader returned. */
async function endTyped(cache: Cache, keys: Keys): Promise<void> {
  for (const key of keys) {
    const sizes = [cache.sets.size(key), cache.hashes.size(key)].map((size) => size.catch(() => 0));
    if ((await Promise.all(sizes)).some((size) => size > 0)) await cache.delete(key);
  }
}

function steps<Name extends string>(names: readonly Name[]) {
  const key = fc.constantFrom(...KEYS);
  return fc.record({
    name: fc.constantFrom(...names),
    key,
    other: key,
    keys: fc.array(key, { minLength: 1, maxLength: 4 }),
    value: fc.integer({ min: 1, max: 9 }),
  });
}

const named = (names: object) => Object.keys(names) as (keyof typeof names)[];

describe("a view that reads each key once", () => {
  it("gives what any view would give, whatever is read and written through it, awaited or not", async () => {
    const together = fc.array(steps(named(STEPS) as (keyof typeof STEPS)[]), { minLength: 1, maxLength: 6 });
    const alone = fc.array(steps(named(ALONE) as (keyof typeof ALONE)[]), { minLength: 1, maxLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(together, alone), { maxLength: 12 }), async (groups) => {
        const whole = [0, 1].map(() => createCache({ location: `memory:${ownPrefix()}` }));
        const [plain, memo] = whole.map((cache, i) => cache.for({ memo: i === 1 })) as [Cache, Cache];
        for (const group of groups) {
          const all = { ...STEPS, ...ALONE };
          const run = (cache: Cache) => Promise.all(group.map((step) => outcome(all[step.name](cache, step as Step))));
          const [expected, got] = [await run(plain), await run(memo)];
          expect([group.map(({ name }) => name), got]).toEqual([group.map(({ name }) => name), expected]);
        }
        for (const cache of [plain, memo, ...whole]) await cache.close();
      }),
      { numRuns: 300 },
    );
  });
});

/** `getMany` takes a set or a hash for a missing entry, and then `get` answers that too. */
async function outcome(result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    return error instanceof ReplyError && error.code === "WRONGTYPE" ? undefined : String(error);
  }
}
