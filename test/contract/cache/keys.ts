import { describe, expect, it } from "vitest";
import { StoredKey } from "../../../src/core/key.js";
import type { Open } from "../cache.js";
import { ownPrefix, stored } from "./stored.js";

export function keys(open: Open): void {
  describe("keys", () => {
    it("are prefix, version and key, joined by colons", async () => {
      const cache = open({ keyPrefix: "shop", version: 7 });
      expect(String(cache.makeKey("a"))).toBe("shop:7:a");
      expect(String(cache.makeKey("a", { version: 8, prefix: "bar" }))).toBe("bar:8:a");
    });

    it("begin with a colon and version 1 when a cache says nothing of them", () => {
      expect(String(open({ keyPrefix: "" }).makeKey("a"))).toBe(":1:a");
    });

    it("take version 0 and the empty prefix for values, not for the defaults", async () => {
      const cache = open({ keyPrefix: "shop", version: 7 });
      expect(String(cache.makeKey("a", { version: 0 }))).toBe("shop:0:a");
      expect(String(cache.makeKey("a", { prefix: "" }))).toBe(":7:a");
      expect(String(open({ keyPrefix: "shop", version: 0 }).makeKey("a"))).toBe("shop:0:a");
    });

    it("are what the server is asked for", async () => {
      const cache = open({ version: 3 });
      await cache.set("a", 1);
      expect(await stored(cache, String(cache.makeKey("a")))).toBe("1");
    });

    it("once made are taken as they are, whatever the version and prefix given beside them", async () => {
      const cache = open();
      const made = cache.makeKey("a");
      await cache.set(made, "value");
      expect(await cache.get("a")).toBe("value");
      expect(await cache.get(made, { version: 9, prefix: "other" })).toBe("value");
      expect(cache.makeKey(made)).toBe(made);
    });

    it("are not taken for made ones because they look like them", async () => {
      const cache = open();
      await cache.set("a", "value");
      expect(await cache.get(String(cache.makeKey("a")))).toBeUndefined();
    });

    it("made by one cache reach its entry through another one", async () => {
      const [one, other] = [open(), open({ version: 5 })];
      await one.set("a", "value");
      expect(await other.get(one.makeKey("a"))).toBe("value");
    });

    it("can be put into text and JSON", () => {
      const made = open({ keyPrefix: "shop" }).makeKey("a");
      expect(made).toBeInstanceOf(StoredKey);
      expect(`${made} ${JSON.stringify({ made })}`).toBe('shop:1:a {"made":"shop:1:a"}');
    });

    it("of one name are different entries in different versions and prefixes", async () => {
      const cache = open();
      const prefix = `${ownPrefix()}-other`;
      await cache.set("a", "one");
      await cache.set("a", "two", { version: 2 });
      await cache.set("a", "three", { prefix });
      expect(await cache.get("a")).toBe("one");
      expect(await cache.get("a", { version: 2 })).toBe("two");
      expect(await cache.get("a", { prefix })).toBe("three");
      expect(await cache.get("a", { version: 2, prefix })).toBeUndefined();
    });

    it.each([
      ["spaces and line breaks", " a b\r\nc\t"],
      ["wildcards", "a*b?c[d]\\e"],
      ["colons", "a:2:b::"],
      ["other scripts", "ключ-鍵-🗝️"],
      ["quotes and braces", `"{'a'}"`],
      ["ten thousand characters", "k".repeat(10_000)],
    ])("may have %s", async (_, key) => {
      const cache = open();
      await cache.set(key, 1);
      expect(await cache.get(key)).toBe(1);
      expect(await cache.keys()).toEqual([key]);
      expect(await cache.delete(key)).toBe(true);
      expect(await cache.has(key)).toBe(false);
    });

    it("are made by the user's own function, and found again by its reverse", async () => {
      const { keyPrefix } = prefixOf(open());
      const cache = open({
        keyPrefix,
        keyFunction: (key, prefix, version) => `${prefix}/${key}/v${version}`,
        reverseKeyFunction: (made, prefix) => made.slice(prefix.length + 1, made.lastIndexOf("/v")),
      });
      await cache.set("a/b", 1);
      expect(await stored(cache, `${keyPrefix}/a/b/v1`)).toBe("1");
      expect(await cache.keys("a*")).toEqual(["a/b"]);
      expect(await cache.getMany(["a/b"])).toEqual(new Map([["a/b", 1]]));
    });

    it("of the user's own function can't be listed without a reverse, and all else works", async () => {
      const cache = open({ keyFunction: (key, prefix, version) => `${prefix}/${version}/${key}` });
      await cache.set("a", 1);
      expect(await cache.get("a")).toBe(1);
      await expect(cache.keys()).rejects.toThrow(/reverseKeyFunction/);
    });
  });
}

/** The prefix that a cache was given. */
function prefixOf(cache: ReturnType<Open>): { keyPrefix: string } {
  const made = String(cache.makeKey("x"));
  return { keyPrefix: made.slice(0, made.lastIndexOf(":1:x")) };
}
