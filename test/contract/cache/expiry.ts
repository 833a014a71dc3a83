import { describe, expect, it } from "vitest";
import type { Duration } from "../../../src/core/time.js";
import { until } from "../../support/wait.js";
import type { Open } from "../cache.js";

/** The seconds left of a lifetime of `ms`, soon after it was set. */
function justBelow(ms: number): { asymmetricMatch(left: unknown): boolean; toString(): string } {
  return {
    asymmetricMatch: (left) => {
      const leftMs = typeof left === "number" ? left * 1_000 : Number.NaN;
      // Whole milliseconds, as fractions of a second are not exact.
      return Math.abs(leftMs - Math.round(leftMs)) < 1e-3 && Math.round(leftMs) <= ms && leftMs > ms * 0.9 - 200;
    },
    toString: () => `a little less than ${ms / 1_000}`,
  };
}

const FORMS: [Duration, number][] = [
  [10, 10_000],
  [0.5, 500],
  [1.2345, 1_235],
  ["250ms", 250],
  ["90s", 90_000],
  ["1.5s", 1_500],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
];

export function expiry(open: Open): void {
  describe("lifetimes", () => {
    it.each(FORMS)("of %j are so many milliseconds: %i", async (ttl, ms) => {
      const cache = open();
      await cache.set("a", 1, { ttl });
      expect(await cache.ttl("a")).toEqual(justBelow(ms));
      await cache.set("b", 1, { ttl: null });
      expect(await cache.touch("b", ttl)).toBe(true);
      expect(await cache.ttl("b")).toEqual(justBelow(ms));
      expect(await cache.expire("b", ttl)).toBe(true);
      expect(await cache.ttl("b")).toEqual(justBelow(ms));
    });

    it("are 300 seconds by default, or what the cache says, or none at all", async () => {
      const [plain, own, forever] = [open(), open({ ttl: "2h" }), open({ ttl: null })];
      for (const cache of [plain, own, forever]) await cache.set("a", 1);
      expect(await plain.ttl("a")).toEqual(justBelow(300_000));
      expect(await own.ttl("a")).toEqual(justBelow(7_200_000));
      expect(await forever.ttl("a")).toBeNull();
    });

    it("that are positive are never nothing", async () => {
      const cache = open();
      expect(await cache.set("a", 1, { ttl: 0.000_01 })).toBe(true);
      await until(async () => !(await cache.has("a")), { what: "the entry to expire" });
    });

    it("end: the entry is gone for every method", async () => {
      const cache = open();
      await cache.set("a", 1, { ttl: "20ms" });
      await until(async () => !(await cache.has("a")), { what: "the entry to expire" });
      expect(await cache.get("a")).toBeUndefined();
      expect(await cache.ttl("a")).toBeUndefined();
      expect(await cache.touch("a")).toBe(false);
      expect(await cache.keys()).toEqual([]);
      expect(await cache.add("a", 2)).toBe(true);
    });

    it.each([0, -1, -0.5, "0s", "-1h"] as const)("of %j end the entry", async (ttl) => {
      const cache = open();
      for (const end of [
        () => cache.set("a", 2, { ttl }),
        () => cache.touch("a", ttl),
        () => cache.expire("a", ttl),
        () => cache.set("a", 2, { ttl, xx: true }),
      ]) {
        await cache.set("a", 1);
        expect(await end()).toBe(true);
        expect(await cache.has("a")).toBe(false);
      }
      expect(await cache.set("a", 2, { ttl })).toBe(true);
      expect(await cache.touch("a", ttl)).toBe(false);
    });
  });

  describe("ttl", () => {
    it("returns seconds with fractions to the millisecond, null when the entry never expires, undefined for no entry", async () => {
      const cache = open();
      expect(await cache.ttl("a")).toBeUndefined();
      await cache.set("a", 1, { ttl: null });
      expect(await cache.ttl("a")).toBeNull();
      await cache.set("a", 1, { ttl: 10.5 });
      expect(await cache.ttl("a")).toEqual(justBelow(10_500));
      const seconds = await cache.ttl("a");
      expect(seconds).toBeLessThanOrEqual(10.5);
      expect(seconds).toBeGreaterThan(9);
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      await cache.set("a", 1, { version: 2, ttl: null });
      expect(await cache.ttl("a")).toBeUndefined();
      expect(await cache.ttl("a", { version: 2 })).toBeNull();
    });
  });

  describe("touch", () => {
    it("gives a new lifetime, the cache's by default, and leaves the value as it is", async () => {
      const cache = open({ ttl: 60 });
      await cache.set("a", { n: 1 }, { ttl: 10 });
      expect(await cache.touch("a")).toBe(true);
      expect(await cache.ttl("a")).toEqual(justBelow(60_000));
      expect(await cache.touch("a", "5m")).toBe(true);
      expect(await cache.ttl("a")).toEqual(justBelow(300_000));
      expect(await cache.get("a")).toEqual({ n: 1 });
    });

    it("makes an entry stay for null, also one that stays already", async () => {
      const cache = open();
      await cache.set("a", 1);
      expect(await cache.touch("a", null)).toBe(true);
      expect(await cache.ttl("a")).toBeNull();
      expect(await cache.touch("a", null)).toBe(true);
    });

    it("makes the entry stay when the cache's own entries never expire", async () => {
      const cache = open({ ttl: null });
      await cache.set("a", 1, { ttl: 5 });
      expect(await cache.touch("a")).toBe(true);
      expect(await cache.ttl("a")).toBeNull();
    });

    it("answers false where there is no entry", async () => {
      const cache = open();
      for (const ttl of [undefined, null, 10, 0]) expect(await cache.touch("a", ttl)).toBe(false);
    });

    it("reaches sets and hashes", async () => {
      const cache = open();
      await cache.sets.add("set", [1]);
      await cache.hashes.set("hash", "f", 1);
      expect(await cache.touch("set", 10)).toBe(true);
      expect(await cache.touch("hash", 10)).toBe(true);
      expect(await cache.ttl("set")).toEqual(justBelow(10_000));
    });
  });

  describe("persist and expire", () => {
    it("take a lifetime away, and return whether there was one", async () => {
      const cache = open();
      expect(await cache.persist("a")).toBe(false);
      await cache.set("a", 1);
      expect(await cache.persist("a")).toBe(true);
      expect(await cache.ttl("a")).toBeNull();
      expect(await cache.persist("a")).toBe(false);
    });

    it("give a lifetime in seconds, with fractions to the millisecond, and return whether there was an entry", async () => {
      const cache = open();
      expect(await cache.expire("a", 10)).toBe(false);
      expect(await cache.expire("a", 0.01)).toBe(false);
      await cache.set("a", 1, { ttl: null });
      expect(await cache.expire("a", 100)).toBe(true);
      expect(await cache.ttl("a")).toEqual(justBelow(100_000));
      expect(await cache.expire("a", 1.5)).toBe(true);
      expect(await cache.ttl("a")).toEqual(justBelow(1_500));
      expect(await cache.expire("a", 0)).toBe(true);
      expect(await cache.has("a")).toBe(false);
    });
  });

  describe("expireAt", () => {
    it("ends an entry at a Date, or at seconds since the epoch, with fractions to the millisecond", async () => {
      const cache = open();
      const date = new Date(Date.now() + 100_000);
      await cache.set("a", 1);
      for (const end of [
        () => cache.expireAt("a", date),
        () => cache.expireAt("a", date.getTime() / 1_000),
        () => cache.expireAt("a", Math.floor(date.getTime() / 1_000) - 0.877),
      ]) {
        await cache.persist("a");
        expect(await end()).toBe(true);
        expect(await cache.ttl("a")).toEqual(justBelow(100_000));
      }
    });

    it("end the entry at once when the moment is past", async () => {
      const cache = open();
      await cache.set("a", 1);
      expect(await cache.expireAt("a", new Date(0))).toBe(true);
      expect(await cache.has("a")).toBe(false);
      await cache.set("a", 1);
      expect(await cache.expireAt("a", 1)).toBe(true);
      expect(await cache.has("a")).toBe(false);
    });

    it("answer false where there is no entry", async () => {
      const cache = open();
      expect(await cache.expireAt("a", new Date(Date.now() + 1_000))).toBe(false);
      expect(await cache.expireAt("a", Date.now() / 1_000 + 1)).toBe(false);
    });
  });
}
