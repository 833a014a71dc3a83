import { describe, expect, it } from "vitest";
import { ReplyError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";
import { ownPrefix } from "./stored.js";

export function setAlgebra(open: Open, traits: CacheTraits): void {
  const [a, b, c, into] = ["{t}a", "{t}b", "{t}c", "{t}into"] as const;

  describe("several sets", () => {
    it("are combined: what only the first has, what all have, what any has", async () => {
      const cache = open();
      await cache.sets.add(a, [1, 2, 3, "x"]);
      await cache.sets.add(b, [2, 3, 4]);
      await cache.sets.add(c, [3]);
      expect(await cache.sets.difference([a, b, c])).toEqual(new Set([1, "x"]));
      expect(await cache.sets.intersection([a, b, c])).toEqual(new Set([3]));
      expect(await cache.sets.union([a, b, c])).toEqual(new Set([1, 2, 3, 4, "x"]));
      expect(await cache.sets.difference([a])).toEqual(new Set([1, 2, 3, "x"]));
    });

    it("count as empty where there is none", async () => {
      const cache = open();
      await cache.sets.add(a, [1]);
      expect(await cache.sets.difference([a, b])).toEqual(new Set([1]));
      expect(await cache.sets.intersection([a, b])).toEqual(new Set());
      expect(await cache.sets.union([b, c])).toEqual(new Set());
    });

    it("are combined into a set, whose size is the answer, and which replaces what was there", async () => {
      const cache = open();
      await cache.sets.add(a, [1, 2, 3]);
      await cache.sets.add(b, [2, 3, 4]);
      await cache.set(into, "something else");
      expect(await cache.sets.differenceStore(into, [a, b])).toBe(1);
      expect(await cache.sets.members(into)).toEqual(new Set([1]));
      expect(await cache.sets.intersectionStore(into, [a, b])).toBe(2);
      expect(await cache.sets.members(into)).toEqual(new Set([2, 3]));
      expect(await cache.sets.unionStore(into, [a, b])).toBe(4);
      expect(await cache.sets.members(into)).toEqual(new Set([1, 2, 3, 4]));
      expect(await cache.sets.intersectionStore(into, [a, c])).toBe(0);
      expect(await cache.has(into)).toBe(false);
    });

    it("are read from any iterable of keys", async () => {
      const cache = open();
      await cache.sets.add(a, [1]);
      function* keys() {
        yield a;
        yield b;
      }
      expect(await cache.sets.union(keys())).toEqual(new Set([1]));
      expect(await cache.sets.difference(new Set([a, b]))).toEqual(new Set([1]));
      expect(await cache.sets.unionStore(into, keys())).toBe(1);
    });

    it("can't be none", async () => {
      const cache = open();
      for (const tried of [
        () => cache.sets.difference([]),
        () => cache.sets.intersection([]),
        () => cache.sets.union([]),
        () => cache.sets.unionStore(into, []),
      ]) {
        await expect(tried()).rejects.toThrow(TypeError);
      }
      await expect(cache.sets.union("text")).rejects.toThrow(TypeError);
    });

    it("may be of other versions than the destination", async () => {
      const cache = open();
      await cache.sets.add(a, [1, 2], { version: 2 });
      await cache.sets.add(b, [2], { version: 2 });
      const options = { versionDestination: 3, versionKeys: 2 };
      expect(await cache.sets.differenceStore(into, [a, b], options)).toBe(1);
      expect(await cache.sets.intersectionStore(into, [a, b], options)).toBe(1);
      expect(await cache.sets.unionStore(into, [a, b], options)).toBe(2);
      expect(await cache.sets.members(into, { version: 3 })).toEqual(new Set([1, 2]));
      expect(await cache.sets.unionStore(into, [a, b], { versionKeys: 2 })).toBe(2);
      expect(await cache.sets.members(into)).toEqual(new Set([1, 2]));
      expect(await cache.sets.unionStore(into, [a, b], { versionDestination: 0 })).toBe(0);
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const other = { version: 2, prefix: `${ownPrefix()}-other` };
      await cache.sets.add(a, [1, 2], other);
      await cache.sets.add(b, [2], other);
      expect(await cache.sets.difference([a, b])).toEqual(new Set());
      expect(await cache.sets.difference([a, b], other)).toEqual(new Set([1]));
      expect(await cache.sets.intersection([a, b], other)).toEqual(new Set([2]));
      expect(await cache.sets.union([a, b], other)).toEqual(new Set([1, 2]));
      expect(await cache.sets.unionStore(into, [a, b], other)).toBe(2);
      expect(await cache.sets.members(into, other)).toEqual(new Set([1, 2]));
      expect(await cache.sets.move(a, c, 1, other)).toBe(true);
      expect(await cache.sets.members(c, other)).toEqual(new Set([1]));
    });
  });

  describe("sets.move", () => {
    it("moves a member that is there, and answers whether it was", async () => {
      const cache = open();
      await cache.sets.add(a, [1, "1"]);
      expect(await cache.sets.move(a, b, 1)).toBe(true);
      expect(await cache.sets.move(a, b, 1)).toBe(false);
      expect(await cache.sets.members(a)).toEqual(new Set(["1"]));
      expect(await cache.sets.members(b)).toEqual(new Set([1]));
      expect(await cache.sets.move(a, b, "1")).toBe(true);
      expect(await cache.has(a)).toBe(false);
    });
  });

  it("sets of several slots of a cluster are refused with the remedy, hash tags", async ({ skip }) => {
    skip(!traits.cluster, "only a cluster has slots");
    const cache = open();
    const keys = ["one", "two", "three", "four"];
    for (const key of keys) await cache.sets.add(key, [key]);
    for (const tried of [
      () => cache.sets.difference(keys),
      () => cache.sets.intersection(keys),
      () => cache.sets.union(keys),
      () => cache.sets.differenceStore("into", keys),
      () => cache.sets.intersectionStore("into", keys),
      () => cache.sets.unionStore("into", keys),
      () => cache.sets.move("one", "two", "one").then(() => cache.sets.move("one", "three", "one")),
    ]) {
      const error: unknown = await tried().catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ReplyError);
      expect(error).toMatchObject({ code: "CROSSSLOT", message: expect.stringMatching(/hash tag.*\{user1\}/) });
    }
  });
}
