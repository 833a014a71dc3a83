import { describe, expect, it } from "vitest";
import { KeyNotFoundError, ReplyError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";
import { ownPrefix } from "./stored.js";

export function versions(open: Open, traits: CacheTraits): void {
  // In a cluster both versions of a key have to be in one slot.
  const key = "{k}";

  describe("incrVersion and decrVersion", () => {
    it("move an entry by one version, or by so many, and answer the new version", async () => {
      const cache = open();
      await cache.set(key, "value");
      expect(await cache.incrVersion(key)).toBe(2);
      expect(await cache.has(key)).toBe(false);
      expect(await cache.get(key, { version: 2 })).toBe("value");
      expect(await cache.incrVersion(key, 3, { version: 2 })).toBe(5);
      expect(await cache.decrVersion(key, 1, { version: 5 })).toBe(4);
      expect(await cache.decrVersion(key, 6, { version: 4 })).toBe(-2);
      expect(await cache.get(key, { version: -2 })).toBe("value");
      expect(await cache.keys("*", { version: 2 })).toEqual([]);
    });

    it("take the lifetime along, or that there is none", async () => {
      const cache = open();
      await cache.set(key, 1, { ttl: 50 });
      await cache.incrVersion(key);
      expect(await cache.ttl(key, { version: 2 })).toBeLessThanOrEqual(50);
      expect(await cache.ttl(key, { version: 2 })).toBeGreaterThan(40);
      await cache.set(key, 1, { ttl: null });
      await cache.incrVersion(key, 2);
      expect(await cache.ttl(key, { version: 3 })).toBeNull();
    });

    it("move onto what was there, its lifetime included", async () => {
      const cache = open();
      await cache.set(key, "new", { ttl: 50 });
      await cache.set(key, "old", { version: 2, ttl: null });
      await cache.incrVersion(key);
      expect(await cache.get(key, { version: 2 })).toBe("new");
      expect(await cache.ttl(key, { version: 2 })).toBeLessThanOrEqual(50);
    });

    it("throw KeyNotFoundError where there is no entry, and leave the target alone", async () => {
      const cache = open();
      await cache.set(key, "old", { version: 2 });
      await expect(cache.incrVersion(key)).rejects.toThrow(KeyNotFoundError);
      await expect(cache.decrVersion(key)).rejects.toThrow(String(cache.makeKey(key)));
      expect(await cache.get(key, { version: 2 })).toBe("old");
    });

    it("let one of many movers through", async () => {
      const cache = open();
      await cache.set(key, "value");
      const moved = await Promise.allSettled(Array.from({ length: 10 }, () => cache.incrVersion(key)));
      expect(moved.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await cache.get(key, { version: 2 })).toBe("value");
    });

    it("stay where they are by 0", async () => {
      const cache = open();
      await cache.set(key, "value", { ttl: 50 });
      expect(await cache.incrVersion(key, 0)).toBe(1);
      expect(await cache.get(key)).toBe("value");
      expect(await cache.ttl(key)).toBeLessThanOrEqual(50);
    });

    it("mean the prefix given", async () => {
      const cache = open();
      const prefix = `${ownPrefix()}-other`;
      await cache.set(key, "value", { prefix });
      expect(await cache.incrVersion(key, 1, { prefix })).toBe(2);
      expect(await cache.get(key, { prefix, version: 2 })).toBe("value");
    });

    it("refuse a stored key, which has its version in it", async () => {
      const cache = open();
      const made = cache.makeKey(key) as unknown as string;
      await expect(cache.incrVersion(made)).rejects.toThrow(TypeError);
    });

    it("move sets and hashes, too", async () => {
      const cache = open();
      await cache.sets.add(key, [1, 2]);
      await cache.incrVersion(key);
      expect(await cache.sets.members(key, { version: 2 })).toEqual(new Set([1, 2]));
    });

    it("refuse keys of several slots in a cluster, naming hash tags, and move nothing", async ({ skip }) => {
      skip(!traits.cluster, "only a cluster has slots");
      const cache = open();
      await cache.set("untagged", "value");
      await expect(cache.incrVersion("untagged")).rejects.toThrow(ReplyError);
      await expect(cache.incrVersion("untagged")).rejects.toThrow(/hash tag/);
      expect(await cache.get("untagged")).toBe("value");
    });
  });
}
