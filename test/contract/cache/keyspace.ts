import { describe, expect, it, vi } from "vitest";
import type { Open } from "../cache.js";
import { all } from "./sets.js";
import { ownPrefix } from "./stored.js";

export function keyspace(open: Open): void {
  describe("keys and iterKeys", () => {
    it("give the user's keys, each once", async () => {
      const cache = open();
      const names = Array.from({ length: 500 }, (_, i) => `key ${i}`);
      await cache.setMany(names.map((name) => [name, 1] as const));
      expect((await cache.keys("*", { scanCount: 100 })).sort()).toEqual([...names].sort());
      expect(new Set(await all(cache.iterKeys("*", { scanCount: 100 })))).toEqual(new Set(names));
    });

    it("give those that match a glob, all without one", async () => {
      const cache = open();
      await cache.setMany({ "user:1": 1, "user:2": 1, "user:10": 1, "post:1": 1, "a*b": 1 });
      expect((await cache.keys("user:?")).sort()).toEqual(["user:1", "user:2"]);
      expect((await cache.keys("user:[12]*")).sort()).toEqual(["user:1", "user:10", "user:2"]);
      expect(await cache.keys("a\\*b")).toEqual(["a*b"]);
      expect(await cache.keys("nothing*")).toEqual([]);
      expect(await cache.keys()).toHaveLength(5);
      expect(await all(cache.iterKeys("post*"))).toEqual(["post:1"]);
    });

    it("can be passed on to other methods", async () => {
      const cache = open();
      await cache.setMany({ "a:2:b": 1, c: 2 });
      expect(await cache.getMany(await cache.keys())).toEqual(new Map(Object.entries({ "a:2:b": 1, c: 2 })));
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const prefix = ownPrefix();
      await cache.set("a", 1);
      await cache.set("b", 1, { version: 2 });
      await cache.set("c", 1, { prefix });
      expect(await cache.keys()).toEqual(["a"]);
      expect(await cache.keys("*", { version: 2 })).toEqual(["b"]);
      expect(await cache.keys("*", { prefix })).toEqual(["c"]);
    });

    it("list sets and hashes, too", async () => {
      const cache = open();
      await cache.sets.add("set", [1]);
      await cache.hashes.set("hash", "f", 1);
      expect((await cache.keys()).sort()).toEqual(["hash", "set"]);
    });

    it("can be left early, and begun again", async () => {
      const cache = open();
      await cache.setMany(Array.from({ length: 300 }, (_, i) => [`key ${i}`, i] as const));
      const seen: string[] = [];
      for await (const key of cache.iterKeys("*", { scanCount: 100 })) {
        seen.push(key);
        if (seen.length === 3) break;
      }
      expect(seen).toHaveLength(3);
      expect(await cache.keys()).toHaveLength(300);
    });

    it("let entries be deleted on the way", async () => {
      const cache = open();
      await cache.setMany(Array.from({ length: 200 }, (_, i) => [`key ${i}`, i] as const));
      for await (const key of cache.iterKeys("*", { scanCount: 100 })) await cache.delete(key);
      expect(await cache.keys()).toEqual([]);
    });

    it.each(["", 5, null])("refuse the pattern %j", async (pattern) => {
      const cache = open();
      await expect(cache.keys(pattern as string)).rejects.toThrow(TypeError);
      await expect(all(cache.iterKeys(pattern as string))).rejects.toThrow(TypeError);
    });
  });

  describe.each(["a*b", "a?b", "[ab]", "a\\b", "]a[", "^*"])("the prefix %j", (special) => {
    it("stands for itself in patterns, in keys, and in clear", async () => {
      const own = ownPrefix();
      const cache = open({ keyPrefix: `${own}${special}` });
      const decoys = ["aXb", "aXXb", "a", "b", "ab", ""].map((other) => open({ keyPrefix: `${own}${other}` }));
      for (const decoy of decoys) await decoy.set("decoy", 1);
      await cache.setMany({ a: 1, b: 2 });
      expect((await cache.keys()).sort()).toEqual(["a", "b"]);
      expect(await cache.keys("a*")).toEqual(["a"]);
      expect(await cache.deletePattern("a*")).toBe(1);
      expect(await cache.clear()).toBe(1);
      for (const decoy of decoys) expect(await decoy.get("decoy")).toBe(1);
    });
  });

  describe("makePattern", () => {
    it("escapes the prefix, and leaves the pattern's wildcards", () => {
      const cache = open({ keyPrefix: "a*[b]", version: 3 });
      expect(cache.makePattern("user:*")).toBe("a\\*\\[b\\]:3:user:*");
      expect(cache.makePattern("?", { version: 0, prefix: "" })).toBe(":0:?");
      expect(() => cache.makePattern("")).toThrow(TypeError);
    });
  });

  describe("deletePattern", () => {
    it("deletes what matches and nothing else, over all nodes, and counts it", async () => {
      const cache = open();
      await cache.setMany(Array.from({ length: 700 }, (_, i) => [`user:${i}`, i] as const));
      await cache.setMany({ "post:1": 1, user: 1 });
      expect(await cache.deletePattern("user:*", { scanCount: 100 })).toBe(700);
      expect((await cache.keys()).sort()).toEqual(["post:1", "user"]);
      expect(await cache.deletePattern("user:*")).toBe(0);
    });

    it("reports how many are deleted so far, and all at the end", async () => {
      const cache = open();
      await cache.setMany(Array.from({ length: 700 }, (_, i) => [`user:${i}`, i] as const));
      const onProgress = vi.fn();
      await cache.deletePattern("user:*", { scanCount: 100, onProgress });
      const told = onProgress.mock.calls.map(([deleted]) => Number(deleted));
      expect(told.length).toBeGreaterThan(1);
      expect(told).toEqual([...told].sort((one, other) => one - other));
      expect(told.at(-1)).toBe(700);
    });

    it("means the version and prefix given", async () => {
      const cache = open();
      await cache.set("a", 1);
      await cache.set("a", 1, { version: 2 });
      expect(await cache.deletePattern("*", { version: 2 })).toBe(1);
      expect(await cache.has("a")).toBe(true);
    });

    it.each(["", undefined, null, 5])("refuses the pattern %j, and deletes nothing", async (pattern) => {
      const cache = open();
      await cache.set("a", 1);
      await expect(cache.deletePattern(pattern as string)).rejects.toThrow(TypeError);
      expect(await cache.has("a")).toBe(true);
    });
  });
}
