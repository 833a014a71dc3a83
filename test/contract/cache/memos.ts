import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { DecodeError } from "../../../src/core/errors.js";
import { json } from "../../../src/serializers/json.js";
import { deferred } from "../../support/deferred.js";
import type { CacheTraits, Open } from "../cache.js";
import { record } from "./events.js";
import { plant, raw } from "./stored.js";

/** Writes through a view, after which it reads the key "{k}a" again, and what it then finds; 1 was there. */
const WRITES: Readonly<Record<string, readonly [write: (view: Cache) => Promise<unknown>, found: unknown]>> = {
  set: [(view) => view.set("{k}a", 2), 2],
  "set with xx": [(view) => view.set("{k}a", 2, { xx: true }), 2],
  "set with a ttl of 0": [(view) => view.set("{k}a", 2, { ttl: 0 }), undefined],
  setMany: [(view) => view.setMany({ "{k}a": 2 }), 2],
  mset: [(view) => view.mset({ "{k}a": 2, "{k}b": 3 }), 2],
  delete: [(view) => view.delete("{k}a"), undefined],
  deleteMany: [(view) => view.deleteMany(["{k}b", "{k}a"]), undefined],
  incr: [(view) => view.incr("{k}a", 5), 6],
  decr: [(view) => view.decr("{k}a", 5), -4],
  incrVersion: [(view) => view.incrVersion("{k}a"), undefined],
  touch: [(view) => view.touch("{k}a", 0), undefined],
  expire: [(view) => view.expire("{k}a", 0), undefined],
  expireAt: [(view) => view.expireAt("{k}a", new Date(0)), undefined],
  "getOrSet with forceRefresh": [(view) => view.getOrSet("{k}a", () => 2, { forceRefresh: true }), 2],
  "getOrSetMany with forceRefresh": [
    (view) => view.getOrSetMany(["{k}a"], () => ({ "{k}a": 2 }), { forceRefresh: true }),
    2,
  ],
  expireSoft: [(view) => view.expireSoft("{k}a"), undefined],
  expireSoftMany: [(view) => view.expireSoftMany(["{k}b", "{k}a"]), undefined],
  deletePattern: [(view) => view.deletePattern("{k}*"), undefined],
  clear: [(view) => view.clear(), undefined],
  "sets.unionStore": [(view) => view.sets.unionStore("{k}a", ["{k}b"]), undefined],
  "a command of one's own": [(view) => raw(view, "UNLINK", String(view.makeKey("{k}a"))), undefined],
};

/** Views of a cache that read each key once. */
export function memos(open: Open, { cluster }: CacheTraits): void {
  /** A view, the cache that it is of, and how many round trips and values decoded both have had. */
  const setup = (options?: Partial<CacheOptions>) => {
    const inner = json();
    let decoded = 0;
    const serializer = {
      ...inner,
      deserialize(stored: string | Uint8Array) {
        decoded++;
        return inner.deserialize(stored);
      },
    };
    const whole = open({ serializer, ...options });
    const view = viewOf(whole);
    let roundTrips = 0;
    whole.on("roundTrip", () => void roundTrips++);
    const counts = () => {
      const now = { roundTrips, decoded };
      roundTrips = 0;
      decoded = 0;
      return now;
    };
    return { whole, view, counts };
  };

  describe("a view with a memo", () => {
    it("reads a key once: 50 reads are one round trip and one value decoded, and so are those after them", async () => {
      const { whole, view, counts } = setup();
      await whole.set("a", { n: 1 });
      counts();
      const first = await Promise.all(Array.from({ length: 50 }, () => view.get("a")));
      const later = await view.get("a");
      const many = await view.getMany(["a"]);
      expect([...new Set([...first, later, many.get("a")])]).toEqual([{ n: 1 }]);
      expect(counts()).toEqual({ roundTrips: 1, decoded: 1 });
    });

    it("reads all keys that are asked for in one turn of the event loop in one round trip, each decoded once", async () => {
      const { whole, view, counts } = setup();
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      await whole.setMany(Object.fromEntries(keys.map((key, i) => [key, { i }])));
      counts();
      const read = async (key: string, promises: number): Promise<unknown> => {
        // Resolvers ask after promises of their own.
        for (let i = 0; i < promises; i++) await undefined;
        return view.get(key);
      };
      const got = await Promise.all(keys.map((key, i) => read(key, i % 10)));
      expect(got).toEqual(keys.map((_, i) => ({ i })));
      expect(counts()).toEqual({ roundTrips: 1, decoded: 50 });
    });

    it("asks only for what it has not read yet", async () => {
      const { whole, view, counts } = setup();
      await whole.setMany({ a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
      await view.get("a");
      const asked = view.get("b");
      counts();
      expect(await view.getMany(["c", "b", "a", "x"])).toEqual(new Map([...(await whole.getMany(["c", "b", "a"]))]));
      await asked;
      expect(await view.getMany(["c", "x"])).toEqual(new Map([["c", { n: 3 }]]));
      expect(counts().decoded).toBe(2 + 3);
    });

    it("remembers that there is no entry, and that others have made one since it doesn't hear", async () => {
      const { whole, view, counts } = setup();
      expect(await view.get("a")).toBeUndefined();
      expect(await view.getMany(["b"])).toEqual(new Map());
      await whole.setMany({ a: 1, b: 1 });
      counts();
      expect([await view.get("a"), await view.get("b")]).toEqual([undefined, undefined]);
      expect(counts().roundTrips).toBe(0);
      const another = viewOf(whole);
      expect(await another.get("a")).toBe(1);
    });

    it.each(Object.entries(WRITES))("reads a key again after %s", async (_, [write, found]) => {
      const { view } = setup();
      await view.set("{k}a", 1);
      expect([await view.get("{k}a"), ...(await view.getMany(["{k}a"])).values()]).toEqual([1, 1]);
      await write(view);
      expect(await view.get("{k}a")).toEqual(found);
    });

    it("reads a key again after a set, a hash or an entry took the place of nothing", async () => {
      const { view } = setup();
      for (const key of ["a", "b", "c", "d"]) expect(await view.get(key)).toBeUndefined();
      await view.sets.add("a", ["x"]);
      await view.hashes.set("b", "field", 1);
      await view.add("c", 1);
      await view.incr("d", 1, { create: true });
      await expect(view.get("a")).rejects.toThrow(/WRONGTYPE/);
      await expect(view.get("b")).rejects.toThrow(/WRONGTYPE/);
      expect([await view.get("c"), await view.get("d")]).toEqual([1, 1]);
    });

    it("reads every key again after a purge of tags, which may end any of them", async () => {
      const { view, counts } = setup();
      await view.set("a", { n: 1 });
      await view.get("a");
      await view.purgeTags(["news"]);
      counts();
      expect(await view.get("a")).toEqual({ n: 1 });
      expect(counts().decoded).toBe(1);
    });

    // GLIDE sends the batches of a cluster in any order.
    it.skipIf(cluster)("keeps the order of reads and writes that are not awaited", async () => {
      const { view } = setup();
      await view.set("a", 0);
      const got = await Promise.all([
        view.get("a"),
        view.set("a", 1),
        view.get("a"),
        view.incr("a"),
        view.getMany(["a"]),
        view.delete("a"),
        view.get("a"),
      ]);
      expect(got).toEqual([0, true, 1, 2, new Map([["a", 2]]), true, undefined]);
      expect(await view.get("a")).toBeUndefined();
    });

    it("shares what getOrSet answers, loaded or read, stored or not", async () => {
      const { whole, view, counts } = setup();
      await whole.set("b", { n: 2 });
      const load = vi.fn(() => ({ n: 1 }));
      const loaded = await view.getOrSet("a", load);
      const read = await view.getOrSet("b", load);
      const unstored = await view.getOrSet("c", load, { ttl: 0 });
      counts();
      expect(await view.get("a")).toBe(loaded);
      expect(await view.getOrSet("a", load)).toBe(loaded);
      expect(await view.get("b")).toBe(read);
      expect(await view.getOrSet("c", load)).toBe(unstored);
      expect(await view.getOrSetMany(["a", "b"], () => ({}))).toEqual(
        new Map([
          ["a", { n: 1 }],
          ["b", { n: 2 }],
        ]),
      );
      expect(counts()).toEqual({ roundTrips: 0, decoded: 0 });
      expect(load).toHaveBeenCalledTimes(2);
    });

    it("has concurrent callers of getOrSet share one value", async () => {
      const { whole, view, counts } = setup();
      await whole.set("a", { n: 1 });
      counts();
      const got = await Promise.all(Array.from({ length: 50 }, () => view.getOrSet("a", () => ({ n: 2 }))));
      expect([...new Set(got)]).toEqual([{ n: 1 }]);
      expect(counts()).toEqual({ roundTrips: 1, decoded: 1 });
    });

    it("loads with getOrSetMany only what it doesn't know, and answers in the order of the keys", async () => {
      const { view } = setup();
      await view.set("b", "stored");
      await view.get("b");
      const load = vi.fn((keys: string[]) => Object.fromEntries(keys.map((key) => [key, "loaded"])));
      const expected = [
        ["a", "loaded"],
        ["b", "stored"],
        ["c", "loaded"],
      ];
      expect([...(await view.getOrSetMany(["a", "b", "c"], load))]).toEqual(expected);
      expect([...(await view.getOrSetMany(["a", "b", "c"], load))]).toEqual(expected);
      expect(load).toHaveBeenCalledTimes(1);
    });

    it("remembers no value whose load began before a write", async () => {
      const { view } = setup();
      const loads = deferred<void>();
      const started = deferred<void>();
      const loading = view.getOrSet("a", async () => {
        started.resolve();
        await loads.promise;
        return "old";
      });
      await started.promise;
      await view.set("a", "new");
      loads.resolve();
      await loading;
      expect(await view.get("a")).toBe("new");
    });

    it("lets a caller end its own wait, while others wait on", async () => {
      const { view } = setup();
      const loads = deferred<number>();
      const controller = new AbortController();
      const patient = view.getOrSet("a", () => loads.promise);
      const other = view.getOrSet("a", () => 2, { signal: controller.signal });
      const left = expect(other).rejects.toThrow("left");
      controller.abort(new Error("left"));
      await left;
      loads.resolve(1);
      expect(await patient).toBe(1);
    });

    it("remembers no error", async () => {
      const { view } = setup();
      await plant(view, "a", "{");
      await expect(view.get("a")).rejects.toThrow(DecodeError);
      const ignoring = viewOf(open({ ignoreErrors: true, logger: false }));
      await plant(ignoring, "a", "{");
      expect([await ignoring.get("a"), await ignoring.getMany(["a"])]).toEqual([undefined, new Map()]);
      for (const one of [view, ignoring]) {
        // Written by another connection, of which the view doesn't hear.
        await plant(viewOf(one), "a", "7");
        expect(await one.get("a")).toBe(7);
      }
    });

    it("refuses reads of what it remembers once it is closed", async () => {
      const { view } = setup();
      await view.set("a", 1);
      await view.get("a");
      await view.close();
      await expect(view.get("a")).rejects.toThrow(/closed/);
      await expect(view.getOrSet("a", () => 2)).rejects.toThrow(/closed/);
    });

    it("remembers for its namespaces, too", async () => {
      const { view, counts } = setup();
      await view.namespace("t").set("a", { n: 1 });
      await view.namespace("t").get("a");
      counts();
      expect(await view.namespace("t").get("a")).toEqual({ n: 1 });
      expect(counts().roundTrips).toBe(0);
      await view.namespace("t").clear();
      expect(await view.namespace("t").get("a")).toBeUndefined();
    });

    it("counts what it remembers as hits and misses", async () => {
      const { whole, view } = setup();
      const { counts } = record(whole);
      await view.set("a", 1);
      await view.get("a");
      await view.get("a");
      await view.getMany(["a", "b"]);
      await view.get("b");
      await view.getOrSet("a", () => 1);
      await view.getOrSetMany(["a"], () => ({}));
      expect(counts).toEqual({ hit: 5, miss: 2, set: 1 });
    });
  });
}

function viewOf(whole: Cache): Cache {
  const view = whole.for({ memo: true });
  onTestFinished(() => view.close());
  return view;
}
