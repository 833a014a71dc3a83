import { describe, expect, it } from "vitest";
import { DecodeError, EncodeError, ReplyError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { raw } from "./stored.js";

export function sets(open: Open): void {
  describe("sets", () => {
    it("hold values of every kind, each once", async () => {
      const cache = open();
      const members = [1, "1", true, null, 1.5, "text", 2n ** 60n, [1], { a: 1 }];
      expect(await cache.sets.add("s", members)).toBe(members.length);
      expect(await cache.sets.add("s", [1, "1", "new", "new"])).toBe(1);
      expect(await cache.sets.size("s")).toBe(members.length + 1);
      const got = await cache.sets.members("s");
      expect(got).toBeInstanceOf(Set);
      expect([...got]).toHaveLength(members.length + 1);
      for (const member of [...members, "new"]) expect([...got]).toContainEqual(member);
    });

    it("that are not there have no members", async () => {
      const cache = open();
      expect(await cache.sets.size("s")).toBe(0);
      expect(await cache.sets.members("s")).toEqual(new Set());
      expect(await cache.sets.has("s", 1)).toBe(false);
      expect(await cache.sets.hasMany("s", [1, 2])).toEqual([false, false]);
      expect(await cache.sets.delete("s", [1])).toBe(0);
      expect(await cache.sets.pop("s")).toBeUndefined();
      expect(await cache.sets.pop("s", 2)).toEqual([]);
      expect(await cache.sets.random("s")).toBeUndefined();
      expect(await cache.sets.random("s", 2)).toEqual([]);
      expect(await all(cache.sets.iterate("s"))).toEqual([]);
    });

    it("distinguish their members from values that look alike", async () => {
      const cache = open();
      await cache.sets.add("s", [12, "true"]);
      expect(await cache.sets.has("s", 12)).toBe(true);
      expect(await cache.sets.has("s", "12")).toBe(false);
      expect(await cache.sets.hasMany("s", ["true", true, 12, 13])).toEqual([true, false, true, false]);
    });

    it("lose members, and are gone with the last one", async () => {
      const cache = open();
      await cache.sets.add("s", [1, 2, 3]);
      expect(await cache.sets.delete("s", [1, 2, 9])).toBe(2);
      expect(await cache.sets.members("s")).toEqual(new Set([3]));
      expect(await cache.sets.delete("s", [3])).toBe(1);
      expect(await cache.has("s")).toBe(false);
    });

    it("take any iterable of members, and nothing from an empty one", async () => {
      const cache = open();
      function* members() {
        yield 1;
        yield 2;
      }
      expect(await cache.sets.add("s", members())).toBe(2);
      expect(await cache.sets.add("s", new Set([2, 3]))).toBe(1);
      expect(await cache.sets.add("s", [])).toBe(0);
      expect(await cache.sets.delete("s", [])).toBe(0);
      expect(await cache.sets.hasMany("s", [])).toEqual([]);
      expect(await cache.sets.hasMany("s", members())).toEqual([true, true]);
      expect(await cache.sets.delete("s", members())).toBe(2);
    });

    it("do not take text for a list of letters", async () => {
      const cache = open();
      for (const text of ["abc", 5, null, { a: 1 }]) {
        const members = text as unknown as Iterable<unknown>;
        await expect(cache.sets.add("s", members)).rejects.toThrow(TypeError);
        await expect(cache.sets.delete("s", members)).rejects.toThrow(TypeError);
        await expect(cache.sets.hasMany("s", members)).rejects.toThrow(TypeError);
      }
    });

    it("refuse what can't be stored, and add nothing of the rest", async () => {
      const cache = open();
      for (const member of [() => 1, Symbol("s"), undefined]) {
        await expect(cache.sets.add("s", [1, member])).rejects.toThrow(EncodeError);
      }
      expect(await cache.has("s")).toBe(false);
    });

    it("give members at random and keep them, or take them out", async () => {
      const cache = open();
      const members = [1, 2, 3, 4, 5];
      await cache.sets.add("s", members);
      expect(members).toContain(await cache.sets.random("s"));
      expect(new Set(await cache.sets.random("s", 3)).size).toBe(3);
      expect(new Set(await cache.sets.random("s", 10))).toEqual(new Set(members));
      expect(await cache.sets.random("s", -10)).toHaveLength(10);
      expect(await cache.sets.random("s", 0)).toEqual([]);
      expect(await cache.sets.size("s")).toBe(5);
      const popped = [await cache.sets.pop("s"), ...(await cache.sets.pop("s", 3))];
      expect(await cache.sets.pop("s", 0)).toEqual([]);
      expect(new Set([...popped, ...(await cache.sets.members("s"))])).toEqual(new Set(members));
      expect(await cache.sets.size("s")).toBe(1);
      expect(await cache.sets.pop("s", 10)).toHaveLength(1);
      expect(await cache.has("s")).toBe(false);
    });

    it("are read page by page by sets.scan, from the cursor 0 until it is 0 again", async () => {
      const cache = open();
      const members = Array.from({ length: 1_000 }, (_, i) => `member ${i}`);
      await cache.sets.add("s", members);
      const seen = new Set<unknown>();
      let [cursor, pages] = ["0", 0];
      do {
        const page = await cache.sets.scan("s", cursor, { scanCount: 50 });
        for (const member of page.members) seen.add(member);
        cursor = page.cursor;
        pages += 1;
      } while (cursor !== "0" && pages < 10_000);
      expect(seen).toEqual(new Set(members));
    });

    it("are read member by member by sets.iterate, which can be left early", async () => {
      const cache = open();
      const members = Array.from({ length: 1_000 }, (_, i) => i);
      await cache.sets.add("s", members);
      expect(new Set(await all(cache.sets.iterate<number>("s", { scanCount: 10 })))).toEqual(new Set(members));
      for await (const member of cache.sets.iterate<number>("s", { scanCount: 10 })) {
        expect(members).toContain(member);
        break;
      }
      expect(await cache.sets.size("s")).toBe(1_000);
    });

    it("are walked by a glob for members in their stored form", async () => {
      const cache = open();
      await cache.sets.add("s", ["apple", "avocado", "banana", 12]);
      expect(new Set(await all(cache.sets.iterate("s", { match: '"a*' })))).toEqual(new Set(["apple", "avocado"]));
      expect(await all(cache.sets.iterate("s", { match: "1?" }))).toEqual([12]);
      expect((await cache.sets.scan("s", "0", { match: '"b*' })).members).toEqual(["banana"]);
    });

    it("do not exist for methods on another kind of entry", async () => {
      const cache = open();
      await cache.set("a", 1);
      for (const tried of [
        () => cache.sets.add("a", [1]),
        () => cache.sets.members("a"),
        () => cache.sets.size("a"),
        () => cache.sets.pop("a"),
      ]) {
        await expect(tried()).rejects.toThrow(ReplyError);
      }
      expect(await cache.get("a")).toBe(1);
    });

    it("with members that this cache did not write are a DecodeError that names the key", async () => {
      const cache = open();
      await raw(cache, "SADD", String(cache.makeKey("s")), "not JSON");
      await expect(cache.sets.members("s")).rejects.toThrow(DecodeError);
      await expect(cache.sets.random("s")).rejects.toThrow(String(cache.makeKey("s")));
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const other = { version: 2 };
      expect(await cache.sets.add("s", [1, 2], other)).toBe(2);
      expect(await cache.sets.size("s")).toBe(0);
      expect(await cache.sets.size("s", other)).toBe(2);
      expect(await cache.sets.has("s", 1, other)).toBe(true);
      expect(await cache.sets.hasMany("s", [1], other)).toEqual([true]);
      expect(await cache.sets.members("s", other)).toEqual(new Set([1, 2]));
      expect(await all(cache.sets.iterate("s", other))).toHaveLength(2);
      expect(await cache.sets.random("s", 5, other)).toHaveLength(2);
      expect(await cache.sets.delete("s", [1], other)).toBe(1);
      expect(await cache.sets.pop("s", undefined, other)).toBe(2);
    });
  });
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
