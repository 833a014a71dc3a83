import { describe, expect, it, vi } from "vitest";
import { ConfigurationError, LoaderTimeoutError } from "../../../src/core/errors.js";
import { json } from "../../../src/serializers/json.js";
import { deferred } from "../../support/deferred.js";
import { counting } from "./counting.js";
import { type Fleets, headerOf } from "./fleet.js";

const upper = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, key.toUpperCase()]));
const map = (record: Record<string, unknown>) => new Map(Object.entries(record));

/** A loader of many keys that the test ends; it gives the keys in upper case. */
function slowMany() {
  const { promise, resolve, reject } = deferred();
  const calls: string[][] = [];
  const signals: AbortSignal[] = [];
  const loader = async (keys: string[], { signal }: { signal: AbortSignal }) => {
    calls.push(keys);
    signals.push(signal);
    await promise;
    return upper(keys);
  };
  return { loader, calls, signals, resolve: () => resolve(), reject };
}

export function many({ fakeTime, fleet }: Fleets): void {
  describe("getOrSetMany under the herd client", () => {
    const pass = fakeTime();

    it("reads or claims all keys in one round trip, loads those won with one call, and stores each by its lease", async () => {
      const { watch, roundTrips } = counting();
      const cache = fleet({}, watch)();
      await cache.setMany({ a: "stored" });
      roundTrips.length = 0;
      const loader = vi.fn(upper);
      expect(await cache.getOrSetMany(["a", "b", "c"], loader)).toEqual(map({ a: "stored", b: "B", c: "C" }));
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([["b", "c"]]);
      expect(roundTrips).toEqual([["SET", "SET", "SET"], ["publish"], ["publish"]]);
      roundTrips.length = 0;
      expect(await cache.getOrSetMany(["c", "b", "a"], loader)).toEqual(map({ c: "C", b: "B", a: "stored" }));
      expect(roundTrips).toEqual([["SET", "SET", "SET"]]);
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("answers in the order of the keys, without those that the loader has nothing for, and stores nothing for these", async () => {
      const cache = fleet()();
      const loader = async () => ({ b: 2, a: null, x: 9 });
      expect([...(await cache.getOrSetMany(["a", "b", "c"], loader))]).toEqual([
        ["a", null],
        ["b", 2],
      ]);
      expect(await headerOf(cache, "c")).toBeUndefined();
      expect(await cache.has("x")).toBe(false);
    });

    it("waits for what others load, and loads the rest meanwhile", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const [mine, theirs] = [slowMany(), slowMany()];
      const first = here.getOrSetMany(["a", "b"], mine.loader);
      await pass(10);
      const second = there.getOrSetMany(["b", "c"], theirs.loader);
      await pass(10);
      expect([mine.calls, theirs.calls]).toEqual([[["a", "b"]], [["c"]]]);
      theirs.resolve();
      await pass(500);
      expect(await there.get("c")).toBe("C");
      mine.resolve();
      expect(await first).toEqual(map({ a: "A", b: "B" }));
      await pass(100);
      expect(await second).toEqual(map({ b: "B", c: "C" }));
      expect(theirs.calls).toHaveLength(1);
    });

    it("does not deadlock when two want the same keys in turn", async () => {
      const open = fleet({ waitTimeout: 60 });
      const [here, there] = [open(), open()];
      const [mine, theirs] = [slowMany(), slowMany()];
      const tries = [
        here.getOrSetMany(["a", "b", "c"], mine.loader),
        there.getOrSetMany(["c", "b", "d", "a"], theirs.loader),
      ];
      await pass(10);
      mine.resolve();
      theirs.resolve();
      await pass(100);
      expect(await Promise.all(tries)).toEqual([
        map({ a: "A", b: "B", c: "C" }),
        map({ c: "C", b: "B", d: "D", a: "A" }),
      ]);
      expect([...mine.calls.flat(), ...theirs.calls.flat()].sort()).toEqual(["a", "b", "c", "d"]);
    });

    it("shares its loads with getOrSet elsewhere", async () => {
      const open = fleet();
      const many = slowMany();
      const given = open().getOrSetMany(["a", "b"], many.loader);
      await pass(10);
      const single = vi.fn();
      const one = open().getOrSet("a", single);
      many.resolve();
      await pass(100);
      expect(await one).toBe("A");
      expect(await given).toEqual(map({ a: "A", b: "B" }));
      expect(single).not.toHaveBeenCalled();
    });

    it("takes over, with one more load, when others fail", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const failing = slowMany();
      const first = here.getOrSetMany(["a", "b"], failing.loader).catch(String);
      await pass(10);
      const loader = vi.fn(upper);
      const second = there.getOrSetMany(["a", "b"], loader);
      await pass(10);
      failing.reject(new Error("broken"));
      await pass(100);
      expect(await first).toBe("Error: broken");
      expect(await second).toEqual(map({ a: "A", b: "B" }));
      expect(loader).toHaveBeenCalledTimes(1);
    });

    it("loads for itself, and stores nothing, when others take too long", async () => {
      const open = fleet({ waitTimeout: 1 });
      const slow = slowMany();
      void open().getOrSetMany(["a", "b"], slow.loader);
      await pass(10);
      const cache = open();
      const loader = vi.fn(upper);
      const given = cache.getOrSetMany(["a", "b", "c"], loader);
      await pass(1_010);
      expect(await given).toEqual(map({ a: "A", b: "B", c: "C" }));
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([["c"], ["a", "b"]]);
      expect(await cache.getMany(["a", "b", "c"])).toEqual(map({ c: "C" }));
    });

    it("answers stale values at once, and replaces those that no other process replaces with one load", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      await here.setMany({ a: 1, b: 2, c: 3 }, { ttl: 1 });
      await pass(1_500);
      const single = deferred<string>();
      expect(await there.getOrSet("a", () => single.promise)).toBe(1);
      await pass(0);
      const many = slowMany();
      expect(await here.getOrSetMany(["a", "b", "c"], many.loader)).toEqual(map({ a: 1, b: 2, c: 3 }));
      expect(await here.getOrSetMany(["a", "b", "c"], many.loader)).toEqual(map({ a: 1, b: 2, c: 3 }));
      await pass(10);
      expect(many.calls).toEqual([["b", "c"]]);
      many.resolve();
      single.resolve("A");
      await pass(0);
      expect(await there.getMany(["a", "b", "c"])).toEqual(map({ a: "A", b: "B", c: "C" }));
    });

    it("leaves stale values when the load fails, calls onError, and does not retry for a while", async () => {
      const onError = vi.fn();
      const open = fleet({ retryAfter: 5 });
      const cache = open({ onError });
      await cache.setMany({ a: 1, b: 2 }, { ttl: 1 });
      await pass(1_500);
      const loader = vi.fn(() => Promise.reject(new Error("broken")));
      for (const one of [cache, open(), cache]) {
        expect(await one.getOrSetMany(["a", "b"], loader)).toEqual(map({ a: 1, b: 2 }));
        await pass(100);
      }
      expect(loader).toHaveBeenCalledTimes(1);
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: "broken" }), {
        method: "getOrSetMany",
        key: "",
      });
    });

    it("refreshes early what is about to expire", async () => {
      const cache = fleet({ beta: 1 })();
      const slow = slowMany();
      const given = cache.getOrSetMany(["a"], slow.loader, { ttl: 10 });
      await pass(1_000);
      slow.resolve();
      await given;
      await pass(9_500);
      vi.spyOn(Math, "random").mockReturnValue(0);
      expect(await cache.getOrSetMany(["a"], () => ({ a: "new" }))).toEqual(map({ a: "A" }));
      await pass(0);
      expect(await cache.get("a")).toBe("new");
    });

    it("without background work waits for its own load of stale values, up to the soft timeout", async () => {
      const cache = fleet({ background: false })();
      await cache.setMany({ a: 1, b: 2 }, { ttl: 1 });
      await pass(1_500);
      expect(await cache.getOrSetMany(["a", "b"], (keys) => upper(keys))).toEqual(map({ a: "A", b: "B" }));
      await cache.setMany({ a: 1, b: 2 }, { ttl: 1 });
      await pass(1_500);
      const slow = slowMany();
      const given = cache.getOrSetMany(["a", "b"], slow.loader, { softTimeout: "100ms" });
      await pass(100);
      expect(await given).toEqual(map({ a: 1, b: 2 }));
      slow.resolve();
      await pass(0);
      expect(await cache.get("a")).toBe("A");
    });

    it("gives a load up at the hard timeout, and its leases with it", async () => {
      const open = fleet({ hardTimeout: 2 });
      const endless = slowMany();
      const given = open()
        .getOrSetMany(["a", "b"], endless.loader)
        .catch((error: unknown) => error);
      await pass(2_000);
      expect(await given).toBeInstanceOf(LoaderTimeoutError);
      expect(endless.signals[0]?.aborted).toBe(true);
      expect(await open().getOrSetMany(["a", "b"], (keys) => upper(keys))).toEqual(map({ a: "A", b: "B" }));
    });

    it("stores nothing for a ttl of 0, or when the loader says so, and lets others take over", async () => {
      const cache = fleet()();
      expect(await cache.getOrSetMany(["a"], (keys) => upper(keys), { ttl: 0 })).toEqual(map({ a: "A" }));
      const loader = (keys: string[], context: { doNotStore(): void }) => {
        context.doNotStore();
        return upper(keys);
      };
      expect(await cache.getOrSetMany(["a"], loader)).toEqual(map({ a: "A" }));
      expect(await headerOf(cache, "a")).toBeUndefined();
    });

    it("returns what can't be stored, calls onError, and stores the rest", async () => {
      const onError = vi.fn();
      const cache = fleet()({ onError });
      const odd = () => 1;
      expect(await cache.getOrSetMany<unknown>(["a", "b"], () => ({ a: odd, b: 2 }))).toEqual(map({ a: odd, b: 2 }));
      expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ name: "EncodeError" }), {
        method: "getOrSetMany",
        key: String(cache.makeKey("a")),
      });
      expect(await headerOf(cache, "a")).toBeUndefined();
      expect(await cache.get("b")).toBe(2);
    });

    it("gives its leases up when the value of another key needs a package that is not installed", async () => {
      const open = fleet();
      const cache = open();
      await cache.set("a", "old");
      const missing = new ConfigurationError("npm install it");
      const deserialize = () => {
        throw missing;
      };
      const without = open({ serializer: { ...json(), deserialize } });
      await expect(without.getOrSetMany(["a", "b"], upper)).rejects.toBe(missing);
      expect(await headerOf(cache, "b")).toBeUndefined();
    });

    it("fires the loader's signal when all of its leases are lost, and begins anew", async () => {
      const open = fleet({ lease: 3 });
      const [here, there] = [open(), open()];
      const reasons: string[] = [];
      const loader = vi.fn(async (keys: string[], { signal }: { signal: AbortSignal }) => {
        await new Promise<void>((resolve) => {
          setTimeout(resolve, 4_000);
          signal.addEventListener("abort", () => resolve());
        });
        if (signal.aborted) reasons.push(String(signal.reason));
        signal.throwIfAborted();
        return upper(keys);
      });
      const given = here.getOrSetMany(["a", "b"], loader);
      await pass(100);
      await there.delete("a");
      await pass(2_000);
      expect(loader).toHaveBeenCalledTimes(1);
      expect(reasons).toEqual([]);
      await there.set("b", "newer");
      await pass(6_000);
      expect(await given).toEqual(map({ a: "A", b: "newer" }));
      expect(reasons).toEqual([expect.stringContaining("lost")]);
      expect(loader.mock.calls.map(([keys]) => keys)).toEqual([["a", "b"], ["a"]]);
    });

    it("ends the wait with the caller's signal, which the loader hears", async () => {
      const cache = fleet()();
      const leaving = new AbortController();
      const slow = slowMany();
      const given = cache.getOrSetMany(["a"], slow.loader, { signal: leaving.signal }).catch(String);
      await pass(10);
      leaving.abort(new Error("left"));
      expect(await given).toBe("Error: left");
      expect(slow.signals[0]?.aborted).toBe(true);
      slow.reject(new Error("stopped"));
      await pass(0);
      expect(await headerOf(cache, "a")).toBeUndefined();
    });

    it("answers without I/O for no keys", async () => {
      const { watch, roundTrips } = counting();
      expect(await fleet({}, watch)().getOrSetMany([], upper)).toEqual(new Map());
      expect(roundTrips).toEqual([]);
    });
  });
}
