import { describe, expect, it } from "vitest";
import { ReplyError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";

export function setAlgebra(open: Open, traits: CacheTraits): void {
  const [a, b, c, into] = ["{t}a", "{t}b", "{t}c", "{t}into"] as const;

  describe("several sets", () => {
    it("are combined: what only the first has, what all have, what any has", async () => {
      const cache = open();
      await cache.sadd(a, [1, 2, 3, "x"]);
      await cache.sadd(b, [2, 3, 4]);
      await cache.sadd(c, [3]);
      expect(await cache.sdiff([a, b, c])).toEqual(new Set([1, "x"]));
      expect(await cache.sinter([a, b, c])).toEqual(new Set([3]));
      expect(await cache.sunion([a, b, c])).toEqual(new Set([1, 2, 3, 4, "x"]));
      expect(await cache.sdiff([a])).toEqual(new Set([1, 2, 3, "x"]));
    });

    it("count as empty where there is none", async () => {
      const cache = open();
      await cache.sadd(a, [1]);
      expect(await cache.sdiff([a, b])).toEqual(new Set([1]));
      expect(await cache.sinter([a, b])).toEqual(new Set());
      expect(await cache.sunion([b, c])).toEqual(new Set());
    });

    it("are combined into a set, whose size is the answer, and which replaces what was there", async () => {
      const cache = open();
      await cache.sadd(a, [1, 2, 3]);
      await cache.sadd(b, [2, 3, 4]);
      await cache.set(into, "something else");
      expect(await cache.sdiffstore(into, [a, b])).toBe(1);
      expect(await cache.smembers(into)).toEqual(new Set([1]));
      expect(await cache.sinterstore(into, [a, b])).toBe(2);
      expect(await cache.smembers(into)).toEqual(new Set([2, 3]));
      expect(await cache.sunionstore(into, [a, b])).toBe(4);
      expect(await cache.smembers(into)).toEqual(new Set([1, 2, 3, 4]));
      expect(await cache.sinterstore(into, [a, c])).toBe(0);
      expect(await cache.has(into)).toBe(false);
    });

    it("are read from any iterable of keys", async () => {
      const cache = open();
      await cache.sadd(a, [1]);
      function* keys() {
        yield a;
        yield b;
      }
      expect(await cache.sunion(keys())).toEqual(new Set([1]));
      expect(await cache.sdiff(new Set([a, b]))).toEqual(new Set([1]));
      expect(await cache.sunionstore(into, keys())).toBe(1);
    });

    it("can't be none", async () => {
      const cache = open();
      for (const tried of [
        () => cache.sdiff([]),
        () => cache.sinter([]),
        () => cache.sunion([]),
        () => cache.sunionstore(into, []),
      ]) {
        await expect(tried()).rejects.toThrow(TypeError);
      }
      await expect(cache.sunion("text")).rejects.toThrow(TypeError);
    });

    it("may be of other versions than the destination", async () => {
      const cache = open();
      await cache.sadd(a, [1, 2], { version: 2 });
      await cache.sadd(b, [2], { version: 2 });
      const options = { versionDestination: 3, versionKeys: 2 };
      expect(await cache.sdiffstore(into, [a, b], options)).toBe(1);
      expect(await cache.sinterstore(into, [a, b], options)).toBe(1);
      expect(await cache.sunionstore(into, [a, b], options)).toBe(2);
      expect(await cache.smembers(into, { version: 3 })).toEqual(new Set([1, 2]));
      expect(await cache.sunionstore(into, [a, b], { versionKeys: 2 })).toBe(2);
      expect(await cache.smembers(into)).toEqual(new Set([1, 2]));
      expect(await cache.sunionstore(into, [a, b], { versionDestination: 0 })).toBe(0);
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const other = { version: 2, prefix: `${cache.makeKey("x")}-other` };
      await cache.sadd(a, [1, 2], other);
      await cache.sadd(b, [2], other);
      expect(await cache.sdiff([a, b])).toEqual(new Set());
      expect(await cache.sdiff([a, b], other)).toEqual(new Set([1]));
      expect(await cache.sinter([a, b], other)).toEqual(new Set([2]));
      expect(await cache.sunion([a, b], other)).toEqual(new Set([1, 2]));
      expect(await cache.sunionstore(into, [a, b], other)).toBe(2);
      expect(await cache.smembers(into, other)).toEqual(new Set([1, 2]));
      expect(await cache.smove(a, c, 1, other)).toBe(true);
      expect(await cache.smembers(c, other)).toEqual(new Set([1]));
    });
  });

  describe("smove", () => {
    it("moves a member that is there, and answers whether it was", async () => {
      const cache = open();
      await cache.sadd(a, [1, "1"]);
      expect(await cache.smove(a, b, 1)).toBe(true);
      expect(await cache.smove(a, b, 1)).toBe(false);
      expect(await cache.smembers(a)).toEqual(new Set(["1"]));
      expect(await cache.smembers(b)).toEqual(new Set([1]));
      expect(await cache.smove(a, b, "1")).toBe(true);
      expect(await cache.has(a)).toBe(false);
    });
  });

  it("sets of several slots of a cluster are refused with the remedy, hash tags", async ({ skip }) => {
    skip(!traits.cluster, "only a cluster has slots");
    const cache = open();
    const keys = ["one", "two", "three", "four"];
    for (const key of keys) await cache.sadd(key, [key]);
    for (const tried of [
      () => cache.sdiff(keys),
      () => cache.sinter(keys),
      () => cache.sunion(keys),
      () => cache.sdiffstore("into", keys),
      () => cache.sinterstore("into", keys),
      () => cache.sunionstore("into", keys),
      () => cache.smove("one", "two", "one").then(() => cache.smove("one", "three", "one")),
    ]) {
      const error: unknown = await tried().catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ReplyError);
      expect(error).toMatchObject({ code: "CROSSSLOT", message: expect.stringMatching(/hash tag.*\{user1\}/) });
    }
  });
}
