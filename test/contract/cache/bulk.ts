import { describe, expect, it } from "vitest";
import { EncodeError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";

export function bulkMethods(open: Open, traits: CacheTraits): void {
  // In a cluster, what is to happen in one step needs keys of one slot.
  const [a, b, c] = ["{t}a", "{t}b", "{t}c"] as const;

  describe.each(["getMany", "mget"] as const)("%s", (method) => {
    it("gives a Map of those that have a value, in the order asked for", async () => {
      const cache = open();
      await cache.setMany({ [a]: 1, [b]: null, [c]: { n: 3 } });
      const got = await cache[method]([c, "{t}missing", b, a]);
      expect([...got]).toEqual([
        [c, { n: 3 }],
        [b, null],
        [a, 1],
      ]);
    });

    it("reads any iterable of keys: generators, Sets, stored keys", async () => {
      const cache = open();
      await cache.setMany({ [a]: 1, [b]: 2 });
      const both = new Map([
        [a, 1],
        [b, 2],
      ]);
      function* some() {
        yield a;
        yield b;
      }
      expect(await cache[method](some())).toEqual(both);
      expect(await cache[method](new Set([a, b]))).toEqual(both);
      expect(await cache[method](both.keys())).toEqual(both);
      const made = cache.makeKey(a);
      expect(await cache[method]([made])).toEqual(new Map([[String(made), 1]]));
    });

    it("gives an empty Map for no keys, and for keys without values", async () => {
      const cache = open();
      expect(await cache[method]([])).toEqual(new Map());
      expect(await cache[method]([a, b])).toEqual(new Map());
    });

    it("takes a key that comes twice for one", async () => {
      const cache = open();
      await cache.set(a, 1);
      expect(await cache[method]([a, a, b, a])).toEqual(new Map([[a, 1]]));
    });

    it("means the version and prefix given", async () => {
      const cache = open();
      await cache.set(a, 2, { version: 2 });
      expect(await cache[method]([a])).toEqual(new Map());
      expect(await cache[method]([a], { version: 2 })).toEqual(new Map([[a, 2]]));
    });

    it("leaves out a key that holds no value but a set", async () => {
      const cache = open();
      await cache.sets.add(a, [1]);
      await cache.set(b, 1);
      expect(await cache[method]([a, b])).toEqual(new Map([[b, 1]]));
    });
  });

  describe.each(["setMany", "mset"] as const)("%s", (method) => {
    it("writes a record, a Map, pairs, or what a generator yields", async () => {
      const cache = open();
      function* pairs(): Iterable<[string, unknown]> {
        yield [a, 4];
      }
      for (const [entries, value] of [
        [{ [a]: 1 }, 1],
        [new Map([[a, 2]]), 2],
        [[[a, 3]] as [string, number][], 3],
        [pairs(), 4],
        [[[cache.makeKey(a), 5]] as const, 5],
      ] as const) {
        await cache[method](entries);
        expect(await cache.get(a)).toBe(value);
      }
    });

    it("gives every entry the default lifetime, or the one that is given", async () => {
      const cache = open({ ttl: 60 });
      await cache[method]({ [a]: 1, [b]: 2 });
      expect(await cache.ttl(a)).toBeGreaterThan(50);
      expect(await cache.ttl(b)).toBeLessThanOrEqual(60);
      await cache[method]({ [a]: 1, [b]: 2 }, { ttl: "2s" });
      expect(await cache.ttl(b)).toBeLessThanOrEqual(2);
      await cache[method]({ [a]: 1 }, { ttl: null });
      expect(await cache.ttl(a)).toBeNull();
    });

    it("deletes the entries when the lifetime is 0 or less", async () => {
      const cache = open();
      for (const ttl of [0, -1]) {
        await cache.setMany({ [a]: 1, [b]: 2, [c]: 3 });
        await cache[method]({ [a]: 1, [b]: 2 }, { ttl });
        expect(await cache.getMany([a, b, c])).toEqual(new Map([[c, 3]]));
      }
    });

    it("keeps the last value of a key that comes twice", async () => {
      const cache = open();
      await cache[method]([
        [a, 1],
        [a, 2],
      ]);
      expect(await cache.get(a)).toBe(2);
    });

    it("writes nothing when one of the values can't be stored", async () => {
      const cache = open();
      await expect(cache[method]({ [a]: 1, [b]: () => 1 })).rejects.toThrow(EncodeError);
      expect(await cache.has(a)).toBe(false);
    });

    it("means the version and prefix given", async () => {
      const cache = open();
      await cache[method]({ [a]: 2 }, { version: 2 });
      expect(await cache.has(a)).toBe(false);
      expect(await cache.get(a, { version: 2 })).toBe(2);
    });
  });

  it("setMany resolves to no keys when all were set, mset to nothing", async () => {
    const cache = open();
    expect(await cache.setMany({ [a]: 1, [b]: 2 })).toEqual([]);
    expect(await cache.mset({ [a]: 1, [b]: 2 })).toBeUndefined();
    expect(await cache.setMany({ [a]: 1 }, { ttl: 0 })).toEqual([]);
  });

  it("setMany, getMany and deleteMany take keys of any slots", async () => {
    const cache = open();
    const entries = new Map(Array.from({ length: 300 }, (_, i) => [`key ${i}`, { i }]));
    expect(await cache.setMany(entries)).toEqual([]);
    expect(await cache.getMany(entries.keys())).toEqual(entries);
    expect(await cache.deleteMany(entries.keys())).toBe(300);
    expect(await cache.getMany(entries.keys())).toEqual(new Map());
  });

  it("deleteMany answers how many there were, of any iterable", async () => {
    const cache = open();
    await cache.setMany({ a: 1, b: 2, c: 3 });
    function* some() {
      yield "a";
      yield "missing";
      yield "b";
    }
    expect(await cache.deleteMany(some())).toBe(2);
    expect(await cache.deleteMany(new Set(["c", "a"]))).toBe(1);
    expect(await cache.deleteMany([])).toBe(0);
    expect(await cache.deleteMany(["a", "a"])).toBe(0);
  });

  it("deleteMany counts a key that comes twice once", async () => {
    const cache = open();
    await cache.setMany({ a: 1, b: 2 });
    expect(await cache.deleteMany(["a", "b", "a"])).toBe(2);
  });

  it("mget and mset refuse keys of several slots in a cluster, and name the remedy", async ({ skip }) => {
    skip(!traits.cluster, "only a cluster has slots");
    const cache = open();
    const names = ["one", "two", "three", "four"];
    await expect(cache.mget(names)).rejects.toThrow(/hash tag/);
    await expect(cache.mset(names.map((name) => [name, 1] as const))).rejects.toThrow(/hash tag/);
    expect(await cache.getMany(names)).toEqual(new Map());
  });

  it("mget sees all of an mset, or nothing", async () => {
    const cache = open();
    const writes = Array.from({ length: 50 }, (_, i) => cache.mset({ [a]: i, [b]: i }));
    const reads = await Promise.all(Array.from({ length: 50 }, () => cache.mget<number>([a, b])));
    await Promise.all(writes);
    for (const read of reads) expect(read.get(a)).toBe(read.get(b));
  });
}
