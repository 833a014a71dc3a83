import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type CacheOptions,
  createCache,
  createCaches,
  mergeStatistics,
  type StatisticsSnapshot,
  statistics,
} from "../../src/index.js";
import { slowLoader } from "../contract/herd/fleet.js";
import { memoryFleets } from "../contract/herd/memory-fleets.js";
import { deferred } from "../support/deferred.js";

const fleets = memoryFleets(createCache);

function open(options: Partial<CacheOptions> = {}) {
  const cache = createCache({ location: "memory:", logger: false, ...options });
  onTestFinished(() => cache.close());
  return cache;
}

describe("statistics of a cache", () => {
  it("count calls, and what they have found, by method and in all", async () => {
    const cache = open();
    const stats = statistics(cache);
    await cache.set("a", "1");
    await cache.get("a");
    await cache.get("b");
    await cache.getMany(["a", "b", "c"]);
    const { total, methods } = stats.snapshot();
    expect(total).toMatchObject({ calls: 4, keys: 6, hits: 2, misses: 3, stale: 0, failed: 0, hitRatio: 2 / 5 });
    expect(methods.get?.total).toMatchObject({ calls: 2, keys: 2, hits: 1, misses: 1, hitRatio: 0.5 });
    expect(methods.getMany?.total).toMatchObject({ calls: 1, keys: 3, hits: 1, misses: 2 });
    expect(methods.set?.total).toMatchObject({ calls: 1, hits: 0, misses: 0, hitRatio: null });
    expect(methods.get?.latency.count).toBe(2);
    expect(Object.keys(methods).sort()).toEqual(["get", "getMany", "set"]);
  });

  it("agree with a model after any sequence of calls", async () => {
    const key = fc.constantFrom("a", "b", "c");
    const value = fc.string({ unit: fc.constantFrom("x", "y"), maxLength: 20 });
    const step = fc.record({ method: fc.constantFrom("get", "has", "delete", "set", "getOrSet", "fail"), key, value });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await using cache = createCache({ location: "memory:" });
        const stats = statistics(cache);
        const stored = new Map<string, string>();
        const model = { calls: 0, hits: 0, misses: 0, failed: 0, errors: 0, loads: 0, failedLoads: 0 };
        const bytes = { bytesRead: 0, bytesWritten: 0 };
        for (const { method, key, value } of steps) {
          const before = stored.get(key);
          model.calls++;
          if (method !== "delete" && method !== "set") model[before === undefined ? "misses" : "hits"]++;
          if (before !== undefined && ["get", "getOrSet", "fail"].includes(method))
            bytes.bytesRead += before.length + 2;
          if (method === "set" || (method === "getOrSet" && before === undefined)) {
            stored.set(key, value);
            bytes.bytesWritten += value.length + 2;
          }
          if (method === "delete") stored.delete(key);
          if (before === undefined && (method === "getOrSet" || method === "fail")) model.loads++;
          if (before === undefined && method === "fail")
            for (const name of ["failedLoads", "failed", "errors"] as const) model[name]++;
          if (method === "get" || method === "has" || method === "delete") await cache[method](key);
          else if (method === "set") await cache.set(key, value);
          else if (method === "getOrSet") await cache.getOrSet(key, () => value);
          else await cache.getOrSet(key, () => Promise.reject(new Error("no"))).catch(() => {});
        }
        const snapshot = stats.snapshot();
        expect(snapshot.total).toMatchObject({ ...model, ...bytes });
        expect(snapshot.lastMinute).toEqual(snapshot.total);
        expect(snapshot.errors).toEqual(model.errors > 0 ? { loader: model.errors } : {});
        expect(snapshot.loads.count).toBe(model.loads);
        const reads = model.calls - steps.filter(({ method }) => method === "set" || method === "delete").length;
        expect(snapshot.total.roundTrips).toBe(model.calls + model.loads - model.failedLoads);
        expect(snapshot.total.hits + snapshot.total.misses).toBe(reads);
        const ofMethods = Object.values(snapshot.methods).map(({ total }) => total.calls);
        expect(ofMethods.reduce((sum, calls) => sum + calls, 0)).toBe(model.calls);
      }),
      { numRuns: 200 },
    );
  });

  it("count all round trips and commands, and time one in 17", async () => {
    const cache = open();
    await cache.get("k");
    const stats = statistics(cache);
    for (let i = 0; i < 34; i++) await cache.get("k");
    await cache.connection.send([["PING"], ["PING"]]);
    for await (const _key of cache.iterKeys()) break;
    const { total, roundTrips } = stats.snapshot();
    expect(total).toMatchObject({ roundTrips: 35, commands: 36 });
    expect(roundTrips.count).toBe(2);
    expect(cache.events.isHeard("roundTrip")).toBe(false);
  });

  it("time all round trips where another listener hears of all", async () => {
    const cache = open();
    const stats = statistics(cache);
    const heard = vi.fn();
    const stop = cache.on("roundTrip", heard);
    for (let i = 0; i < 10; i++) await cache.get("k");
    expect(heard).toHaveBeenCalledTimes(10);
    expect(stats.snapshot().roundTrips.count).toBe(10);
    stop();
    for (let i = 0; i < 5; i++) await cache.get("k");
    expect(stats.snapshot()).toMatchObject({ roundTrips: { count: 10 }, total: { roundTrips: 15 } });
  });

  it("are one for a cache and its views, and each cache has its own", async () => {
    const caches = createCaches({ a: { location: "memory:" }, b: { location: "memory:" } });
    onTestFinished(() => caches.close());
    const [ofA, ofB] = [statistics(caches.a), statistics(caches.b)];
    await using view = caches.a.for();
    expect(statistics(view)).toBe(ofA);
    expect(statistics(caches.a)).toBe(ofA);
    await view.get("k");
    expect(ofA.snapshot().total.calls).toBe(1);
    expect(ofB.snapshot().total.calls).toBe(0);
  });

  it("count beside listeners of the application, whatever these do", async () => {
    const cache = open({ onError: () => {} });
    const heard = vi.fn();
    cache.on("call", () => {
      throw new Error("a listener fails");
    });
    const stats = statistics(cache);
    cache.on("call", heard);
    await cache.get("k");
    expect(stats.snapshot().total.misses).toBe(1);
    expect(heard).toHaveBeenCalledOnce();
  });

  it("don't have events made that the call has the numbers of", () => {
    const cache = open();
    statistics(cache);
    const heard = ["call", "roundTrip", "hit", "miss", "stale", "delete", "expire"] as const;
    const made = heard.filter((name) => {
      const make = vi.fn(() => ({}) as never);
      cache.events.emit(name, make);
      return make.mock.calls.length > 0;
    });
    expect(made).toEqual(["call", "roundTrip"]);
  });

  it("count no more after stop, keep what they have, and begin anew with the next call", async () => {
    const cache = open();
    const stats = statistics(cache);
    await cache.get("k");
    stats.stop();
    await cache.get("k");
    expect(stats.snapshot().total).toMatchObject({ calls: 1, roundTrips: 1 });
    expect(cache.events.isHeard("call")).toBe(false);
    using again = statistics(cache);
    expect(again).not.toBe(stats);
    stats.stop();
    expect(statistics(cache)).toBe(again);
    await cache.get("k");
    expect(again.snapshot().total.calls).toBe(1);
  });

  it("count a call that was under way at a reset when it ends", async () => {
    const cache = open();
    const stats = statistics(cache);
    await cache.get("k");
    const answer = deferred<string>();
    const running = cache.getOrSet("k", () => answer.promise);
    stats.reset();
    expect(stats.snapshot()).toMatchObject({ total: { calls: 0, roundTrips: 0 }, methods: {}, errors: {} });
    answer.resolve("v");
    await running;
    const { total, methods } = stats.snapshot();
    expect(total).toMatchObject({ calls: 1, misses: 1, loads: 1 });
    expect(Object.keys(methods)).toEqual(["getOrSet"]);
  });

  it("count errors by kind, and what happens to the connection", async () => {
    const cache = open({ location: "valkey://127.0.0.1:1", connectTimeout: "1s", commandTimeout: "1s" });
    const stats = statistics(cache);
    for (let i = 0; i < 4; i++) await cache.get("k").catch(() => {});
    const { total, errors, breaker } = stats.snapshot();
    expect(total).toMatchObject({ calls: 4, failed: 4, errors: 4, misses: 4 });
    expect(total).toMatchObject({ connectionsOpened: 0, breakerOpenings: 1 });
    expect(total.connectionsFailed).toBeGreaterThan(0);
    expect(errors).toEqual({ connection: 4 });
    expect(breaker).toBe("open");
    stats.stop();
    expect(statistics(cache).snapshot().breaker).toBe("open");
  });

  it("count the events of the near cache and the HTTP cache", () => {
    const cache = open();
    const { events } = cache;
    const stats = statistics(cache);
    const answer = { status: 200, forwardedStatus: undefined, ttlMs: 1, detail: undefined, error: undefined };
    const request = { method: "GET", url: "/", durationMs: 2, ...answer };
    events.emit("http", () => ({ ...request, outcome: "hit", stored: false, collapsed: false }));
    events.emit("http", () => ({ ...request, outcome: "uri-miss", stored: true, collapsed: true }));
    events.emit("evict", () => ({ method: "", key: "", count: 3 }));
    events.emit("invalidate", () => ({ method: "", key: "", count: 2 }));
    events.emit("purge", () => ({
      method: "http",
      key: "",
      count: 4,
      by: "tag",
      what: ["t"],
      match: "any",
      soft: false,
      ended: 4,
    }));
    const { total, outcomes, requests } = stats.snapshot();
    expect(total).toMatchObject({ requests: 2, requestHits: 1, requestsStored: 1, requestsCollapsed: 1 });
    expect(total).toMatchObject({ evictions: 3, invalidations: 2, purges: 1, calls: 0 });
    expect(outcomes).toEqual({ hit: 1, "uri-miss": 1 });
    expect(requests).toMatchObject({ count: 2, maxMs: 2 });
  });

  it("are data that JSON keeps as it is", async () => {
    const cache = open();
    const stats = statistics(cache, { definition: () => "__proto__" });
    await cache.getOrSet("k", () => 1);
    const snapshot = stats.snapshot();
    expect(Object.keys(snapshot.definitions)).toEqual(["__proto__"]);
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
  });
});

describe("statistics by definition", () => {
  it("group calls by the name that the application gives for a stored key", async () => {
    const cache = open({ keyPrefix: "app" });
    const definition = vi.fn((key: string) => key.split(":")[2]);
    const stats = statistics(cache, { definition });
    await cache.set("user:1", 1);
    await cache.get("user:1");
    await cache.get("user:2");
    await cache.get("page:1");
    await cache.getMany(["user:1", "page:1"]);
    const { definitions } = stats.snapshot();
    expect(definition.mock.calls).toEqual([["app:1:user:1"], ["app:1:user:1"], ["app:1:user:2"], ["app:1:page:1"]]);
    expect(definitions.user?.total).toMatchObject({ calls: 3, hits: 1, misses: 1, hitRatio: 0.5 });
    expect(definitions.page?.total).toMatchObject({ calls: 1, misses: 1 });
  });

  it("have at most 100 names, and count the calls of further ones together", async () => {
    const cache = open();
    const stats = statistics(cache, { definition: (key) => key });
    for (let i = 0; i < 150; i++) await cache.get(`k${i}`);
    await cache.get("k0");
    const { definitions } = stats.snapshot();
    expect(Object.keys(definitions)).toHaveLength(101);
    expect(definitions.other?.total.calls).toBe(50);
    expect(definitions[":1:k0"]?.total.calls).toBe(2);
  });

  it.each([
    ["throws", vi.fn().mockThrow(new Error("no name"))],
    ["gives no name", () => undefined],
    ["gives an empty one", () => ""],
  ])("count a call under none when the function %s", async (_what, definition) => {
    const cache = open();
    const stats = statistics(cache, { definition });
    await cache.get("k");
    expect(stats.snapshot()).toMatchObject({ definitions: {}, total: { calls: 1 } });
  });

  it("have one function for each cache: another one is refused", () => {
    const cache = open();
    const definition = () => "a";
    const stats = statistics(cache, { definition });
    expect(statistics(cache, { definition })).toBe(stats);
    expect(statistics(cache)).toBe(stats);
    expect(() => statistics(cache, { definition: () => "b" })).toThrow(/"definition" is another one.*stop\(\)/);
  });
});

describe("wrong arguments of statistics", () => {
  it.each([[undefined], [null], [{}], ["cache"]])("say what to give instead of %s", (cache) => {
    expect(() => statistics(cache as never)).toThrow(
      /statistics: .* is not a cache; give what createCache\(\) returns/,
    );
  });

  it("are refused with the option's name", () => {
    const cache = open();
    expect(() => statistics(cache, { definition: "user" } as never)).toThrow(/"definition" is "user"; give a function/);
    expect(() => statistics(cache, { define: () => "" } as never)).toThrow(/unknown option "define"/);
  });

  it("of a merge are refused", () => {
    expect(() => mergeStatistics()).toThrow(/there is no snapshot/);
    expect(() => mergeStatistics(statistics(open()).snapshot(), {} as never)).toThrow(/argument 2 is .* give what/);
  });
});

describe("the last minutes of statistics", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("are the running minute and the whole ones before it", async () => {
    const cache = open();
    const stats = statistics(cache);
    // One call in the first minute, two in the second, and so on.
    for (let minute = 0; minute < 20; minute++) {
      for (let call = 0; call <= minute; call++) await cache.get("k");
      await vi.advanceTimersByTimeAsync(60_000);
    }
    await vi.advanceTimersByTimeAsync(30_000);
    const { total, lastMinute, last5Minutes, last15Minutes } = stats.snapshot();
    const periods = [lastMinute, last5Minutes, last15Minutes, total];
    expect(periods.map(({ calls }) => calls)).toEqual([20, 20 + 19 + 18 + 17 + 16, 15 * 13, 210]);
    expect(periods.map(({ seconds }) => seconds)).toEqual([90, 330, 930, 1_230]);
  });

  it("last as long as counting does, when that has begun in them", async () => {
    const cache = open();
    const stats = statistics(cache);
    await vi.advanceTimersByTimeAsync(90_000);
    await cache.get("k");
    const { lastMinute, last15Minutes, methods } = stats.snapshot();
    expect(lastMinute).toMatchObject({ seconds: 90, calls: 1 });
    expect(last15Minutes).toMatchObject({ seconds: 90, calls: 1 });
    expect(methods.get?.last5Minutes).toMatchObject({ seconds: 90, calls: 1 });
  });

  it("are empty after an hour without a call, and right for the call after it", async () => {
    const cache = open();
    const stats = statistics(cache, { definition: () => "all" });
    await cache.get("k");
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(stats.snapshot().last15Minutes.calls).toBe(0);
    await cache.get("k");
    const { last15Minutes, methods, definitions, total } = stats.snapshot();
    const periods = [last15Minutes, methods.get?.lastMinute, definitions.all?.lastMinute];
    expect(periods.map((period) => period?.calls)).toEqual([1, 1, 1]);
    expect(total.calls).toBe(2);
  });

  it("don't mind a clock that is set back or forth", async () => {
    const cache = open();
    const stats = statistics(cache);
    await cache.get("k");
    vi.setSystemTime(Date.now() - 86_400_000);
    await cache.get("k");
    vi.setSystemTime(Date.now() + 2 * 86_400_000);
    await cache.get("k");
    expect(stats.snapshot()).toMatchObject({ lastMinute: { calls: 3, seconds: 0 }, total: { calls: 3, seconds: 0 } });
  });

  it("begin with the first call where the clocks stand at 0 until then, as in a Worker's global scope", async () => {
    vi.setSystemTime(0);
    const cache = open();
    const stats = statistics(cache);
    vi.setSystemTime(1_800_000_000_000);
    await vi.advanceTimersByTimeAsync(3_600_000);
    await cache.get("k");
    expect(stats.snapshot()).toMatchObject({ sinceMs: 1_800_003_600_000, lastMinute: { seconds: 0, calls: 1 } });
  });
});

describe("statistics of a thousand caches", () => {
  it("take at most 12 KB each while nothing is called, and 35 KB with five methods", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const used = (): number => {
      for (let i = 0; i < 4; i++) gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const caches = Array.from({ length: 1_000 }, () => open());
    const work = async (): Promise<void> => {
      for (const cache of caches) {
        await cache.set("k", 1);
        await cache.get("k");
        await cache.getMany(["k", "l"]);
        await cache.getOrSet("m", () => 1);
        await cache.delete("m");
      }
    };
    await work();
    const without = used();
    const all = caches.map((cache) => statistics(cache));
    const idle = (used() - without) / caches.length;
    await work();
    const busy = (used() - without) / caches.length;
    expect(idle).toBeLessThan(12_000);
    expect(busy).toBeLessThan(35_000);
    const merged = mergeStatistics(...all.map((stats) => stats.snapshot()));
    expect(merged.total).toMatchObject({ calls: 5_000, hits: 2_000, misses: 2_000 });
  });
});

describe("merged statistics", () => {
  async function snapshotAfter(calls: number): Promise<StatisticsSnapshot> {
    const cache = open();
    const stats = statistics(cache, { definition: (key) => key.slice(-1) });
    for (let call = 0; call < calls; call++) {
      await cache.getOrSet(`k${call % 3}`, () => "v");
      if (call % 2 === 1) await cache.getMany([`k${call}`, "none"]);
    }
    return stats.snapshot();
  }

  it("are the sums of all, with ratios and quantiles of the sums", async () => {
    const [one, other] = [await snapshotAfter(3), await snapshotAfter(8)];
    const { total, methods } = mergeStatistics(one, other);
    for (const name of ["calls", "hits", "misses", "bytesRead", "roundTrips", "loads"] as const)
      expect(total[name]).toBe(one.total[name] + other.total[name]);
    expect(total.hitRatio).toBe(total.hits / (total.hits + total.misses));
    expect(methods.getOrSet?.latency.count).toBe(11);
    expect(Object.keys(methods)).toEqual(["getMany", "getOrSet"]);
  });

  it("don't depend on the order of merging, also of what came as JSON", async () => {
    const [a, b, c] = [await snapshotAfter(4), await snapshotAfter(7), await snapshotAfter(1)];
    const all = mergeStatistics(a, b, c);
    expect(mergeStatistics(mergeStatistics(a, b), c)).toEqual(all);
    expect(mergeStatistics(a, mergeStatistics(b, c))).toEqual(all);
    expect(mergeStatistics(c, a, b)).toEqual(all);
    expect(mergeStatistics(JSON.parse(JSON.stringify(a)), b, c)).toEqual(all);
    expect(JSON.parse(JSON.stringify(all))).toEqual(all);
  });
});

describe("statistics of a fleet of herd clients", () => {
  const advance = fleets.fakeTime();

  it("count the wait of one and the load of the other", async () => {
    const openProcess = fleets.fleet();
    const [one, other] = [openProcess(), openProcess()];
    const [ofOne, ofOther] = [statistics(one), statistics(other)];
    const loader = slowLoader<string>();
    const first = one.getOrSet("k", loader);
    await advance(10);
    const second = other.getOrSet("k", loader);
    await advance(200);
    loader.resolve("v");
    await advance(500);
    await Promise.all([first, second]);
    expect(ofOne.snapshot().total).toMatchObject({ loads: 1, claimsWon: 1, claimsLost: 0, waits: 0, misses: 1 });
    expect(ofOne.snapshot().loads.maxMs).toBe(210);
    const { total, waits } = ofOther.snapshot();
    expect(total).toMatchObject({ loads: 0, claimsWon: 0, claimsLost: 1, waits: 1, unansweredWaits: 0, misses: 1 });
    expect(total.waitMs).toBeGreaterThanOrEqual(200);
    expect(waits.count).toBe(1);
  });

  it("count the time that hits have saved: for each, how long its load took", async () => {
    const cache = fleets.fleet({ beta: 0 })();
    const stats = statistics(cache);
    const loader = slowLoader<string>();
    const loading = cache.getOrSet("k", loader, { ttl: "1h" });
    await advance(250);
    loader.resolve("v");
    await loading;
    expect(stats.snapshot().total).toMatchObject({ loadMs: 250, savedMs: 0 });
    for (let i = 0; i < 4; i++) await cache.getOrSet("k", loader);
    const { total } = stats.snapshot();
    expect(total).toMatchObject({ hits: 4, savedMs: 1_000, loads: 1, bytesWritten: 3, bytesRead: 12 });
  });

  it("count stale answers, and the loads in the background behind them", async () => {
    const cache = fleets.fleet({ grace: "10m" })();
    const stats = statistics(cache);
    await cache.getOrSet("k", () => "old", { ttl: "1s" });
    await advance(2_000);
    expect(await cache.getOrSet("k", () => "new", { ttl: "1h" })).toBe("old");
    await advance(100);
    await cache.getOrSet("k", () => "newer");
    const { total } = stats.snapshot();
    expect(total).toMatchObject({ hits: 1, misses: 1, stale: 1, hitRatio: 2 / 3, loads: 2, backgroundLoads: 1 });
  });
});
