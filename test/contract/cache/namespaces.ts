import { describe, expect, it, vi } from "vitest";
import { deferred } from "../../support/deferred.js";
import type { Open } from "../cache.js";

/** Names that a pattern, or a key put together carelessly, would confuse. */
const NAMES = ["a", "ab", "a:b", "a*", "*", "?", "[a-z]", "a)", "a):ns(b", "(a", "%29", "é", "1", "lock", "\\", "a):b"];

export function namespaces(open: Open): void {
  describe("a namespace", () => {
    it("has entries, sets, hashes and locks that nothing outside of it has", async () => {
      const cache = open();
      const [tenant, other] = [cache.namespace("a"), cache.namespace("ab")];
      await tenant.set("k", 1);
      await tenant.sets.add("s", [1]);
      await tenant.hashes.set("h", "f", 1);
      await tenant.incr("n", 2, { create: true });
      expect(await tenant.get("k")).toBe(1);
      expect([...(await tenant.keys())].sort()).toEqual(["h", "k", "n", "s"]);
      for (const one of [cache, other, tenant.namespace("a")]) {
        expect(await one.getMany(["k", "n"])).toEqual(new Map());
        expect(await one.has("s")).toBe(false);
        expect(await one.hashes.get("h", "f")).toBeUndefined();
      }
      await using lock = await tenant.lock("job");
      expect(lock).toBeDefined();
      await using same = await cache.namespace("a").lock("job");
      expect(same).toBeUndefined();
      await using elsewhere = await other.lock("job");
      expect(elsewhere).toBeDefined();
    });

    it("is the same for all who give its name, in every version", async () => {
      const cache = open();
      await cache.namespace("a").namespace("b").set("k", 1, { version: 2 });
      expect(await cache.namespace("a").namespace("b").get("k", { version: 2 })).toBe(1);
      expect(await cache.namespace("a").namespace("b").get("k")).toBeUndefined();
      expect(await cache.get("ns(a):ns(b):k", { version: 2 })).toBe(1);
    });

    it("is cleared exactly, with the namespaces in it, whatever the names", async () => {
      const cache = open();
      const keys = (): Promise<string[]> => cache.keys().then((all) => all.sort());
      for (const name of NAMES) {
        await cache.namespace(name).set("k", name);
        await cache.namespace(name).set("old", name, { version: 7 });
        await cache.namespace(name).namespace("b").set("k", name);
        await cache.set(`${name}:k`, name);
      }
      let left = await keys();
      for (const name of NAMES) {
        expect(await cache.namespace(name).clear()).toBe(3);
        const gone = new Set(["k", "ns(b):k"].map((key) => String(cache.namespace(name).makeKey(key))));
        left = left.filter((key) => !gone.has(String(cache.makeKey(key))));
        expect(await keys()).toEqual(left);
      }
      expect(await keys()).toEqual(NAMES.map((name) => `${name}:k`).sort());
    });

    it("is cleared without its locks, and with its cache", async () => {
      const cache = open();
      const tenant = cache.namespace("a");
      await using lock = await tenant.lock("job");
      await tenant.set("k", 1);
      expect(await tenant.clear()).toBe(1);
      expect(await lock?.extend("1m")).toBe(true);
      await tenant.set("k", 1);
      expect(await cache.clear()).toBeGreaterThan(0);
      expect(await tenant.get("k")).toBeUndefined();
    });

    it("has its own patterns", async () => {
      const cache = open();
      const tenant = cache.namespace("[a]*");
      await tenant.setMany({ "user:1": 1, "user:2": 2, other: 3 });
      await cache.set("user:1", 1);
      expect(new Set(await tenant.keys("user:*"))).toEqual(new Set(["user:1", "user:2"]));
      expect(await tenant.deletePattern("user:*")).toBe(2);
      expect(await tenant.keys()).toEqual(["other"]);
      expect(await cache.get("user:1")).toBe(1);
    });

    it("shares loads with other views of it", async () => {
      const cache = open();
      const value = deferred<number>();
      const loader = vi.fn(() => value.promise);
      const loads = [0, 1].map(() => cache.namespace("a").getOrSet("k", loader));
      const outside = cache.getOrSet("k", () => 5);
      value.resolve(1);
      expect(await Promise.all([...loads, outside])).toEqual([1, 1, 5]);
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("tells keys of events as they are stored, and returns the user's own", async () => {
      const cache = open();
      const tenant = cache.namespace("a");
      const heard: string[] = [];
      cache.on("set", ({ key }) => heard.push(key));
      await tenant.set("k", 1);
      expect(heard).toEqual([String(tenant.makeKey("k"))]);
      expect(await tenant.getOrSetMany(["k", "l"], (missing) => new Map(missing.map((key) => [key, key])))).toEqual(
        new Map<string, unknown>([
          ["k", 1],
          ["l", "l"],
        ]),
      );
    });

    it("ends with its cache, and closing it closes nothing", async () => {
      const cache = open();
      const tenant = cache.namespace("a");
      await tenant.close();
      expect(await cache.set("k", 1)).toBe(true);
      const other = cache.namespace("a");
      expect(await other.set("k", 1)).toBe(true);
      await cache.close();
      await expect(other.get("k")).rejects.toThrow("closed");
      await expect(other.getOrSet("k", () => 1)).rejects.toThrow("closed");
    });

    it("is in a view of the cache for one invocation, too", async () => {
      const cache = open();
      await using view = cache.for();
      await view.namespace("a").set("k", 1);
      expect(await cache.namespace("a").get("k")).toBe(1);
      await using inner = cache.namespace("a").for();
      expect(await inner.get("k")).toBe(1);
    });

    it.each([false, true])(
      "is purged by one write, with those in it, and nothing else is: soft is %s",
      async (soft) => {
        const cache = open();
        const tenant = cache.namespace("a");
        const inner = tenant.namespace("b");
        const others = [cache, cache.namespace("ab"), cache.namespace("a:b")];
        for (const one of [tenant, inner, ...others]) {
          await one.set("set", "old", { tags: ["t"] });
          await one.setMany({ many: "old" });
          await one.mset({ atomic: "old" });
          await one.add("added", "old");
          await one.getOrSet("loaded", () => "old");
          await one.getOrSetMany(["loadedMany"], () => ({ loadedMany: "old" }));
        }
        const keys = ["set", "many", "atomic", "added", "loaded", "loadedMany"];
        await inner.purge({ soft });
        expect(await inner.getMany(keys)).toEqual(new Map());
        for (const one of [tenant, ...others]) expect((await one.getMany(keys)).size).toBe(keys.length);
        await tenant.purge({ soft });
        expect(await tenant.getMany(keys)).toEqual(new Map());
        for (const one of others) expect((await one.getMany(keys)).size).toBe(keys.length);
        expect(await tenant.getOrSet("set", () => "new")).toBe(soft ? "old" : "new");
        await tenant.set("set", "newer");
        expect(await tenant.get("set")).toBe("newer");
      },
    );

    it("has a view for one invocation that has all of it, its own namespaces and its purge too", async () => {
      const tenant = open().namespace("a");
      await tenant.set("k", 1);
      await using view = tenant.for({ memo: true });
      const inner = view.namespace("b");
      await inner.set("k", 1);
      expect(await view.get("k")).toBe(1);
      await inner.purge();
      expect([await view.get("k"), await inner.get("k")]).toEqual([1, undefined]);
      await view.purge();
      expect([await view.get("k"), await tenant.get("k")]).toEqual([undefined, undefined]);
    });

    it("counts among the tags of an entry, and so does each namespace around it", async () => {
      const tags = Array.from({ length: 128 }, (_, i) => `tag ${i}`.padEnd(1_024, "é"));
      const tenant = open().namespace("a").namespace("b");
      await expect(tenant.set("k", 1, { tags: tags.slice(1) })).rejects.toThrow("tags: 129 tags are too many");
      await tenant.set("k", 1, { tags: tags.slice(2) });
      expect(await tenant.get("k")).toBe(1);
      await tenant.purgeTags(tags.slice(-1));
      expect(await tenant.get("k")).toBeUndefined();
    });

    it("refuses wrong options of a purge before any I/O", async () => {
      const tenant = open().namespace("a");
      await expect(tenant.purge({ soft: Object("yes") })).rejects.toThrow(TypeError);
      await expect(tenant.purge(Object("soft"))).rejects.toThrow(TypeError);
    });

    it("needs a reverseKeyFunction to be cleared under a keyFunction", async () => {
      const keyFunction = (key: string, prefix: string, version: number | "*" | "lock") =>
        `${prefix}/${key}/${version}`;
      const cache = open({ keyFunction });
      await expect(cache.namespace("a").clear()).rejects.toThrow("reverseKeyFunction");
      const own = open({ keyFunction, reverseKeyFunction: (key) => key.split("/").slice(1, -1).join("/") });
      await own.namespace("a").set("k", 1);
      await own.namespace("ab").set("k", 1);
      await own.set("x/ns(a):k", 1);
      expect(await own.namespace("a").keys()).toEqual(["k"]);
      expect(await own.namespace("a").clear()).toBe(1);
      expect((await own.keys()).sort()).toEqual(["ns(ab):k", "x/ns(a):k"]);
    });
  });
}
