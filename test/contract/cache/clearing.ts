import { describe, expect, it, vi } from "vitest";
import { ConfigurationError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { ownPrefix, raw } from "./stored.js";

export function clearing(open: Open): void {
  describe("clear", () => {
    it("deletes what the prefix owns, whatever the version and the kind, and counts it", async () => {
      const cache = open();
      await cache.set("a", 1);
      await cache.set("a", 1, { version: 0 });
      await cache.set("a", 1, { version: -5 });
      await cache.set("a", 1, { version: 1_000 });
      await cache.sets.add("set", [1]);
      await cache.hashes.set("hash", "f", 1);
      expect(await cache.clear()).toBe(6);
      expect(await cache.clear()).toBe(0);
      expect(await cache.has("a", { version: 0 })).toBe(false);
    });

    it("leaves the entries of prefixes that begin or end alike", async () => {
      const base = ownPrefix();
      const prefixes = [base, `${base}:b`, `${base}b`, `b${base}`, `${base}:`, `x:${base}`];
      const caches = prefixes.map((keyPrefix) => open({ keyPrefix }));
      for (const cache of caches) await cache.set("key", 1);
      expect(await caches[0]?.clear()).toBe(1);
      for (const cache of caches.slice(1)) expect(await cache.has("key")).toBe(true);
      expect(await caches[1]?.clear()).toBe(1);
      for (const cache of caches.slice(2)) expect(await cache.has("key")).toBe(true);
    });

    it("of the empty prefix leaves what has one", async () => {
      const [named, nameless] = [open(), open({ keyPrefix: "" })];
      await named.set("key", 1);
      await nameless.set("key", 1);
      expect(await nameless.clear()).toBeGreaterThanOrEqual(1);
      expect(await nameless.has("key")).toBe(false);
      expect(await named.has("key")).toBe(true);
    });

    it("leaves what is not the cache's at all", async () => {
      const cache = open();
      const [prefix] = String(cache.makeKey("x")).split(":");
      await raw(cache, "SET", `${prefix}`, "foreign");
      await raw(cache, "SET", `${prefix}:foreign:key`, "foreign");
      await cache.clear();
      expect(await raw(cache, "DEL", `${prefix}`)).toBe(1);
      expect(await raw(cache, "DEL", `${prefix}:foreign:key`)).toBe(1);
    });

    it("keeps locks, also those with digits and colons in their names", async () => {
      const cache = open();
      await cache.set("job", 1);
      for (const name of ["job", "1:job", ":1:"]) await cache.lock(name);
      expect(await cache.clear()).toBe(1);
      for (const name of ["job", "1:job", ":1:"]) expect(await cache.lock(name)).toBeUndefined();
    });

    it("takes another prefix, and reports its progress", async () => {
      const cache = open();
      const prefix = ownPrefix();
      await cache.set("a", 1);
      await cache.setMany(
        Array.from({ length: 300 }, (_, i) => [`key ${i}`, i] as const),
        { prefix },
      );
      const onProgress = vi.fn();
      expect(await cache.clear({ prefix, scanCount: 100, onProgress })).toBe(300);
      expect(onProgress).toHaveBeenLastCalledWith(300);
      expect(await cache.has("a")).toBe(true);
    });

    it.each([null, 5, {}])("refuses the prefix %j, and deletes nothing", async (prefix) => {
      const cache = open();
      await cache.set("a", 1);
      await expect(cache.clear({ prefix: prefix as unknown as string })).rejects.toThrow(TypeError);
      expect(await cache.has("a")).toBe(true);
    });

    it("works with the user's own key function, and keeps locks there, too", async () => {
      const cache = open({ keyFunction: (key, prefix, version) => `${version}/${prefix}/${key}` });
      await cache.setMany({ a: 1, b: 2 });
      await cache.set("a", 1, { version: 9 });
      await cache.lock("a");
      expect(await cache.clear()).toBe(3);
      expect(await cache.lock("a")).toBeUndefined();
    });

    it("works with a key function that knows no versions", async () => {
      const cache = open({ keyFunction: (key, prefix) => `${prefix}/${key}` });
      await cache.setMany({ a: 1, b: 2 });
      expect(await cache.clear()).toBe(2);
    });

    it("refuses a key function by which every key of the database would be its own", async () => {
      const cache = open({ keyFunction: (key) => key });
      await expect(cache.clear()).rejects.toThrow(ConfigurationError);
    });
  });
}
