import { describe, expect, it } from "vitest";
import { DecodeError, EncodeError, ReplyError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { raw } from "./stored.js";

export function hashes(open: Open): void {
  describe("hashes", () => {
    it("take one field, a record or a Map, and answer how many fields were new", async () => {
      const cache = open();
      expect(await cache.hashes.set("h", "a", 1)).toBe(1);
      expect(await cache.hashes.set("h", "a", 2)).toBe(0);
      expect(await cache.hashes.set("h", { a: 3, b: "4", c: { d: null } })).toBe(2);
      expect(await cache.hashes.set("h", new Map([["e", true]]))).toBe(1);
      expect(await cache.hashes.getAll("h")).toEqual(
        new Map<string, unknown>([
          ["a", 3],
          ["b", "4"],
          ["c", { d: null }],
          ["e", true],
        ]),
      );
    });

    it("give a field's value, undefined for none", async () => {
      const cache = open();
      expect(await cache.hashes.get("h", "a")).toBeUndefined();
      await cache.hashes.set("h", "a", null);
      expect(await cache.hashes.get("h", "a")).toBeNull();
      expect(await cache.hashes.get("h", "b")).toBeUndefined();
      for (const value of [12, "12", true, 2n ** 60n, -0.5, [1]]) {
        await cache.hashes.set("h", "a", value);
        expect(await cache.hashes.get("h", "a")).toEqual(value);
      }
    });

    it("that are not there have no fields", async () => {
      const cache = open();
      expect(await cache.hashes.getAll("h")).toEqual(new Map());
      expect(await cache.hashes.fields("h")).toEqual([]);
      expect(await cache.hashes.size("h")).toBe(0);
      expect(await cache.hashes.has("h", "a")).toBe(false);
      expect(await cache.hashes.delete("h", "a")).toBe(0);
    });

    it("return their fields, and lose them one by one or several at once", async () => {
      const cache = open();
      await cache.hashes.set("h", { a: 1, b: 2, c: 3, d: 4 });
      expect(new Set(await cache.hashes.fields("h"))).toEqual(new Set(["a", "b", "c", "d"]));
      expect(await cache.hashes.size("h")).toBe(4);
      expect(await cache.hashes.has("h", "a")).toBe(true);
      expect(await cache.hashes.delete("h", "a")).toBe(1);
      expect(await cache.hashes.has("h", "a")).toBe(false);
      function* fields() {
        yield "b";
        yield "missing";
        yield "c";
      }
      expect(await cache.hashes.delete("h", fields())).toBe(2);
      expect(await cache.hashes.delete("h", [])).toBe(0);
      expect(await cache.hashes.delete("h", ["d"])).toBe(1);
      expect(await cache.has("h")).toBe(false);
    });

    it("make the name as any key, and leave fields as they are", async () => {
      const cache = open();
      await cache.hashes.set("h", "a:b *ключ", 1);
      const key = String(cache.makeKey("h"));
      expect(await raw(cache, "HEXISTS", key, "a:b *ключ")).toBe(1);
      expect(await cache.hashes.fields("h")).toEqual(["a:b *ключ"]);
      expect(await cache.hashes.get(cache.makeKey("h"), "a:b *ключ")).toBe(1);
    });

    it("have a field that is named as what objects inherit only when it was set", async () => {
      const cache = open();
      await cache.hashes.set("h", "a", 1);
      for (const field of ["constructor", "__proto__", "toString"]) {
        expect(await cache.hashes.get("h", field)).toBeUndefined();
        expect(await cache.hashes.set("h", field, field)).toBe(1);
        expect(await cache.hashes.get("h", field)).toBe(field);
      }
      expect((await cache.hashes.getAll("h")).size).toBe(4);
    });

    it("take nothing from an empty record", async () => {
      const cache = open();
      expect(await cache.hashes.set("h", {})).toBe(0);
      expect(await cache.has("h")).toBe(false);
    });

    it("refuse what can't be stored, and set nothing of the rest", async () => {
      const cache = open();
      await expect(cache.hashes.set("h", { a: 1, b: () => 1 })).rejects.toThrow(EncodeError);
      await expect(cache.hashes.set("h", { a: 1, b: undefined })).rejects.toThrow(TypeError);
      expect(await cache.has("h")).toBe(false);
    });

    it("refuse what is neither a field nor a record", async () => {
      const cache = open();
      for (const wrong of [5, null, undefined, ["a"]]) {
        await expect(cache.hashes.set("h", wrong as unknown as string, 1)).rejects.toThrow(TypeError);
        await expect(cache.hashes.get("h", wrong as unknown as string)).rejects.toThrow(TypeError);
        await expect(cache.hashes.has("h", wrong as unknown as string)).rejects.toThrow(TypeError);
      }
      await expect(cache.hashes.delete("h", 5 as unknown as string)).rejects.toThrow(TypeError);
      await expect(cache.hashes.delete("h", [5] as unknown as string[])).rejects.toThrow(TypeError);
    });

    it("do not exist for methods on another kind of entry", async () => {
      const cache = open();
      await cache.set("a", 1);
      for (const tried of [
        () => cache.hashes.set("a", "f", 1),
        () => cache.hashes.get("a", "f"),
        () => cache.hashes.getAll("a"),
        () => cache.hashes.fields("a"),
      ]) {
        await expect(tried()).rejects.toThrow(ReplyError);
      }
    });

    it("with values or fields that this cache did not write are a DecodeError that names the key", async () => {
      const cache = open();
      const key = String(cache.makeKey("h"));
      await raw(cache, "HSET", key, "a", "not JSON");
      await expect(cache.hashes.get("h", "a")).rejects.toThrow(DecodeError);
      await expect(cache.hashes.getAll("h")).rejects.toThrow(key);
      expect(await cache.hashes.fields("h")).toEqual(["a"]);
      await raw(cache, "DEL", key);
      await raw(cache, "HSET", key, new Uint8Array([0xff, 0xfe]), "1");
      await expect(cache.hashes.getAll("h")).rejects.toThrow(DecodeError);
      await expect(cache.hashes.fields("h")).rejects.toThrow(DecodeError);
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const other = { version: 2 };
      expect(await cache.hashes.set("h", "a", 1, other)).toBe(1);
      expect(await cache.hashes.set("h", { b: 2 }, other)).toBe(1);
      expect(await cache.hashes.size("h")).toBe(0);
      expect(await cache.hashes.size("h", other)).toBe(2);
      expect(await cache.hashes.get("h", "a", other)).toBe(1);
      expect(await cache.hashes.has("h", "a", other)).toBe(true);
      expect(new Set(await cache.hashes.fields("h", other))).toEqual(new Set(["a", "b"]));
      expect((await cache.hashes.getAll("h", other)).size).toBe(2);
      expect(await cache.hashes.delete("h", "a", other)).toBe(1);
    });
  });
}
