import { describe, expect, it, vi } from "vitest";
import { LoaderCycleError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { CacheTraits, Open } from "../cache.js";
import { ownPrefix } from "./stored.js";

/** Loads although a value is stored. */
export function forcedRefreshes(open: Open, { remembers = false }: CacheTraits): void {
  describe("getOrSet with forceRefresh", () => {
    it("loads although there is a value, and stores the new one with its lifetime", async () => {
      const cache = open();
      await cache.set("a", 1);
      const loader = vi.fn(() => 2);
      expect(await cache.getOrSet("a", loader, { forceRefresh: true, ttl: "1h" })).toBe(2);
      expect(await cache.get("a")).toBe(2);
      expect(await cache.ttl("a")).toBeGreaterThan(3_500);
      expect(await cache.getOrSet("a", loader, { forceRefresh: false })).toBe(2);
      expect(loader).toHaveBeenCalledTimes(1);
      expect(await cache.getOrSet("b", loader, { forceRefresh: true })).toBe(2);
      expect(await cache.get("b")).toBe(2);
    });

    it.skipIf(remembers)("loads once for concurrent callers, while others get the value that is there", async () => {
      const keyPrefix = ownPrefix();
      const [cache, other] = [open({ keyPrefix }), open({ keyPrefix })];
      await cache.set("a", { n: 1 });
      const value = deferred<{ n: number }>();
      const called = deferred<void>();
      const loader = vi.fn(() => {
        called.resolve();
        return value.promise;
      });
      const loading = Array.from({ length: 3 }, () => cache.getOrSet("a", loader, { forceRefresh: true }));
      await called.promise;
      for (const one of [cache, other]) {
        expect(await one.get("a")).toEqual({ n: 1 });
        expect(await one.getOrSet("a", () => ({ n: 3 }))).toEqual({ n: 1 });
      }
      value.resolve({ n: 2 });
      const answers = await Promise.all(loading);
      expect(answers).toEqual([{ n: 2 }, { n: 2 }, { n: 2 }]);
      expect(loader).toHaveBeenCalledTimes(1);
      await until(async () => (await other.get<{ n: number }>("a"))?.n === 2, { what: "the new value" });
    });

    it("shares its load with callers that find nothing", async () => {
      const cache = open();
      const value = deferred<number>();
      const called = deferred<void>();
      const forced = cache.getOrSet(
        "a",
        () => {
          called.resolve();
          return value.promise;
        },
        { forceRefresh: true },
      );
      await called.promise;
      const second = vi.fn(() => 3);
      const misses = vi.fn();
      cache.on("miss", misses);
      const plain = cache.getOrSet("a", second);
      await until(() => misses.mock.calls.length > 0, { what: "the second caller to find nothing" });
      value.resolve(2);
      expect(await Promise.all([forced, plain])).toEqual([2, 2]);
      expect(second).not.toHaveBeenCalled();
    });

    it("rejects with what the loader throws, and leaves what is stored", async () => {
      const cache = open();
      const broken = new Error("broken");
      await cache.set("a", 1);
      const failing = cache.getOrSet("a", () => Promise.reject(broken), { forceRefresh: true });
      await expect(failing).rejects.toBe(broken);
      expect(await cache.getOrSet("a", () => 3)).toBe(1);
      expect(await cache.getOrSet("a", () => 2, { forceRefresh: true })).toBe(2);
    });

    it("deletes the entry when the loader finds no value any more", async () => {
      const cache = open();
      await cache.set("a", 1);
      expect(await cache.getOrSet("a", () => undefined, { forceRefresh: true })).toBeUndefined();
      expect(await cache.has("a")).toBe(false);
    });

    it("refuses a loader that waits for itself", async () => {
      const cache = open();
      const load = (): Promise<number> => cache.getOrSet("a", () => 1, { forceRefresh: true });
      await expect(cache.getOrSet("a", load)).rejects.toThrow(LoaderCycleError);
    });

    it("overtakes a load that began before it", async () => {
      const cache = open();
      const value = deferred<string>();
      const called = deferred<void>();
      const before = cache.getOrSet("a", () => {
        called.resolve();
        return value.promise;
      });
      await called.promise;
      const forced = cache.getOrSet("a", () => "newer", { forceRefresh: true });
      value.resolve("older");
      await Promise.all([before, forced]);
      expect(await cache.get("a")).toBe(await forced);
    });
  });

  describe("getOrSetMany with forceRefresh", () => {
    it("loads all keys, and stores their values", async () => {
      const cache = open();
      await cache.setMany({ a: 1, b: 1 });
      const loader = vi.fn((keys: string[]) => new Map(keys.map((key) => [key, 2])));
      const loaded = await cache.getOrSetMany(["a", "b", "c"], loader, { forceRefresh: true });
      expect(loaded).toEqual(new Map(Object.entries({ a: 2, b: 2, c: 2 })));
      expect(await cache.getMany(["a", "b", "c"])).toEqual(loaded);
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("deletes entries that the loader leaves out", async () => {
      const cache = open();
      await cache.setMany({ a: 1, b: 1 });
      await cache.getOrSetMany(["a", "b"], () => ({ b: 2 }), { forceRefresh: true });
      expect(await cache.getMany(["a", "b"])).toEqual(new Map([["b", 2]]));
    });
  });
}
