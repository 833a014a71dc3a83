import { describe, expect, it } from "vitest";
import { DecodeError, EncodeError, ReplyError } from "../../../src/core/errors.js";
import type { CacheTraits, Open } from "../cache.js";
import { plant, raw, stored } from "./stored.js";

const VALUES: [string, unknown][] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["zero", 0],
  ["minus zero", -0],
  ["an integer", 12],
  ["a negative integer", -12],
  ["the largest safe integer", Number.MAX_SAFE_INTEGER],
  ["a float", 0.1],
  ["a tiny float", 5e-324],
  ["a huge float", 1.7976931348623157e308],
  ["an integer beyond 2^53, as a number", 2 ** 60],
  ["an integer beyond 2^53, as a bigint", 2n ** 63n - 1n],
  ["an integer of many digits", -(10n ** 100n)],
  ["a string of digits", "12"],
  ["a word for a boolean", "true"],
  ["a word for null", "null"],
  ["a word for no number", "nan"],
  ["the empty string", ""],
  ["text", "hello"],
  ["text of other scripts", "héllo, мир 🌍 \u0000 \ud800"],
  ["an array", [1, "1", null, [true]]],
  ["an empty array", []],
  ["an object", { a: { b: [1, { c: null }] }, d: "e" }],
  ["an empty object", {}],
];

/** What JSON has no form for, so that nothing may be written. */
const UNSTORABLE: [string, unknown][] = [
  ["a function", () => 1],
  ["a symbol", Symbol("s")],
  ["a cyclic object", cyclic()],
  ["an object with a bigint", { big: 1n }],
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["a Map", new Map([[1, 2]])],
];

export function values(open: Open, { sharesValues = false }: CacheTraits): void {
  describe("values", () => {
    it.each(VALUES)("come back as they were: %s", async (_, value) => {
      const cache = open();
      expect(await cache.set("a", value)).toBe(true);
      expect(await cache.get("a")).toStrictEqual(value);
      expect(await cache.getMany(["a"])).toStrictEqual(new Map([["a", value]]));
    });

    it("of a megabyte come back as they were", async () => {
      const cache = open();
      const value = { text: "0123456789".repeat(100_000) };
      await cache.set("a", value);
      expect(await cache.get("a")).toEqual(value);
    });

    it("that are numbers are stored in decimal, all others by the serializer", async () => {
      const cache = open();
      for (const [value, text] of [
        [12, "12"],
        [-1.5, "-1.5"],
        [2n ** 64n, "18446744073709551616"],
        ["12", '"12"'],
        [true, "true"],
        [{ a: 1 }, '{"a":1}'],
      ]) {
        await cache.set("a", value);
        expect(await stored(cache, cache.makeKey("a"))).toBe(text);
      }
    });

    it("are undefined, or the default that is given, on a miss", async () => {
      const cache = open();
      expect(await cache.get("a")).toBeUndefined();
      expect(await cache.get("a", { default: "other" })).toBe("other");
      expect(await cache.get("a", { default: null })).toBeNull();
    });

    it.each([null, false, 0, ""])("that are stored go before the default, also %j", async (value) => {
      const cache = open();
      await cache.set("a", value);
      expect(await cache.get("a", { default: "other" })).toBe(value);
    });

    it("written again replace the old ones, and the old lifetime", async () => {
      const cache = open({ ttl: 60 });
      await cache.set("a", 1, { ttl: null });
      expect(await cache.set("a", 2)).toBe(true);
      expect(await cache.get("a")).toBe(2);
      expect(await cache.ttl("a")).toBeGreaterThan(50);
    });

    it.skipIf(sharesValues)(
      "belong to the caller: changing one changes neither the entry nor what others get",
      async () => {
        const cache = open();
        const value = { list: [1] };
        await cache.set("a", value);
        value.list.push(2);
        const got = await cache.get<typeof value>("a");
        got?.list.push(3);
        expect(await cache.get("a")).toEqual({ list: [1] });
      },
    );

    it.each(UNSTORABLE)("that can't be stored are an error, and nothing is written: %s", async (_, value) => {
      const cache = open();
      await cache.set("old", 1);
      for (const key of ["old", "new"]) {
        await expect(cache.set(key, value)).rejects.toThrow(EncodeError);
        await expect(cache.set(key, value)).rejects.toThrow(String(cache.makeKey(key)));
      }
      expect(await cache.getMany(["old", "new"])).toEqual(new Map([["old", 1]]));
    });

    it("can't be undefined, which is what a miss answers", async () => {
      const cache = open();
      await expect(cache.set("a", undefined)).rejects.toThrow(TypeError);
      await expect(cache.setMany({ a: undefined })).rejects.toThrow(TypeError);
      await expect(cache.mset({ a: undefined })).rejects.toThrow(TypeError);
      await expect(cache.hashes.set("h", "a", undefined)).rejects.toThrow(TypeError);
      expect(await cache.has("a")).toBe(false);
    });

    it.each([
      ["text of no JSON", "not JSON"],
      ["truncated JSON", '{"a":'],
      ["bytes that are no UTF-8", new Uint8Array([0xff, 0xfe, 0x00])],
      ["nothing", ""],
      ["a name of JavaScript's own", "isPrototypeOf"],
    ])("that this cache did not write are a DecodeError that names the key: %s", async (_, bytes) => {
      const cache = open();
      await plant(cache, "a", bytes);
      for (const read of [() => cache.get("a"), () => cache.getMany(["a"]), () => cache.mget(["a"])]) {
        const error: unknown = await read().catch((cause: unknown) => cause);
        expect(error).toBeInstanceOf(DecodeError);
        expect(String(error)).toContain(String(cache.makeKey("a")));
      }
    });

    it("can't be read from a key that holds something else", async () => {
      const cache = open();
      await cache.sets.add("a", [1]);
      await expect(cache.get("a")).rejects.toThrow(ReplyError);
      await expect(cache.get("a")).rejects.toThrow(/WRONGTYPE/);
    });

    it("can be written and read over the raw connection, by encode and decode", async () => {
      const cache = open();
      const key = String(cache.makeKey("a"));
      await raw(cache, "SET", key, await cache.codec.encode({ b: [1] }));
      expect(await cache.get("a")).toEqual({ b: [1] });
      const reply = await raw(cache, "GET", key);
      expect(reply instanceof Uint8Array && (await cache.codec.decode(reply))).toEqual({ b: [1] });
      expect(await cache.codec.encode(12)).toBe("12");
      await expect(cache.codec.encode(() => 1)).rejects.toThrow(EncodeError);
      await expect(cache.codec.decode("not JSON")).rejects.toThrow(DecodeError);
    });
  });

  describe("has and delete", () => {
    it("answer whether there is, or was, an entry", async () => {
      const cache = open();
      expect(await cache.has("a")).toBe(false);
      expect(await cache.delete("a")).toBe(false);
      await cache.set("a", null);
      expect(await cache.has("a")).toBe(true);
      expect(await cache.delete("a")).toBe(true);
      expect(await cache.has("a")).toBe(false);
      expect(await cache.get("a")).toBeUndefined();
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      await cache.set("a", 1, { version: 2 });
      expect(await cache.has("a")).toBe(false);
      expect(await cache.delete("a")).toBe(false);
      expect(await cache.has("a", { version: 2 })).toBe(true);
      expect(await cache.delete("a", { version: 2 })).toBe(true);
    });

    it("mean sets and hashes, too", async () => {
      const cache = open();
      await cache.sets.add("set", [1]);
      await cache.hashes.set("hash", "field", 1);
      expect(await cache.has("set")).toBe(true);
      expect(await cache.deleteMany(["set", "hash"])).toBe(2);
    });
  });
}

function cyclic(): object {
  const object: Record<string, unknown> = {};
  object.self = object;
  return object;
}
