import { isDeepStrictEqual as equals, inspect } from "node:util";
import { afterAll, describe, expect, inject, it } from "vitest";
import { gzip } from "../../src/compressors/deflate.js";
import { rest } from "../../src/connection/rest/factory.js";
import { type Cache, type Compressor, createCache, herd, iovalkey } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { startRestServer } from "../support/rest-server.js";

const { url, token, stop } = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
afterAll(stop);

/** Over one connection to one server; a cluster's nodes don't wait for each other. */
describe.each([
  ["memory", { location: "memory:order" }],
  ["GLIDE", { location: inject("valkeyUrl") }],
  ["iovalkey", { location: inject("valkeyUrl"), connectionFactory: iovalkey() }],
  ["rest()", { location: url, connectionFactory: rest({ token }) }],
])("methods that are called one after another, without waiting, over %s", (_, store) => {
  async function open(): Promise<Cache> {
    const cache = createCache({ ...store, keyPrefix: ownPrefix() });
    await cache.has("anything");
    return cache;
  }

  it.each([1, 3, 40, 300])("are carried out in that order: %i writes, then another method", async (count) => {
    await using cache = await open();
    const write = () => Promise.all(Array.from({ length: count }, (_, i) => cache.set("a", i)));
    const [, read] = await Promise.all([write(), cache.get("a")]);
    expect(read).toBe(count - 1);
    const [, many] = await Promise.all([write(), cache.getMany(["a"])]);
    expect(many.get("a")).toBe(count - 1);
    const [, counted] = await Promise.all([write(), cache.incr("a")]);
    expect(counted).toBe(count);
    await Promise.all([write(), cache.delete("a")]);
    expect(await cache.has("a")).toBe(false);
  });

  it.each([1, 3, 40, 300])("are carried out in that order: %i reads, then a write", async (count) => {
    await using cache = await open();
    const reads = Array.from({ length: count }, () => cache.get("a"));
    await cache.set("a", 1);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([undefined]));
  });
});

/** A compressor that takes some turns of the event loop, the more the larger the value. */
function slowly(compressor: Compressor): Compressor {
  return {
    ...compressor,
    minLength: 0,
    compress: async (bytes, ...rest) => {
      for (let turns = Math.ceil(bytes.length / 20); turns > 0; turns--) await new Promise(setImmediate);
      return compressor.compress(bytes, ...rest);
    },
  };
}

const VALUES = [{ large: "x".repeat(100) }, { small: 1 }] as const;

type Method = (cache: Cache, value: unknown) => Promise<unknown>;

/** Every method that sends its commands at once. Scans, and `clear` with them, are many round trips. */
const METHODS: Readonly<Record<string, Method>> = {
  get: (cache) => cache.get("k"),
  set: (cache, value) => cache.set("k", value, { ttl: 500 }),
  "set xx": (cache, value) => cache.set("k", value, { xx: true }),
  add: (cache, value) => cache.add("k", value),
  setMany: (cache, value) => cache.setMany({ k: value, other: value }),
  mset: (cache, value) => cache.mset({ k: value }),
  getMany: (cache) => cache.getMany(["k"]),
  getOrSet: (cache, value) => cache.getOrSet("k", () => value),
  getOrSetMany: (cache, value) => cache.getOrSetMany(["k"], () => ({ k: value })),
  delete: (cache) => cache.delete("k"),
  deleteMany: (cache) => cache.deleteMany(["k", "other"]),
  has: (cache) => cache.has("k"),
  incr: (cache) => cache.incr("k", 2, { create: true }),
  ttl: async (cache) => Math.ceil(((await cache.ttl("k")) ?? 0) / 10),
  touch: (cache) => cache.touch("k", 700),
  expire: (cache) => cache.expire("k", 900),
  persist: (cache) => cache.persist("k"),
  "sets.add": (cache, value) => cache.sets.add("k", [value]),
  "sets.delete": (cache, value) => cache.sets.delete("k", [value]),
  "sets.has": (cache, value) => cache.sets.has("k", value),
  "sets.members": (cache) => cache.sets.members("k"),
  "hashes.set": (cache, value) => cache.hashes.set("k", { a: value, b: 1 }),
  "hashes.get": (cache) => cache.hashes.get("k", "a"),
  "hashes.delete": (cache) => cache.hashes.delete("k", "a"),
};

it("a write that is called before close() is carried out, also while its value is being encoded", async () => {
  const options = { location: "memory:order-close", keyPrefix: ownPrefix(), compressor: slowly(gzip()) };
  const cache = createCache(options);
  const written = cache.set("k", VALUES[0]);
  const read = cache.get("k");
  await cache.close();
  expect(await written).toBe(true);
  expect(await read).toEqual(VALUES[0]);
  await expect(cache.set("k", VALUES[1])).rejects.toThrow(/the cache was closed/);
  await using again = createCache(options);
  expect(await again.get("k")).toEqual(VALUES[0]);
});

it("a value that is never encoded holds later calls up for a second at most", async () => {
  const never = { ...slowly(gzip()), compress: () => new Promise<never>(() => {}) };
  const cache = createCache({ location: "memory:", compressor: never });
  const startMs = performance.now();
  void cache.set("k", VALUES[0]);
  expect(await cache.get("other")).toBeUndefined();
  expect(performance.now() - startMs).toBeGreaterThan(900);
  await cache.close();
});

/** A call after these comes between their read and their write. */
const LOADS: ReadonlySet<string> = new Set(["getOrSet", "getOrSetMany"]);

const STATES: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  "no entry": async () => {},
  "an entry": (cache) => cache.set("k", 5, { ttl: 300 }),
  "a set": (cache) => cache.sets.add("k", [VALUES[0]]),
};

/** What the key holds, whatever its type. */
function held(cache: Cache): Promise<unknown> {
  const reads = [cache.get("k"), cache.sets.members("k"), cache.hashes.getAll("k"), METHODS.ttl?.(cache, 0)];
  return Promise.all(reads.map((read) => read?.catch((error: Error) => error.name)));
}

const ended = (call: Promise<unknown>): Promise<unknown> => call.catch((error: Error) => `${error.name}`);

describe.each([
  ["memory", () => "memory:", {}],
  ["memory, and values that take time to encode", () => "memory:", { compressor: slowly(gzip()) }],
  ["memory, under herd()", () => "memory:", { client: herd(), compressor: slowly(gzip()) }],
  ["GLIDE, and values that take time to encode", () => inject("valkeyUrl"), { compressor: slowly(gzip()) }],
  ["iovalkey", () => inject("valkeyUrl"), { connectionFactory: iovalkey() }],
])(
  "two methods that are called without waiting do the same as when the first is awaited, over %s",
  (_, url, options) => {
    it.each(Object.keys(STATES))("with %s", { timeout: 60_000 }, async (state) => {
      const differ: string[] = [];
      const comparePairs = async ([first, begin]: [string, Method]): Promise<void> => {
        await using cache = createCache({ location: url(), keyPrefix: ownPrefix(), ...options });
        for (const [second, follow] of Object.entries(METHODS)) {
          // A write that is not carried out counts as one for loads that it meets: they store nothing.
          if (first === "set xx" && LOADS.has(second)) continue;
          const outcomes: unknown[] = [];
          for (const waits of [true, false]) {
            await cache.deleteMany(["k", "other"]);
            await STATES[state]?.(cache);
            const calls = [ended(begin(cache, VALUES[0]))];
            if (waits) await calls[0];
            calls.push(ended(follow(cache, VALUES[1])));
            outcomes.push({ results: await Promise.all(calls), held: await held(cache) });
          }
          const [waiting, unawaited] = outcomes;
          if (!equals(unawaited, waiting)) differ.push(`${first}, then ${second}: ${inspect(outcomes, { depth: 9 })}`);
        }
      };
      // At the same time, as their commands share round trips then. Each has a cache, and an order, of its own.
      await Promise.all(
        Object.entries(METHODS)
          .filter(([first]) => !LOADS.has(first))
          .map(comparePairs),
      );
      expect(differ).toEqual([]);
    });
  },
);
