import { describe, expect, it, vi } from "vitest";
import type { Loader } from "../../../src/client/client.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { CacheTraits, Open } from "../cache.js";

export function softExpiry(open: Open, { remembers = false }: CacheTraits): void {
  describe("an entry that is expired softly", () => {
    it("is found no more by reads", async () => {
      const cache = open();
      await cache.setMany({ a: 1, b: 2 });
      expect(await cache.expireSoft("a")).toBe(true);
      expect(await cache.get("a")).toBeUndefined();
      expect(await cache.getMany(["a", "b"])).toEqual(new Map([["b", 2]]));
      expect(await cache.has("a")).toBe(false);
      expect(await cache.ttl("a")).toBeUndefined();
      expect(await cache.keys()).toEqual(["b"]);
      expect(await cache.expireSoft("a")).toBe(false);
      expect(await cache.expireSoft("none")).toBe(false);
    });

    it.skipIf(remembers)("is answered by getOrSet while one caller loads a new value", async () => {
      const cache = open();
      await cache.set("a", { n: 1 }, { ttl: null });
      await cache.expireSoft("a");
      const value = deferred<{ n: number }>();
      const stales: unknown[] = [];
      const loader = vi.fn<Loader<{ n: number }>>(({ stale }) => {
        stales.push(stale);
        return value.promise;
      });
      for (let i = 0; i < 3; i++) expect(await cache.getOrSet("a", loader, { ttl: "5m" })).toEqual({ n: 1 });
      value.resolve({ n: 2 });
      await until(async () => (await cache.get("a")) !== undefined, { what: "the new value" });
      expect(await cache.getOrSet("a", loader)).toEqual({ n: 2 });
      expect(await cache.ttl("a")).toBeGreaterThan(200);
      expect(stales).toEqual([{ n: 1 }]);
    });

    it.skipIf(remembers)("is answered by getOrSetMany while one call loads new values", async () => {
      const cache = open();
      await cache.setMany({ a: 1, b: 1, c: 1 });
      await cache.expireSoft("a");
      await cache.expireSoft("b");
      const loader = vi.fn(async (keys: string[]) => new Map(keys.map((key) => [key, 2])));
      const seen = await cache.getOrSetMany(["a", "b", "c", "d"], loader);
      expect(seen).toEqual(new Map(Object.entries({ a: 1, b: 1, c: 1, d: 2 })));
      await until(async () => (await cache.getMany(["a", "b", "d"])).size === 3, { what: "the new values" });
      expect(await cache.getMany(["a", "b", "c", "d"])).toEqual(new Map(Object.entries({ a: 2, b: 2, c: 1, d: 2 })));
      expect(loader.mock.calls.map(([keys]) => keys.toSorted())).toEqual(expect.arrayContaining([["d"], ["a", "b"]]));
    });

    it("stays when the loader fails, and onError is called", async () => {
      const onError = vi.fn();
      const cache = open({ onError });
      const broken = new Error("broken");
      await cache.set("a", "old");
      await cache.expireSoft("a");
      expect(await cache.getOrSet("a", () => Promise.reject(broken))).toBe("old");
      await until(() => onError.mock.calls.length > 0, { what: "the error" });
      expect(onError).toHaveBeenCalledWith(broken, { method: "getOrSet", key: String(cache.makeKey("a")) });
      expect(await cache.getOrSet("a", () => "new")).toBe("old");
    });

    it("is deleted when the loader finds no value any more", async () => {
      const cache = open();
      await cache.set("a", "old");
      await cache.expireSoft("a");
      expect(await cache.getOrSet<string | undefined>("a", () => undefined)).toBe("old");
      await until(async () => (await cache.getOrSet("a", () => "new")) === "new", { what: "the entry to be gone" });
    });

    it("stays when the loader says that its value is not to be stored", async () => {
      const cache = open();
      await cache.set("a", "old");
      await cache.expireSoft("a");
      let loads = 0;
      const load: Loader<string> = ({ doNotStore }) => {
        doNotStore();
        loads++;
        return "new";
      };
      expect(await cache.getOrSet("a", load)).toBe("old");
      await until(() => loads > 0, { what: "the load" });
      expect(await cache.getOrSet("a", () => "other")).toBe("old");
    });

    it("ends what a load under way would store, as that may be older", async () => {
      const cache = open();
      const value = deferred<string>();
      const called = deferred<void>();
      const loading = cache.getOrSet("a", () => {
        called.resolve();
        return value.promise;
      });
      await called.promise;
      expect(await cache.expireSoft("a")).toBe(false);
      value.resolve("older");
      // A loader that ignores its signal may be called again, as its lease is lost.
      expect(await loading).toBe("older");
      expect(await cache.getOrSet("a", () => "newer")).toBe("newer");
    });

    it("is no number any more that counts go on from", async () => {
      const cache = open();
      await cache.incr("n", 5, { create: true });
      await cache.expireSoft("n");
      expect(await cache.incr("n", 2, { create: true })).toBe(2);
    });

    it("can be written again, and is fresh then", async () => {
      const cache = open();
      await cache.set("a", 1);
      await cache.expireSoft("a");
      expect(await cache.add("a", 2)).toBe(true);
      expect(await cache.get("a")).toBe(2);
    });

    it("may be one of many, which take one call", async () => {
      const cache = open();
      const keys = Array.from({ length: 2_500 }, (_, i) => `k${i}`);
      await cache.setMany(new Map([...keys, "other"].map((key) => [key, 1])));
      expect(await cache.expireSoftMany(["k0", "missing", "k1", "k0"])).toBe(2);
      expect(await cache.expireSoftMany(new Set(keys))).toBe(keys.length - 2);
      expect(await cache.expireSoftMany([])).toBe(0);
      expect(await cache.getMany([...keys, "other"])).toEqual(new Map([["other", 1]]));
      expect(await cache.getOrSet("k7", () => 2)).toBe(1);
    });

    it("is a value: sets and hashes are refused", async () => {
      const cache = open();
      await cache.sets.add("s", [1]);
      await expect(cache.expireSoft("s")).rejects.toMatchObject({ code: "WRONGTYPE" });
      expect(await cache.sets.members("s")).toEqual(new Set([1]));
    });
  });
}
