import { describe, expect, it, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { until } from "../../support/wait.js";
import { bytesOf, type Fleets, headerOf, slowLoader } from "./fleet.js";

const FORCE = { forceRefresh: true } as const;

/** What soft expiry and forced loads promise to a fleet. */
export function forcedAndSoft({ fakeTime, fleet }: Fleets): void {
  describe("a soft expiry in a fleet", () => {
    const pass = fakeTime();

    it("has one process load, and all answer the old value meanwhile", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      await here.set("a", "old", { ttl: "1h" });
      expect(await there.expireSoft("a")).toBe(true);
      const loader = slowLoader<string>();
      for (const cache of [here, there, here]) expect(await cache.getOrSet("a", loader)).toBe("old");
      // A near cache answers before the lease is had.
      await until(() => loader.stales.length > 0, { what: "the load" });
      expect(loader.stales).toEqual(["old"]);
      loader.resolve("new");
      await pass(0);
      for (const cache of [here, there]) expect(await cache.get("a")).toBe("new");
    });

    it.each(["10s", "5m", null] as const)("leaves the grace of an entry that lived for %s", async (ttl) => {
      const cache = fleet({ grace: 60, retryAfter: 1 })();
      await cache.set("a", "old", { ttl });
      await pass(5_000);
      await cache.expireSoft("a");
      await pass(30_000);
      // A load that fails changes nothing of that.
      expect(await cache.getOrSet("a", () => Promise.reject(new Error("broken")))).toBe("old");
      await pass(29_000);
      expect(await bytesOf(cache, "a")).toBeDefined();
      expect(await cache.getOrSet("a", () => Promise.reject(new Error("broken")))).toBe("old");
      // The moment of a soft expiry is kept in whole seconds.
      await pass(3_000);
      expect(await bytesOf(cache, "a")).toBeUndefined();
    });

    it("ends an entry that has no grace", async () => {
      const cache = fleet({ grace: 0 })();
      await cache.set("a", "old");
      expect(await cache.expireSoft("a")).toBe(true);
      expect(await cache.getOrSet("a", () => "new")).toBe("new");
    });

    it("is one for a process whose clock is an hour behind, too", async () => {
      const open = fleet();
      const [here, behind] = [open(), open()];
      await here.set("a", "old", { ttl: "1d" });
      await here.expireSoft("a");
      const now = Date.now;
      vi.spyOn(Date, "now").mockImplementation(() => now() - 3_600_000);
      const seen = await behind.get("a");
      vi.mocked(Date.now).mockRestore();
      expect(seen).toBeUndefined();
    });

    it("fences a refresh under way, and the next caller loads", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      await here.set("a", "old", { ttl: 1 });
      await pass(1_000);
      const loader = slowLoader<string>();
      expect(await here.getOrSet("a", loader)).toBe("old");
      await pass(0);
      await there.expireSoft("a");
      expect((await headerOf(there, "a"))?.token).toBe(" ".repeat(12));
      expect(await there.getOrSet("a", () => "newer")).toBe("old");
      await pass(0);
      loader.resolve("older");
      await pass(0);
      expect(await there.get("a")).toBe("newer");
    });
  });

  describe("a forced load in a fleet", () => {
    const pass = fakeTime();
    /** A fresh entry, and two processes. */
    const start = async (): Promise<readonly [Cache, Cache]> => {
      const open = fleet({ retryAfter: 60 });
      const caches = [open(), open()] as const;
      await caches[0].set("a", "old", { ttl: "1h" });
      return caches;
    };

    it("is one: forced callers elsewhere wait for its value, and others get what is there", async () => {
      const [here, there] = await start();
      const loader = slowLoader<string>();
      const second = vi.fn(() => "second");
      const forced = here.getOrSet("a", loader, FORCE);
      await pass(0);
      const waiting = there.getOrSet("a", second, FORCE);
      const many = there.getOrSetMany(["a", "b"], (keys) => new Map(keys.map((key) => [key, "many"])), FORCE);
      await pass(300);
      for (const cache of [here, there]) expect(await cache.getOrSet("a", second)).toBe("old");
      loader.resolve("new");
      await pass(2_000);
      expect(await Promise.all([forced, waiting])).toEqual(["new", "new"]);
      expect(await many).toEqual(new Map(Object.entries({ a: "new", b: "many" })));
      expect(second).not.toHaveBeenCalled();
      expect(loader.stales).toEqual(["old"]);
    });

    it("passes to a waiting caller when its loader fails, and that failure is no other caller's", async () => {
      const [here, there] = await start();
      const loader = slowLoader<string>();
      const forced = here.getOrSet("a", loader, FORCE);
      await pass(0);
      const waiting = there.getOrSet("a", () => "new", FORCE);
      await pass(300);
      loader.reject(new Error("broken"));
      await expect(forced).rejects.toThrow("broken");
      await pass(2_000);
      expect(await waiting).toBe("new");
      expect(await here.get("a")).toBe("new");
    });

    it("is not put off by the pause after a failed load", async () => {
      const [here, there] = await start();
      await expect(here.getOrSet("a", () => Promise.reject(new Error("broken")), FORCE)).rejects.toThrow("broken");
      expect(await there.getOrSet("a", () => "new", FORCE)).toBe("new");
    });

    it("loads a value that has no envelope, as other clients store it", async () => {
      const [here, there] = await start();
      const key = String(here.makeKey("plain"));
      await here.connection.send([["SET", key, '"django"']]);
      const loader = slowLoader<string>();
      const forced = here.getOrSet("plain", loader, FORCE);
      await pass(0);
      expect(await there.getOrSet("plain", () => "other")).toBe("django");
      loader.resolve("new");
      expect(await forced).toBe("new");
      expect(await there.get("plain")).toBe("new");
    });
  });
}
