import { describe, expect, it, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { type Fleets, headerOf, slowLoader } from "./fleet.js";

export function staleValues({ fakeTime, fleet }: Fleets): void {
  describe("a stale value", () => {
    const pass = fakeTime();

    it("is returned to all callers at once, the one that replaces it included", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      await here.set("a", "old", { ttl: 1 });
      await pass(1_000);
      const loader = slowLoader<string>();
      for (const cache of [here, there, here, there]) expect(await cache.getOrSet("a", loader)).toBe("old");
      expect(loader.signals).toHaveLength(1);
      loader.resolve("new");
      await pass(0);
      for (const cache of [here, there]) expect(await cache.getOrSet("a", loader)).toBe("new");
    });

    it("is shown to the loader, which can't change what callers hold", async () => {
      const cache = fleet()();
      await cache.set("a", { list: [1] }, { ttl: 1 });
      await pass(1_000);
      const loader = slowLoader<{ list: number[] }>();
      const held = await cache.getOrSet("a", loader);
      held.list.push(2);
      await pass(0);
      expect(loader.stales).toEqual([{ list: [1] }]);
      loader.resolve({ list: [] });
    });

    it("is gone when its grace is over", async () => {
      const cache = fleet({ grace: 10 })();
      await cache.set("a", "old", { ttl: 1 });
      await pass(11_100);
      expect(await cache.getOrSet("a", () => "new")).toBe("new");
    });

    it("is never answered without a grace", async () => {
      const cache = fleet({ grace: 0 })();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_100);
      expect(await cache.getOrSet("a", () => "new")).toBe("new");
    });

    it("is kept for the grace after touch, expire and expireAt, too", async () => {
      const cache = fleet({ grace: 60 })();
      const moves = [
        () => cache.touch("a", 10),
        () => cache.expire("a", 10),
        () => cache.expireAt("a", new Date(Date.now() + 10_000)),
      ];
      for (const move of moves) {
        await cache.set("a", "old", { ttl: 1 });
        expect(await move()).toBe(true);
        expect(await cache.ttl("a")).toBeCloseTo(10, 1);
        await pass(69_900);
        expect(await headerOf(cache, "a")).toBeDefined();
        await pass(200);
        expect(await headerOf(cache, "a")).toBeUndefined();
      }
    });

    describe("without background work", () => {
      const options = { background: false, retryAfter: 5 };

      it("is returned to all callers but the one that replaces it, which waits for the new value", async () => {
        const open = fleet(options);
        const [here, there] = [open(), open()];
        await here.set("a", "old", { ttl: 1 });
        await pass(1_000);
        const loader = slowLoader<string>();
        const given = here.getOrSet("a", loader);
        await pass(100);
        expect(await there.getOrSet("a", loader)).toBe("old");
        loader.resolve("new");
        expect(await given).toBe("new");
        expect(loader.signals).toHaveLength(1);
      });

      it.each(["getOrSet", "getOrSetMany"] as const)(
        "%s ends the wait for the new one when its signal fires",
        async (method) => {
          const cache = fleet(options)();
          await cache.set("a", "old", { ttl: 1 });
          await pass(1_000);
          const loader = slowLoader<string>();
          const leaving = new AbortController();
          const { signal } = leaving;
          const given =
            method === "getOrSet"
              ? cache.getOrSet("a", loader, { signal })
              : cache.getOrSetMany(["a"], async (_, context) => ({ a: await loader(context) }), { signal });
          await pass(100);
          leaving.abort(new Error("left"));
          await expect(given).rejects.toThrow("left");
          loader.resolve("new");
          await pass(0);
          expect(await cache.get("a")).toBe("new");
        },
      );

      it("answers all when the loader throws", async () => {
        const onError = vi.fn();
        const cache = fleet(options)({ onError });
        await cache.set("a", "old", { ttl: 1 });
        await pass(1_000);
        const broken = new Error("broken");
        expect(await cache.getOrSet("a", () => Promise.reject(broken))).toBe("old");
        expect(onError).toHaveBeenCalledExactlyOnceWith(broken, expect.anything());
      });

      it("answers when the soft timeout is over, and the load goes on", async () => {
        const cache = fleet(options)();
        await cache.set("a", "old", { ttl: 1 });
        await pass(1_000);
        const loader = slowLoader<string>();
        const given = cache.getOrSet("a", loader, { softTimeout: "200ms" });
        await pass(199);
        const answered = vi.fn();
        void given.then(answered);
        await pass(0);
        expect(answered).not.toHaveBeenCalled();
        await pass(1);
        expect(await given).toBe("old");
        loader.resolve("new");
        await pass(0);
        expect(await cache.get("a")).toBe("new");
      });

      it("waits no longer than the load when that is within the soft timeout", async () => {
        const cache = fleet(options)();
        await cache.set("a", "old", { ttl: 1 });
        await pass(1_000);
        // The connection's own.
        const timers = vi.getTimerCount();
        const loader = slowLoader<string>();
        const given = cache.getOrSet("a", loader, { softTimeout: 10 });
        loader.resolve("new");
        expect(await given).toBe("new");
        expect(vi.getTimerCount()).toBeLessThanOrEqual(timers);
      });
    });
  });

  describe("an early refresh", () => {
    const pass = fakeTime();
    /** A cache with an entry that took so long to load, and expires ten seconds after that. */
    async function loaded({
      beta = 1,
      loadMs = 1_000,
      ...more
    }: Partial<CacheOptions> & { beta?: number; loadMs?: number }) {
      const cache = fleet({ beta })(more);
      const loader = slowLoader<string>();
      const given = cache.getOrSet("a", loader, { ttl: 10 });
      await pass(loadMs);
      loader.resolve("old");
      await given;
      return cache;
    }

    /** Whether there is one after so long. */
    async function refreshes(cache: Cache, ms: number): Promise<boolean> {
      await pass(ms);
      const loader = vi.fn(() => "new");
      expect(await cache.getOrSet("a", loader)).toBe("old");
      await pass(0);
      return loader.mock.calls.length > 0;
    }

    it("comes with a chance that grows towards expiry", async () => {
      const cache = await loaded({});
      // The half of a load's time before expiry.
      vi.spyOn(Math, "random").mockReturnValue(Math.exp(-0.5));
      expect(await refreshes(cache, 9_499)).toBe(false);
      expect(await refreshes(cache, 1)).toBe(true);
      expect(await cache.get("a")).toBe("new");
    });

    it("comes no earlier than a load takes before expiry", async () => {
      const cache = await loaded({});
      vi.spyOn(Math, "random").mockReturnValue(0);
      expect(await refreshes(cache, 8_999)).toBe(false);
      expect(await refreshes(cache, 1)).toBe(true);
    });

    it("comes the sooner the greater beta is", async () => {
      const cache = await loaded({ beta: 4 });
      vi.spyOn(Math, "random").mockReturnValue(Math.exp(-0.5));
      expect(await refreshes(cache, 7_999)).toBe(false);
      expect(await refreshes(cache, 1)).toBe(true);
    });

    it("comes in the last tenth of a life only, however long a load takes", async () => {
      const cache = await loaded({ loadMs: 30_000 });
      vi.spyOn(Math, "random").mockReturnValue(0);
      expect(await refreshes(cache, 8_999)).toBe(false);
      expect(await refreshes(cache, 1)).toBe(true);
    });

    it("never comes with a beta of 0", async () => {
      const cache = await loaded({ beta: 0 });
      vi.spyOn(Math, "random").mockReturnValue(0);
      expect(await refreshes(cache, 9_999)).toBe(false);
    });

    it("that fails leaves the value, and is not tried again for a while", async () => {
      const onError = vi.fn();
      const cache = await loaded({ onError });
      vi.spyOn(Math, "random").mockReturnValue(0);
      await pass(9_000);
      const loader = vi.fn(() => Promise.reject(new Error("broken")));
      for (let i = 0; i < 3; i++) {
        expect(await cache.getOrSet("a", loader)).toBe("old");
        await pass(200);
      }
      expect(loader).toHaveBeenCalledTimes(1);
      expect(onError).toHaveBeenCalledTimes(1);
      expect(await cache.ttl("a")).toBe(0.4);
    });
  });

  describe("jitter", () => {
    const pass = fakeTime();

    it("shortens lifetimes by up to its part, and none that is for ever", async () => {
      const cache = fleet({ jitter: 0.2, grace: 60 })();
      vi.spyOn(Math, "random").mockReturnValue(0.5);
      await cache.set("a", 1, { ttl: 100 });
      expect(await cache.ttl("a")).toBe(90);
      await cache.getOrSet("b", () => 1, { ttl: 100 });
      expect(await cache.ttl("b")).toBe(90);
      await cache.set("c", 1, { ttl: null });
      expect(await cache.ttl("c")).toBeNull();
      await pass(150_100);
      expect(await headerOf(cache, "a")).toBeUndefined();
    });
  });
}
