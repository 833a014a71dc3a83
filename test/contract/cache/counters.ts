import { describe, expect, it } from "vitest";
import { KeyNotFoundError, NotAnIntegerError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { plant, stored } from "./stored.js";

export function counters(open: Open): void {
  describe("incr and decr", () => {
    it("add and take away, 1 by default, and answer the new value", async () => {
      const cache = open();
      await cache.set("a", 5);
      expect(await cache.incr("a")).toBe(6);
      expect(await cache.incr("a", 10)).toBe(16);
      expect(await cache.incr("a", -20)).toBe(-4);
      expect(await cache.decr("a")).toBe(-5);
      expect(await cache.decr("a", 5)).toBe(-10);
      expect(await cache.decr("a", -15n)).toBe(5);
      expect(await cache.incr("a", 0)).toBe(5);
      expect(await cache.get("a")).toBe(5);
    });

    it("lose none of many at once", async () => {
      const cache = open();
      await cache.set("a", 0);
      const seen = await Promise.all(Array.from({ length: 100 }, () => cache.incr("a")));
      expect(new Set(seen).size).toBe(100);
      expect(await cache.get("a")).toBe(100);
    });

    it("keep the lifetime", async () => {
      const cache = open();
      await cache.set("a", 1, { ttl: 40 });
      await cache.incr("a", 1, { ttl: 4_000 });
      await cache.incr("a", 1, { ttl: 4_000, create: true });
      expect(await cache.ttl("a")).toBeLessThanOrEqual(40);
      expect(await cache.ttl("a")).toBeGreaterThan(30);
      await cache.set("b", 1, { ttl: null });
      await cache.decr("b", 1, { create: true });
      expect(await cache.ttl("b")).toBeNull();
    });

    it("throw KeyNotFoundError, naming the key, where there is no entry, and make none", async () => {
      const cache = open();
      await expect(cache.incr("a")).rejects.toThrow(KeyNotFoundError);
      await expect(cache.decr("a")).rejects.toThrow(String(cache.makeKey("a")));
      expect(await cache.has("a")).toBe(false);
    });

    it("begin at 0 when asked to create, with the lifetime given or the cache's", async () => {
      const cache = open({ ttl: 60 });
      expect(await cache.incr("a", 5, { create: true })).toBe(5);
      expect(await cache.ttl("a")).toBeGreaterThan(50);
      expect(await cache.ttl("a")).toBeLessThanOrEqual(60);
      expect(await cache.decr("b", 5, { create: true, ttl: "2s" })).toBe(-5);
      expect(await cache.ttl("b")).toBeLessThanOrEqual(2);
      await cache.incr("c", 1, { create: true, ttl: null });
      expect(await cache.ttl("c")).toBeNull();
    });

    it.each([0, -1])("create nothing that stays for a ttl of %j, and answer all the same", async (ttl) => {
      const cache = open();
      expect(await cache.incr("a", 5, { create: true, ttl })).toBe(5);
      expect(await cache.has("a")).toBe(false);
    });

    it("answer a bigint beyond 2^53, to the last digit, and go back to numbers below", async () => {
      const cache = open();
      await cache.set("a", Number.MAX_SAFE_INTEGER);
      expect(await cache.incr("a")).toBe(2n ** 53n);
      expect(await cache.incr("a")).toBe(2n ** 53n + 1n);
      expect(await cache.get("a")).toBe(2n ** 53n + 1n);
      expect(await cache.decr("a", 2n)).toBe(Number.MAX_SAFE_INTEGER);
      await cache.set("b", 2n ** 63n - 2n);
      expect(await cache.incr("b")).toBe(2n ** 63n - 1n);
    });

    it("refuse to leave 64 bits, and leave the value as it is", async () => {
      const cache = open();
      await cache.set("a", 2n ** 63n - 1n);
      await expect(cache.incr("a")).rejects.toThrow(NotAnIntegerError);
      expect(await cache.get("a")).toBe(2n ** 63n - 1n);
    });

    it.each([
      ["text", "text"],
      ["text of digits", "12"],
      ["a float", 1.5],
      ["null", null],
      ["true", true],
      ["an object", { n: 1 }],
      ["an integer beyond 64 bits", 2n ** 64n],
    ])("refuse %s, naming the key, and leave it as it is", async (_, value) => {
      const cache = open();
      await cache.set("a", value, { ttl: 50 });
      for (const tried of [() => cache.incr("a"), () => cache.decr("a"), () => cache.incr("a", 1, { create: true })]) {
        const error: unknown = await tried().catch((cause: unknown) => cause);
        expect(error).toBeInstanceOf(NotAnIntegerError);
        expect(String(error)).toContain(String(cache.makeKey("a")));
      }
      expect(await cache.get("a")).toEqual(value);
      expect(await cache.ttl("a")).toBeLessThanOrEqual(50);
    });

    it("go on with what other programs counted", async () => {
      const cache = open();
      await plant(cache, "a", "41");
      expect(await cache.incr("a")).toBe(42);
      expect(await stored(cache, cache.makeKey("a"))).toBe("42");
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      await cache.set("a", 1, { version: 2 });
      await expect(cache.incr("a")).rejects.toThrow(KeyNotFoundError);
      expect(await cache.incr("a", 1, { version: 2 })).toBe(2);
    });
  });
}
