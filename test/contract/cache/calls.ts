import { describe, expect, it } from "vitest";
import { ConnectionError, LoaderCycleError } from "../../../src/core/errors.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { Open } from "../cache.js";

/** What holds for calls of several methods: their order, their signals, and what they do to each other. */
export function calls(open: Open): void {
  describe("calls that are not awaited", () => {
    it("reach the server in their order", async () => {
      const cache = open();
      // Scripts, which a transport sends in another way the first time.
      for (let round = 0; round < 3; round++) {
        void cache.set("a", "first");
        void cache.expire("a", 60);
        void cache.set("a", "other", { xx: true });
        void cache.touch("a", null);
        void cache.incr("n", 1, { create: true });
        await cache.set("a", "last");
        expect(await cache.get("a")).toBe("last");
        void cache.set("b", 1);
        void cache.expire("b", 0);
        expect(await cache.get("b")).toBeUndefined();
        void cache.add("c", "added");
        void cache.persist("c");
        expect(await cache.delete("c")).toBe(true);
        expect(await cache.get("c")).toBeUndefined();
      }
      expect(await cache.get("n")).toBe(3);
    });
  });

  describe("sets and hashes", () => {
    it("can be stored where an entry has expired", async () => {
      const cache = open();
      const methods: Record<string, () => Promise<unknown>> = {
        add: () => cache.sets.add("k", ["x"]),
        members: () => cache.sets.members("k"),
        size: () => cache.sets.size("k"),
        has: () => cache.sets.has("k", "x"),
        hasMany: () => cache.sets.hasMany("k", ["x"]),
        delete: () => cache.sets.delete("k", ["x"]),
        pop: () => cache.sets.pop("k"),
        random: () => cache.sets.random("k"),
        scan: () => cache.sets.scan("k"),
        hset: () => cache.hashes.set("k", "f", 1),
        hget: () => cache.hashes.get("k", "f"),
        hgetAll: () => cache.hashes.getAll("k"),
        hdelete: () => cache.hashes.delete("k", "f"),
        hsize: () => cache.hashes.size("k"),
        hfields: () => cache.hashes.fields("k"),
        hhas: () => cache.hashes.has("k", "f"),
      };
      const expected: Record<string, unknown> = {
        add: 1,
        members: new Set(),
        size: 0,
        has: false,
        hasMany: [false],
        delete: 0,
        pop: undefined,
        random: undefined,
        scan: { cursor: "0", members: [] },
        hset: 1,
        hget: undefined,
        hgetAll: new Map(),
        hdelete: 0,
        hsize: 0,
        hfields: [],
        hhas: false,
      };
      for (const [name, method] of Object.entries(methods)) {
        await cache.delete("k");
        await cache.set("k", "value", { ttl: "5ms" });
        await until(async () => !(await cache.has("k")), { what: "its expiry" });
        expect([name, await method()]).toEqual([name, expected[name]]);
      }
    });

    it("can be combined and moved where entries have expired", async () => {
      const cache = open();
      const keys = ["{s}a", "{s}b"];
      await cache.sets.add("{s}b", ["x"]);
      await cache.set("{s}a", "value", { ttl: "5ms" });
      await until(async () => !(await cache.has("{s}a")), { what: "its expiry" });
      expect(await cache.sets.union(keys)).toEqual(new Set(["x"]));
      await cache.set("{s}c", "value", { ttl: "5ms" });
      await until(async () => !(await cache.has("{s}c")), { what: "its expiry" });
      expect(await cache.sets.move("{s}b", "{s}c", "x")).toBe(true);
    });

    it("are refused where there is an entry", async () => {
      const cache = open();
      await cache.set("k", "value");
      await expect(cache.sets.add("k", ["x"])).rejects.toThrow(/WRONGTYPE/);
      expect(await cache.get("k")).toBe("value");
    });
  });

  describe("getOrSetMany", () => {
    it("answers in the order of the keys, whatever was cached", async () => {
      const cache = open();
      await cache.setMany({ b: "cached", d: "cached" });
      const values = await cache.getOrSetMany(["a", "b", "c", "d", "e"], (keys) =>
        Object.fromEntries(keys.map((key) => [key, "loaded"])),
      );
      expect([...values.keys()]).toEqual(["a", "b", "c", "d", "e"]);
    });

    it.each(["set", "delete", "expire", "clear", "deletePattern"] as const)(
      "stores no value that is older than a %s through the same cache",
      async (method) => {
        const cache = open();
        const [begun, end] = [deferred(), deferred()];
        const values = cache.getOrSetMany(["{k}a", "{k}b"], async (keys) => {
          begun.resolve();
          await end.promise;
          return Object.fromEntries(keys.map((key) => [key, "old"]));
        });
        await begun.promise;
        if (method === "set") await cache.set("{k}a", "new");
        else if (method === "delete") await cache.delete("{k}a");
        else if (method === "expire") await cache.expire("{k}a", 0);
        else if (method === "clear") await cache.clear();
        else await cache.deletePattern("*a");
        end.resolve();
        await values;
        expect(await cache.get("{k}a")).toBe(method === "set" ? "new" : undefined);
      },
    );

    it("takes any number of keys", async () => {
      const cache = open();
      const keys = Array.from({ length: 1_100 }, (_, i) => `k${i}`);
      const values = await cache.getOrSetMany(keys, (missing) => new Map(missing.map((key) => [key, key])));
      expect([...values.keys()]).toEqual(keys);
      expect((await cache.getMany(keys)).size).toBe(keys.length);
      expect([...(await cache.getMany(keys)).keys()]).toEqual(keys);
      expect(await cache.deleteMany(keys)).toBe(keys.length);
      expect(await cache.setMany(new Map(keys.map((key) => [key, 1])))).toEqual([]);
      expect(await cache.clear()).toBe(keys.length);
    });
  });

  describe("sets and hashes of any size", () => {
    it("are changed and asked in batches", async () => {
      const cache = open();
      const members = Array.from({ length: 1_100 }, (_, i) => i);
      expect(await cache.sets.add("s", members)).toBe(members.length);
      expect((await cache.sets.hasMany("s", [...members, -1])).filter(Boolean)).toHaveLength(members.length);
      expect(await cache.sets.delete("s", members)).toBe(members.length);
      const fields = Object.fromEntries(members.map((i) => [`f${i}`, i]));
      expect(await cache.hashes.set("h", fields)).toBe(members.length);
      expect(await cache.hashes.delete("h", Object.keys(fields))).toBe(members.length);
    });
  });

  describe("a signal", () => {
    const slow = (_seen?: unknown) => new Promise<never>(() => {});

    it("that has fired starts nothing", async () => {
      const cache = open();
      const reason = new Error("gone");
      const signal = AbortSignal.abort(reason);
      let loads = 0;
      const load = () => ++loads;
      await expect(cache.getOrSet("a", load, { signal })).rejects.toBe(reason);
      await expect(cache.getOrSetMany(["a"], () => ({ a: load() }), { signal })).rejects.toBe(reason);
      await expect(cache.lock("a", { signal })).rejects.toBe(reason);
      await using view = cache.for({ signal });
      await expect(view.getOrSet("a", load)).rejects.toBe(reason);
      await expect(view.getOrSetMany(["a"], () => ({ a: load() }))).rejects.toBe(reason);
      await expect(view.lock("a")).rejects.toBe(reason);
      await expect(view.clear()).rejects.toBe(reason);
      expect(loads).toBe(0);
      expect(await cache.has("a")).toBe(false);
      expect(await cache.lock("a")).toBeDefined();
    });

    it("ends every wait, and reaches the loader", async () => {
      const cache = open();
      await using lock = await cache.lock("taken");
      expect(lock).toBeDefined();
      const waits: Record<string, (signal: AbortSignal, seen: (signal: AbortSignal) => void) => Promise<unknown>> = {
        getOrSet: (signal, seen) => cache.getOrSet("a", (context) => slow(seen(context.signal)), { signal }),
        getOrSetMany: (signal, seen) =>
          cache.getOrSetMany(["b"], (_keys, context) => slow(seen(context.signal)), { signal }),
        lock: (signal) => cache.lock("taken", { waitTimeout: "1h", retryEvery: "1h", signal }),
        "view.getOrSet": (signal, seen) => cache.for({ signal }).getOrSet("c", (context) => slow(seen(context.signal))),
        "view.getOrSetMany": (signal, seen) =>
          cache.for({ signal }).getOrSetMany(["d"], (_keys, context) => slow(seen(context.signal))),
        "view.lock": (signal) => cache.for({ signal }).lock("taken", { waitTimeout: "1h", retryEvery: "1h" }),
      };
      for (const [name, wait] of Object.entries(waits)) {
        const controller = new AbortController();
        const reason = new Error(name);
        let loading: AbortSignal | undefined;
        const ended = expect(wait(controller.signal, (signal) => (loading = signal))).rejects.toBe(reason);
        if (!name.includes("lock")) await until(() => loading, { what: "the loader" });
        controller.abort(reason);
        await ended;
        if (loading) expect(loading.aborted).toBe(true);
      }
    });

    it("has to be one", async () => {
      const cache = open();
      const signal = new AbortController() as unknown as AbortSignal;
      let loads = 0;
      await expect(cache.getOrSet("a", () => ++loads, { signal })).rejects.toThrow(/give a controller's signal/);
      await expect(cache.getOrSetMany(["a"], () => ({ a: ++loads }), { signal })).rejects.toThrow(TypeError);
      expect(loads).toBe(0);
    });
  });

  describe("a loader", () => {
    it("can take its context apart", async () => {
      const cache = open();
      await cache.getOrSet(
        "a",
        ({ ttl }) => {
          ttl("90s");
          return 1;
        },
        { ttl: "1h" },
      );
      expect(await cache.ttl("a")).toBeLessThanOrEqual(90);
      await cache.getOrSet("b", ({ doNotStore }) => {
        doNotStore();
        return 1;
      });
      expect(await cache.has("b")).toBe(false);
    });

    it("that waits for itself is refused, with the keys on the way", async () => {
      const cache = open();
      const direct = cache.getOrSet("a", () => cache.getOrSet("a", () => 1));
      await expect(direct).rejects.toThrow(LoaderCycleError);
      const around = cache.getOrSet("a", () => cache.getOrSet("b", () => cache.getOrSet("a", () => 1)));
      await expect(around).rejects.toThrow(/a" → .*b" → .*a"/);
      expect(await cache.getOrSet("a", () => cache.getOrSet("b", () => 2))).toBe(2);
    });
  });

  describe("a view", () => {
    it("is closed for every method, while its cache is not", async () => {
      const cache = open();
      const view = cache.for();
      await view.set("a", 1);
      await view.close();
      const attempts: (() => Promise<unknown>)[] = [
        () => view.get("a"),
        () => view.set("a", 2),
        () => view.getOrSet("a", () => 2),
        () => view.getOrSetMany(["a"], () => ({ a: 2 })),
        () => view.getMany(["a"]),
        () => view.setMany({ a: 2 }),
        () => view.delete("a"),
        () => view.keys(),
        () => view.clear(),
        () => view.lock("a"),
        () => view.sets.add("s", ["x"]),
        () => view.hashes.get("h", "f"),
        () => view.connection.send([["PING"]]),
        () => view.health(),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toThrow(ConnectionError);
      expect(await cache.get("a")).toBe(1);
    });
  });
}
