import { describe, expect, it } from "vitest";
import { DecodeError, EncodeError, ReplyError } from "../../../src/core/errors.js";
import type { Open } from "../cache.js";
import { raw } from "./stored.js";

export function sets(open: Open): void {
  describe("sets", () => {
    it("hold values of every kind, each once", async () => {
      const cache = open();
      const members = [1, "1", true, null, 1.5, "text", 2n ** 60n, [1], { a: 1 }];
      expect(await cache.sadd("s", members)).toBe(members.length);
      expect(await cache.sadd("s", [1, "1", "new", "new"])).toBe(1);
      expect(await cache.scard("s")).toBe(members.length + 1);
      const got = await cache.smembers("s");
      expect(got).toBeInstanceOf(Set);
      expect([...got]).toHaveLength(members.length + 1);
      for (const member of [...members, "new"]) expect([...got]).toContainEqual(member);
    });

    it("that are not there have no members", async () => {
      const cache = open();
      expect(await cache.scard("s")).toBe(0);
      expect(await cache.smembers("s")).toEqual(new Set());
      expect(await cache.sismember("s", 1)).toBe(false);
      expect(await cache.smismember("s", [1, 2])).toEqual([false, false]);
      expect(await cache.srem("s", [1])).toBe(0);
      expect(await cache.spop("s")).toBeUndefined();
      expect(await cache.spop("s", 2)).toEqual([]);
      expect(await cache.srandmember("s")).toBeUndefined();
      expect(await cache.srandmember("s", 2)).toEqual([]);
      expect(await all(cache.sscanIter("s"))).toEqual([]);
    });

    it("tell their members from values that look alike", async () => {
      const cache = open();
      await cache.sadd("s", [12, "true"]);
      expect(await cache.sismember("s", 12)).toBe(true);
      expect(await cache.sismember("s", "12")).toBe(false);
      expect(await cache.smismember("s", ["true", true, 12, 13])).toEqual([true, false, true, false]);
    });

    it("lose members, and are gone with the last one", async () => {
      const cache = open();
      await cache.sadd("s", [1, 2, 3]);
      expect(await cache.srem("s", [1, 2, 9])).toBe(2);
      expect(await cache.smembers("s")).toEqual(new Set([3]));
      expect(await cache.srem("s", [3])).toBe(1);
      expect(await cache.has("s")).toBe(false);
    });

    it("take any iterable of members, and nothing from an empty one", async () => {
      const cache = open();
      function* members() {
        yield 1;
        yield 2;
      }
      expect(await cache.sadd("s", members())).toBe(2);
      expect(await cache.sadd("s", new Set([2, 3]))).toBe(1);
      expect(await cache.sadd("s", [])).toBe(0);
      expect(await cache.srem("s", [])).toBe(0);
      expect(await cache.smismember("s", [])).toEqual([]);
      expect(await cache.smismember("s", members())).toEqual([true, true]);
      expect(await cache.srem("s", members())).toBe(2);
    });

    it("do not take text for a list of letters", async () => {
      const cache = open();
      for (const text of ["abc", 5, null, { a: 1 }]) {
        const members = text as unknown as Iterable<unknown>;
        await expect(cache.sadd("s", members)).rejects.toThrow(TypeError);
        await expect(cache.srem("s", members)).rejects.toThrow(TypeError);
        await expect(cache.smismember("s", members)).rejects.toThrow(TypeError);
      }
    });

    it("refuse what can't be stored, and add nothing of the rest", async () => {
      const cache = open();
      for (const member of [() => 1, Symbol("s"), undefined]) {
        await expect(cache.sadd("s", [1, member])).rejects.toThrow(EncodeError);
      }
      expect(await cache.has("s")).toBe(false);
    });

    it("give members at random and keep them, or take them out", async () => {
      const cache = open();
      const members = [1, 2, 3, 4, 5];
      await cache.sadd("s", members);
      expect(members).toContain(await cache.srandmember("s"));
      expect(new Set(await cache.srandmember("s", 3)).size).toBe(3);
      expect(new Set(await cache.srandmember("s", 10))).toEqual(new Set(members));
      expect(await cache.srandmember("s", -10)).toHaveLength(10);
      expect(await cache.srandmember("s", 0)).toEqual([]);
      expect(await cache.scard("s")).toBe(5);
      const popped = [await cache.spop("s"), ...(await cache.spop("s", 3))];
      expect(await cache.spop("s", 0)).toEqual([]);
      expect(new Set([...popped, ...(await cache.smembers("s"))])).toEqual(new Set(members));
      expect(await cache.scard("s")).toBe(1);
      expect(await cache.spop("s", 10)).toHaveLength(1);
      expect(await cache.has("s")).toBe(false);
    });

    it("are walked page by page from the cursor 0 to the cursor 0", async () => {
      const cache = open();
      const members = Array.from({ length: 1_000 }, (_, i) => `member ${i}`);
      await cache.sadd("s", members);
      const seen = new Set<unknown>();
      let [cursor, pages] = ["0", 0];
      do {
        const page = await cache.sscan("s", cursor, { scanCount: 50 });
        for (const member of page.members) seen.add(member);
        cursor = page.cursor;
        pages += 1;
      } while (cursor !== "0" && pages < 10_000);
      expect(seen).toEqual(new Set(members));
    });

    it("are walked as a whole by sscanIter, which can be left early", async () => {
      const cache = open();
      const members = Array.from({ length: 1_000 }, (_, i) => i);
      await cache.sadd("s", members);
      expect(new Set(await all(cache.sscanIter<number>("s", { scanCount: 10 })))).toEqual(new Set(members));
      for await (const member of cache.sscanIter<number>("s", { scanCount: 10 })) {
        expect(members).toContain(member);
        break;
      }
      expect(await cache.scard("s")).toBe(1_000);
    });

    it("are walked by a glob for members in their stored form", async () => {
      const cache = open();
      await cache.sadd("s", ["apple", "avocado", "banana", 12]);
      expect(new Set(await all(cache.sscanIter("s", { match: '"a*' })))).toEqual(new Set(["apple", "avocado"]));
      expect(await all(cache.sscanIter("s", { match: "1?" }))).toEqual([12]);
      expect((await cache.sscan("s", "0", { match: '"b*' })).members).toEqual(["banana"]);
    });

    it("do not exist for methods on another kind of entry", async () => {
      const cache = open();
      await cache.set("a", 1);
      for (const tried of [
        () => cache.sadd("a", [1]),
        () => cache.smembers("a"),
        () => cache.scard("a"),
        () => cache.spop("a"),
      ]) {
        await expect(tried()).rejects.toThrow(ReplyError);
      }
      expect(await cache.get("a")).toBe(1);
    });

    it("with members that this cache did not write are a DecodeError that names the key", async () => {
      const cache = open();
      await raw(cache, "SADD", String(cache.makeKey("s")), "not JSON");
      await expect(cache.smembers("s")).rejects.toThrow(DecodeError);
      await expect(cache.srandmember("s")).rejects.toThrow(String(cache.makeKey("s")));
    });

    it("mean the version and prefix given", async () => {
      const cache = open();
      const other = { version: 2 };
      expect(await cache.sadd("s", [1, 2], other)).toBe(2);
      expect(await cache.scard("s")).toBe(0);
      expect(await cache.scard("s", other)).toBe(2);
      expect(await cache.sismember("s", 1, other)).toBe(true);
      expect(await cache.smismember("s", [1], other)).toEqual([true]);
      expect(await cache.smembers("s", other)).toEqual(new Set([1, 2]));
      expect(await all(cache.sscanIter("s", other))).toHaveLength(2);
      expect(await cache.srandmember("s", 5, other)).toHaveLength(2);
      expect(await cache.srem("s", [1], other)).toBe(1);
      expect(await cache.spop("s", undefined, other)).toBe(2);
    });
  });
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
