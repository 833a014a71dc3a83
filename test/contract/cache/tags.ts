import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { GetOrSetOptions } from "../../../src/cache/method-options.js";
import type { LoaderContext } from "../../../src/client/client.js";
import { KeyNotFoundError, NotAnIntegerError } from "../../../src/core/errors.js";
import type { KeyFunction } from "../../../src/core/key.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { CacheTraits, Open } from "../cache.js";
import { raw } from "./stored.js";

const hard = (cache: Cache, ...tags: string[]) => cache.purgeTags(tags);
const soft = (cache: Cache, ...tags: string[]) => cache.purgeTags(tags, { soft: true });

type Gate = ReturnType<typeof gate>;

/** A load that ends when a test has it end. */
function gate(value: string) {
  const [began, ended] = [deferred<void>(), deferred<void>()];
  const run = async (): Promise<string> => {
    began.resolve();
    await ended.promise;
    return value;
  };
  return { run, began: began.promise, end: () => ended.resolve() };
}

export function tags(open: Open, { remembers = false }: CacheTraits): void {
  /** Two caches of one prefix, the second as another process has it. */
  const pair = (): [Cache, Cache] => {
    const keyPrefix = `tags-${crypto.randomUUID()}`;
    return [open({ keyPrefix }), open({ keyPrefix })];
  };

  // What others purge, a view that remembers does not hear of.
  it.runIf(remembers)("tags that a view purges end what it remembers", async () => {
    const cache = open();
    await cache.set("k", 1, { tags: ["a"] });
    expect(await cache.get("k")).toBe(1);
    await cache.purgeTags(["a"]);
    expect(await cache.get("k")).toBeUndefined();
  });

  describe.skipIf(remembers)("tags", () => {
    it("leave values as they are", async () => {
      const [cache, other] = pair();
      const values: [string, unknown][] = [
        ["text", "some text"],
        ["number", 5],
        ["bigint", 2n ** 70n],
        ["null", null],
        ["object", { name: "Ann", tags: ["ü", "\u{1f600}"] }],
      ];
      for (const [key, value] of values) {
        expect(await cache.set(key, value, { tags: ["a", "b"] })).toBe(true);
        expect(await cache.get(key)).toEqual(value);
        expect(await other.get(key)).toEqual(value);
      }
      const keys = values.map(([key]) => key);
      expect(await other.getMany(keys)).toEqual(new Map(values));
    });

    it("end what has one of them, for all readers, in whatever way it is read", async () => {
      const [cache, other] = pair();
      await cache.set("{k}1", 1, { tags: ["a", "b"] });
      await cache.set("{k}2", 2, { tags: ["c"] });
      expect(await other.get("{k}1")).toBe(1);
      await hard(other, "b");
      for (const reader of [cache, other]) {
        expect(await reader.get("{k}1")).toBeUndefined();
        expect(await reader.has("{k}1")).toBe(false);
        expect(await reader.ttl("{k}1")).toBeUndefined();
        expect(await reader.getMany(["{k}1", "{k}2"])).toEqual(new Map([["{k}2", 2]]));
        expect(await reader.mget(["{k}1", "{k}2"])).toEqual(new Map([["{k}2", 2]]));
        expect(await reader.get("{k}2")).toBe(2);
        expect(await reader.has("{k}2")).toBe(true);
      }
    });

    it("that are purged together end what has all of them", async () => {
      const [cache, other] = pair();
      const all = { match: "all" } as const;
      const purged: unknown[] = [];
      cache.on("purge", ({ what, match }) => void purged.push([match, ...what]));
      await cache.setMany({ "{k}ab": 1, "{k}abc": 2 }, { tags: ["a", "b"] });
      await cache.set("{k}a", 3, { tags: ["a"] });
      const values = async () => Object.fromEntries(await other.getMany(["{k}ab", "{k}abc", "{k}a"]));
      expect(await values()).toEqual({ "{k}ab": 1, "{k}abc": 2, "{k}a": 3 });
      await cache.purgeTags(["a", "c"], all);
      expect(await values()).toEqual({ "{k}ab": 1, "{k}abc": 2, "{k}a": 3 });
      await cache.purgeTags(["b", "a"], all);
      expect(await values()).toEqual({ "{k}a": 3 });
      await cache.set("{k}ab", 4, { tags: ["b", "a"] });
      expect(await values()).toEqual({ "{k}ab": 4, "{k}a": 3 });
      await cache.purgeTags(["a"], all);
      expect(await values()).toEqual({});
      expect(purged).toEqual([
        ["all", "a", "c"],
        ["all", "b", "a"],
        ["any", "a"],
      ]);
    });

    it("that are purged together are at most 16", async () => {
      const [cache] = pair();
      const many = Array.from({ length: 17 }, (_none, i) => `tag ${i}`);
      await expect(cache.purgeTags(many, { match: "all" })).rejects.toThrow("tags: 17 tags are too many to match all");
      await cache.purgeTags(many);
    });

    it("that are purged for the HTTP cache only end no value", async () => {
      const [cache, other] = pair();
      await cache.set("k", 1, { tags: ["a"] });
      await cache.purgeTags(["a"], { only: "http" });
      expect(await other.get("k")).toBe(1);
      await cache.purgeTags(["a"], { only: "data" });
      expect(await other.get("k")).toBeUndefined();
    });

    it("that were purged before a write don't end what it writes", async () => {
      const [cache, other] = pair();
      await hard(other, "a");
      await cache.set("k", 1, { tags: ["a"] });
      expect(await other.get("k")).toBe(1);
      await hard(other, "a");
      await cache.set("k", 2, { tags: ["a"] });
      expect(await other.get("k")).toBe(2);
    });

    it("may be a function of the value, or of several values and their keys", async () => {
      const [cache, other] = pair();
      await cache.set("k", { team: "red" }, { tags: ({ team }) => [`team:${team}`] });
      await cache.setMany({ a: { n: 1 }, b: { n: 2 } }, { tags: ({ n }: { n: number }, key) => [`${key}${n}`] });
      await hard(other, "team:red", "b2");
      expect(await other.get("k")).toBeUndefined();
      expect(await other.getMany(["a", "b"])).toEqual(new Map([["a", { n: 1 }]]));
    });

    it("of add hold for what it writes", async () => {
      const [cache, other] = pair();
      expect(await cache.add("k", 1, { tags: ["a"] })).toBe(true);
      expect(await cache.add("k", 2, { tags: ["b"] })).toBe(false);
      await hard(other, "b");
      expect(await cache.get("k")).toBe(1);
      await hard(other, "a");
      expect(await cache.get("k")).toBeUndefined();
    });

    it("go with an entry through touch, expire, persist and other versions", async () => {
      const [cache, other] = pair();
      await cache.set("{k}", 1, { tags: ["a"], ttl: 60 });
      expect(await cache.touch("{k}", 50)).toBe(true);
      expect(await cache.ttl("{k}")).toBeLessThanOrEqual(50);
      expect(await cache.persist("{k}")).toBe(true);
      expect(await cache.ttl("{k}")).toBeNull();
      expect(await cache.expire("{k}", 40)).toBe(true);
      expect(await cache.ttl("{k}")).toBeLessThanOrEqual(40);
      expect(await cache.incrVersion("{k}")).toBe(2);
      expect(await other.get("{k}", { version: 2 })).toBe(1);
      await hard(other, "a");
      expect(await cache.get("{k}", { version: 2 })).toBeUndefined();
    });

    it("that were purged leave room: add and nx write, xx and touch find nothing, under either kind of purge", async () => {
      const [cache, other] = pair();
      const namespace = other.namespace("n");
      const purges: [Cache, () => Promise<void>][] = [
        [cache, () => hard(other, "a")],
        [cache, () => soft(other, "a")],
        [cache.namespace("n"), () => namespace.purge()],
      ];
      for (const [reader, purge] of purges) {
        const set = (key: string, value: number) => reader.set(key, value, { tags: ["a", "b"], ttl: 60 });
        for (const key of ["add", "nx", "xx", "touch", "expire", "at", "persist", "soft", "ttl"]) await set(key, 1);
        await set("{k}", 1);
        await set("n", 1);
        expect(await reader.add("add", 2)).toBe(false);
        expect(await reader.set("nx", 2, { nx: true, tags: ["a"] })).toBe(false);
        expect(await reader.set("xx", 2, { xx: true, tags: ["a"] })).toBe(true);
        expect(await reader.get("xx")).toBe(2);
        await purge();
        expect(await reader.set("xx", 3, { xx: true })).toBe(false);
        expect(await reader.get("xx")).toBeUndefined();
        expect(await reader.add("add", 2, { ttl: 50 })).toBe(true);
        expect(await reader.get("add")).toBe(2);
        expect(await reader.ttl("add")).toBeLessThanOrEqual(50);
        expect(await reader.set("nx", 2, { nx: true, tags: ["a"] })).toBe(true);
        expect(await reader.set("nx", 3, { nx: true })).toBe(false);
        expect(await reader.get("nx")).toBe(2);
        expect(await reader.touch("touch", 50)).toBe(false);
        expect(await reader.touch("touch", null)).toBe(false);
        expect(await reader.expire("expire", 50)).toBe(false);
        expect(await reader.expireAt("at", Date.now() / 1_000 + 50)).toBe(false);
        expect(await reader.persist("persist")).toBe(false);
        expect(await reader.expireSoft("soft")).toBe(false);
        expect(await reader.ttl("ttl")).toBeUndefined();
        await reader.set("{k}", "stays", { version: 2 });
        await expect(reader.incrVersion("{k}")).rejects.toThrow(KeyNotFoundError);
        expect(await reader.get("{k}", { version: 2 })).toBe("stays");
        await expect(reader.incr("n")).rejects.toThrow(KeyNotFoundError);
        expect(await reader.incr("n", 5, { create: true })).toBe(5);
        expect(await reader.incr("n")).toBe(6);
        await reader.clear();
      }
    });

    it("that were purged leave room for one of many writers", async () => {
      const [cache, other] = pair();
      await cache.set("k", "old", { tags: ["a"] });
      await hard(other, "a");
      const written = await Promise.all(
        Array.from({ length: 20 }, (_none, i) => (i % 2 ? cache : other).add("k", i, { tags: ["a"] })),
      );
      expect(written.filter(Boolean)).toHaveLength(1);
      expect(await cache.get("k")).toBe(written.indexOf(true));
    });

    it("that were purged leave room in a process that has met no tags, too", async () => {
      const [cache, other] = pair();
      await cache.set("k", "old", { tags: ["a"] });
      await cache.set("l", "old", { tags: ["b"] });
      await hard(cache, "a");
      expect(await other.add("k", "new")).toBe(true);
      expect(await other.add("l", "new")).toBe(false);
      expect(await cache.getMany(["k", "l"])).toEqual(new Map(Object.entries({ k: "new", l: "old" })));
    });

    it("keep a number from being counted up", async () => {
      const [cache] = pair();
      await cache.set("n", 5, { tags: ["a"] });
      await expect(cache.incr("n")).rejects.toThrow(NotAnIntegerError);
      await expect(cache.decr("n")).rejects.toThrow(
        /"[^"]*n": an entry with tags can't be counted up; set it without tags/,
      );
      expect(await cache.get("n")).toBe(5);
      await cache.set("n", 5);
      expect(await cache.incr("n")).toBe(6);
    });

    it("of a deleted entry are gone with it", async () => {
      const [cache, other] = pair();
      await cache.set("k", 1, { tags: ["a"] });
      expect(await cache.delete("k")).toBe(true);
      await cache.set("k", 2);
      await hard(other, "a");
      expect(await cache.get("k")).toBe(2);
    });
  });

  describe.skipIf(remembers)("the purge log", () => {
    it("is no entry: no key of the user's collides with it, and nothing lists or deletes it", async () => {
      const [cache, other] = pair();
      await cache.set("k", 1, { tags: ["a"] });
      await cache.set("purge-log", "the user's own", { tags: ["b"] });
      expect((await cache.keys()).sort()).toEqual(["k", "purge-log"]);
      for await (const key of cache.iterKeys("*")) expect(["k", "purge-log"]).toContain(key);
      await hard(other, "a");
      expect(await cache.get("k")).toBeUndefined();
      expect(await cache.get("purge-log")).toBe("the user's own");
      expect(await cache.deletePattern("*")).toBe(2);
      await cache.set("k", 2, { tags: ["a"] });
      await hard(other, "b");
      // Without the log this entry would be stale.
      expect(await cache.get("k")).toBe(2);
      expect(await cache.getOrSet("k", () => 3)).toBe(2);
    });

    it("is no entry of other versions either, and goes with all of them when the cache is cleared", async () => {
      const keyPrefix = `tags-${crypto.randomUUID()}`;
      const [cache, second] = [open({ keyPrefix }), open({ keyPrefix, version: 2 })];
      for (const one of [cache, second]) await one.set("k", 1, { tags: ["a"] });
      expect(await cache.keys("*", { version: 2 })).toEqual(["k"]);
      expect(await cache.deletePattern("*", { version: 2 })).toBe(1);
      await second.set("k", 2, { tags: ["a"] });
      const logs = [1, 2].map((version) => `${keyPrefix}:${version}:`);
      const kept = () => Promise.all(logs.map((log) => raw(cache, "EXISTS", log)));
      expect(await kept()).toEqual([1, 1]);
      await cache.namespace("n").clear();
      expect(await kept()).toEqual([1, 1]);
      expect(await cache.clear()).toBe(2);
      expect(await kept()).toEqual([0, 0]);
      expect(await cache.clear()).toBe(0);
      await cache.set("k", 3, { tags: ["a"] });
      expect(await second.get("k", { version: 1 })).toBeUndefined();
      expect(await cache.get("k")).toBe(3);
      await hard(cache, "a");
      expect(await cache.get("k")).toBeUndefined();
    });

    it("has the key that a key function of the user's own has for the empty key", async () => {
      const prefix = crypto.randomUUID();
      const keyFunctions: KeyFunction[] = [
        (key) => key && `${prefix}-${key}`,
        (key) => [prefix, key].filter(Boolean).join(":"),
        (key, _prefix, version) => `${prefix}/${key}/${version}`,
      ];
      for (const [i, keyFunction] of keyFunctions.entries()) {
        const cache = open({ keyFunction, reverseKeyFunction: (key) => key.split("/")[1] ?? key });
        await cache.set(`k${i}`, 1, { tags: [`${prefix} ${i}`] });
        expect(await cache.get(`k${i}`)).toBe(1);
        await hard(cache, `${prefix} ${i}`);
        expect(await cache.get(`k${i}`)).toBeUndefined();
        if (i === 2) expect(await cache.keys()).toEqual([`k${i}`]);
        if (i === 2) expect(await cache.clear()).toBe(1);
      }
    });

    it("needs a key: a key function that has none is named, and harms no entry without tags", async () => {
      const keyFunctions: KeyFunction[] = [
        (key, prefix, version) => {
          if (key === "") throw new RangeError("no key");
          return `${prefix}-${version}-${key}`;
        },
        ((key: string, prefix: string) => (key === "" ? undefined : `${prefix}-${key}`)) as KeyFunction,
      ];
      const refusal = expect.objectContaining({
        name: "ConfigurationError",
        message: 'keyFunction: it has no key for the purge log; let keyFunction("", …) return one that no entry has',
      });
      for (const keyFunction of keyFunctions) {
        const cache = open({ keyFunction, reverseKeyFunction: (key) => key.slice(-1) });
        await cache.set("k", 1);
        await expect(cache.set("k", 2, { tags: ["a"] })).rejects.toEqual(refusal);
        await expect(cache.getOrSet("l", () => 2, { tags: ["a"] })).rejects.toEqual(refusal);
        await expect(cache.purgeTags(["a"])).rejects.toEqual(refusal);
        await expect(cache.namespace("n").purge()).rejects.toEqual(refusal);
        expect(await cache.get("k")).toBe(1);
        expect(await cache.keys()).toEqual(["k"]);
        expect(await cache.deletePattern("*")).toBe(1);
      }
    });

    it("that another value has taken the place of is named, with the remedy", async () => {
      const [cache] = pair();
      const log = String(cache.makeKey("k")).slice(0, -1);
      await raw(cache, "SET", log, "of another program");
      const refusal = `key ${JSON.stringify(log)}: it holds no purge log; delete it, and let keyFunction("", …) return one that no entry has`;
      await expect(hard(cache, "a")).rejects.toThrow(refusal);
      await expect(cache.set("k", 1, { tags: ["a"] })).rejects.toThrow(refusal);
      await raw(cache, "DEL", log);
      expect(await cache.set("k", 1, { tags: ["a"] })).toBe(true);
    });
  });

  describe.skipIf(remembers)("a caller who comes while a value is loaded", () => {
    const options = { tags: ["a"] };

    it("does not get it where it was purged before the caller came, by whatever process", async () => {
      const [cache, other] = pair();
      for (const [i, purger] of [cache, other].entries()) {
        const key = `k${i}`;
        const load = gate("before");
        const leader = cache.getOrSet(key, load.run, options);
        await load.began;
        await hard(purger, "a");
        let loads = 0;
        const late = [1, 2, 3].map(() => cache.getOrSet(key, () => `after ${++loads}`, options));
        load.end();
        expect(await leader).toBe("before");
        expect(await Promise.all(late)).toEqual(["after 1", "after 1", "after 1"]);
        expect(await cache.get(key)).toBe("after 1");
        expect(await other.get(key)).toBe("after 1");
      }
    });

    it("gets it where other tags were purged", async () => {
      const [cache, other] = pair();
      const load = gate("the one");
      const leader = cache.getOrSet("k", load.run, options);
      await load.began;
      await hard(cache, "b");
      await hard(other, "c");
      const late = cache.getOrSet("k", () => "another", options);
      load.end();
      expect(await Promise.all([leader, late])).toEqual(["the one", "the one"]);
    });

    it("gets it as any stale value where it was purged softly: another one is loaded", async () => {
      const [cache, other] = pair();
      const load = gate("before");
      const leader = cache.getOrSet("k", load.run, options);
      await load.began;
      await soft(other, "a");
      let loads = 0;
      const late = cache.getOrSet("k", () => `after ${++loads}`, { ...options, softTimeout: 0 });
      load.end();
      expect(await Promise.all([leader, late])).toEqual(["before", "before"]);
      await until(async () => (await other.get("k")) === "after 1", { what: "the new value" });
    });

    it("does not get it either where the load is a forced one, where the loader gives the tags, or nothing is stored", async () => {
      const [cache, other] = pair();
      const cases: [(context: LoaderContext) => void, GetOrSetOptions][] = [
        [() => {}, { ...options, forceRefresh: true }],
        [(context) => context.tags("a"), {}],
        [(context) => context.doNotStore(), options],
        [() => {}, { ...options, ttl: 0 }],
      ];
      for (const [i, [say, given]] of cases.entries()) {
        const key = `k${i}`;
        const [load, again] = [gate("before"), gate("after")];
        again.end();
        const get = ({ run }: Gate) =>
          cache.getOrSet(
            key,
            (context) => {
              say(context);
              return run();
            },
            given,
          );
        const leader = get(load);
        await load.began;
        await hard(other, "a");
        const late = get(again);
        load.end();
        expect(await Promise.all([leader, late])).toEqual(["before", "after"]);
      }
    });

    it("does not get it where a forced load of it began before the purge, and nothing is stored", async () => {
      const [cache, other] = pair();
      await cache.purgeTags(["b"]);
      const load = gate("before");
      const forced = cache.getOrSet("k", load.run, { ...options, forceRefresh: true });
      await load.began;
      await hard(other, "a");
      const late = cache.getOrSet("k", () => "after", options);
      load.end();
      expect(await Promise.all([forced, late])).toEqual(["before", "after"]);
    });

    it("gets what its namespace has loaded since a purge of it", async () => {
      const [cache, other] = pair();
      const tenant = cache.namespace("tenant");
      const load = gate("before");
      const leader = tenant.getOrSet("k", load.run);
      await load.began;
      await other.namespace("tenant").purge();
      const late = tenant.getOrSet("k", () => "after");
      load.end();
      expect(await Promise.all([leader, late])).toEqual(["before", "after"]);
    });
  });

  describe.skipIf(remembers)("tags of loaded values", () => {
    it("are a list, a function of the value, and what the loader adds", async () => {
      const [cache, other] = pair();
      const load = async (key: string, purged: string) => {
        const loader = (context: LoaderContext) => {
          context.tags("added", ["more"]);
          return { team: "red" };
        };
        await cache.getOrSet(key, loader, { tags: ({ team }) => [`team:${team}`] });
        await hard(other, purged);
        return other.get(key);
      };
      expect(await load("1", "team:red")).toBeUndefined();
      expect(await load("2", "added")).toBeUndefined();
      expect(await load("3", "more")).toBeUndefined();
      expect(await load("4", "team:blue")).toEqual({ team: "red" });
      await cache.getOrSet("5", () => 5, { tags: ["a"] });
      await hard(other, "a");
      expect(await other.get("5")).toBeUndefined();
    });

    it("of several keys are a list, or a function of each value and its key", async () => {
      const [cache, other] = pair();
      const loader = (keys: string[]) => new Map(keys.map((key) => [key, key.length]));
      await cache.getOrSetMany(["a", "bb"], loader, { tags: (length, key) => [`${key}${length}`] });
      await cache.getOrSetMany(["c", "dd"], loader, { tags: ["all"] });
      await hard(other, "bb2");
      expect(await other.getMany(["a", "bb", "c", "dd"])).toEqual(new Map(Object.entries({ a: 1, c: 1, dd: 2 })));
      await hard(other, "all");
      expect(await other.getMany(["a", "c", "dd"])).toEqual(new Map([["a", 1]]));
    });

    it("that were purged hard are loaded again", async () => {
      const [cache, other] = pair();
      let loads = 0;
      const get = (reader: Cache) => reader.getOrSet("k", () => ++loads, { tags: ["a"] });
      expect(await get(cache)).toBe(1);
      expect(await get(other)).toBe(1);
      await hard(other, "a");
      expect(await get(cache)).toBe(2);
      expect(await get(other)).toBe(2);
      expect(await other.get("k")).toBe(2);
      expect(loads).toBe(2);
      const many = (reader: Cache) =>
        reader.getOrSetMany(["k", "l"], (keys) => new Map(keys.map((key) => [key, ++loads])), { tags: ["a"] });
      // In a cluster either key may be loaded first.
      const numbers = async (reader: Cache) => [...(await many(reader)).values()].sort();
      expect(await numbers(cache)).toEqual([2, 3]);
      await hard(other, "a");
      expect(await numbers(other)).toEqual([4, 5]);
      expect(await many(cache)).toEqual(await many(other));
      expect(loads).toBe(5);
    });

    it("that were purged softly are answered while one caller loads them again", async () => {
      const [cache, other] = pair();
      expect(await cache.getOrSet("k", () => "old", { tags: ["a"] })).toBe("old");
      await soft(other, "a");
      expect(await cache.get("k")).toBeUndefined();
      expect(await cache.has("k")).toBe(false);
      const loaded = deferred<string>();
      let loads = 0;
      const load = () => {
        loads++;
        return loaded.promise;
      };
      const answers = [1, 2, 3].map(() => cache.getOrSet("k", load, { tags: ["a"], softTimeout: 0 }));
      expect(await Promise.all(answers)).toEqual(["old", "old", "old"]);
      await until(() => loads > 0, { what: "the load" });
      loaded.resolve("new");
      await until(async () => (await other.get("k")) === "new", { what: "the new value" });
      expect(loads).toBe(1);
    });

    it("that were purged softly are answered where the loader fails", async () => {
      const [cache, other] = pair();
      await cache.getOrSet("k", () => "old", { tags: ["a"] });
      await soft(other, "a");
      let failed = 0;
      const fail = () => {
        failed++;
        throw new Error("no database");
      };
      expect(await cache.getOrSet("k", fail, { tags: ["a"], softTimeout: 0 })).toBe("old");
      await until(() => failed > 0, { what: "the load" });
      expect(await cache.getOrSet("k", fail, { tags: ["a"], softTimeout: 0 })).toBe("old");
    });

    it("that were purged softly are answered among several keys, while they are loaded again", async () => {
      const [cache, other] = pair();
      const load = (value: string) => (keys: string[]) => new Map(keys.map((key) => [key, value]));
      await cache.getOrSetMany(["a", "b"], load("old"), { tags: (_value, key) => [key] });
      await soft(other, "a");
      const options = { tags: (_value: unknown, key: string) => [key], softTimeout: 0 };
      const answer = await cache.getOrSetMany(["a", "b", "c"], load("new"), options);
      expect(answer).toEqual(new Map(Object.entries({ a: "old", b: "old", c: "new" })));
      await until(async () => (await other.get("a")) === "new", { what: "the new value" });
      expect(await other.get("b")).toBe("old");
    });

    it("end a value whose load began before their purge", async () => {
      const [cache, other] = pair();
      const [began, loaded] = [deferred<void>(), deferred<string>()];
      const loading = cache.getOrSet(
        "k",
        () => {
          began.resolve();
          return loaded.promise;
        },
        { tags: ["a"] },
      );
      await began.promise;
      await hard(other, "a");
      loaded.resolve("before the purge");
      expect(await loading).toBe("before the purge");
      expect(await cache.get("k")).toBeUndefined();
      expect(await other.getOrSet("k", () => "after it", { tags: ["a"] })).toBe("after it");
      expect(await cache.get("k")).toBe("after it");
    });

    it("end a value whose load began before their purge, though the log was lost and begun again meanwhile", async () => {
      for (const lists of [true, false]) {
        const [cache, other] = pair();
        const load = gate("before the purge");
        const log = String(cache.makeKey("k")).slice(0, -1);
        const loading = lists
          ? cache.getOrSetMany(["k"], async () => ({ k: await load.run() }), { tags: ["a"] })
          : cache.getOrSet("k", load.run, { tags: ["a"] });
        await load.began;
        await hard(other, "a");
        await raw(other, "DEL", log);
        await hard(other, "b");
        load.end();
        await loading;
        expect(await cache.get("k")).toBeUndefined();
        expect(await other.get("k")).toBeUndefined();
      }
    });

    it("that are wrong reject the call", async () => {
      const [cache] = pair();
      await expect(cache.getOrSet("k", () => 1, { tags: () => [""] })).rejects.toThrow(
        /tags: "" is not a tag; give text/,
      );
      await expect(cache.getOrSet("k", ({ tags }) => tags("a".repeat(2_000)))).rejects.toThrow(TypeError);
      expect(await cache.getOrSet("k", () => 2, { tags: ["a"] })).toBe(2);
    });
  });
}
