import { describe, expect, it } from "vitest";
import type { Open } from "../cache.js";

export function conditions(open: Open): void {
  describe("set on condition", () => {
    it("writes under nx only where there is no entry", async () => {
      const cache = open();
      expect(await cache.set("a", 1, { nx: true })).toBe(true);
      expect(await cache.set("a", 2, { nx: true })).toBe(false);
      expect(await cache.get("a")).toBe(1);
    });

    it("writes under xx only where there is one", async () => {
      const cache = open();
      expect(await cache.set("a", 1, { xx: true })).toBe(false);
      expect(await cache.has("a")).toBe(false);
      await cache.set("a", 1);
      expect(await cache.set("a", 2, { xx: true })).toBe(true);
      expect(await cache.get("a")).toBe(2);
    });

    it("leaves the lifetime alone where it does not write", async () => {
      const cache = open();
      await cache.set("a", 1, { ttl: 50 });
      await cache.set("a", 2, { nx: true, ttl: 500 });
      expect(await cache.ttl("a")).toBeLessThanOrEqual(50);
    });

    it("as add, writes where there is no entry, with the lifetime given", async () => {
      const cache = open();
      expect(await cache.add("a", 1, { ttl: 50 })).toBe(true);
      expect(await cache.add("a", 2)).toBe(false);
      expect(await cache.get("a")).toBe(1);
      expect(await cache.ttl("a")).toBeLessThanOrEqual(50);
    });

    it("lets one of many writers through", async () => {
      const cache = open();
      const written = await Promise.all(Array.from({ length: 20 }, (_, i) => cache.add("a", i)));
      expect(written.filter(Boolean)).toHaveLength(1);
      expect(await cache.get("a")).toBe(written.indexOf(true));
    });

    it("counts an entry that holds null as there", async () => {
      const cache = open();
      await cache.set("a", null);
      expect(await cache.add("a", 1)).toBe(false);
      expect(await cache.set("a", 1, { xx: true })).toBe(true);
    });

    it.each([0, -1, "0s", "-5m"] as const)("and a ttl of %j writes nothing", async (ttl) => {
      const cache = open();
      expect(await cache.set("absent", 1, { nx: true, ttl })).toBe(true);
      expect(await cache.set("absent", 1, { xx: true, ttl })).toBe(false);
      expect(await cache.has("absent")).toBe(false);
      await cache.set("there", 1);
      expect(await cache.set("there", 2, { nx: true, ttl })).toBe(false);
      expect(await cache.get("there")).toBe(1);
      expect(await cache.set("there", 2, { xx: true, ttl })).toBe(true);
      expect(await cache.has("there")).toBe(false);
    });
  });
}
