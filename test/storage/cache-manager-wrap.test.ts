import { randomUUID } from "node:crypto";
import { type CreateCacheOptions, createCache as createManager, type Cache as Manager } from "cache-manager";
import { Keyv } from "keyv";
import { type Cache, createCache, herd } from "valkey-edge-cache";
import { fleetWrap, keyvStore } from "valkey-edge-cache/keyv";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { startValkey } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";

const caches: Cache[] = [];
afterEach(async () => {
  for (const cache of caches.splice(0)) await cache.close();
});

type Options = CreateCacheOptions & { prefix?: string; before?: Keyv[]; behind?: Keyv[]; location?: string };

/** One process of a fleet: a cache of cache-manager with `fleetWrap`. */
function make({ before = [], behind = [], prefix = randomUUID(), location, ...options }: Options = {}) {
  // A connection of its own for each.
  const cache = createCache({
    location: location ?? inject("valkeyUrl"),
    keyPrefix: prefix,
    client: herd({ beta: 0 }),
    clientName: `wrap-${randomUUID()}`,
    commandTimeout: "500ms",
  });
  caches.push(cache);
  const keyv = new Keyv({ store: keyvStore({ cache }) });
  const stores = [...before, keyv, ...behind];
  const all = { ...options, stores };
  return { manager: fleetWrap(createManager(all), all), keyv, cache, prefix };
}

const heard = (manager: Manager, event: "refresh" | "set") => {
  const listener = vi.fn();
  manager.on(event, listener);
  return listener;
};

describe("fleetWrap", () => {
  it("loads a missing value once for all callers of all processes", async () => {
    const prefix = randomUUID();
    const processes = Array.from({ length: 8 }, () => make({ prefix }).manager);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const load = vi.fn(async () => {
      await released;
      return { made: load.mock.calls.length };
    });
    const answers = Promise.all(
      processes.flatMap((manager) => Array.from({ length: 50 }, () => manager.wrap("page", load, 60_000))),
    );
    await until(() => load.mock.calls.length > 0, { what: "a load" });
    release();
    expect(new Set((await answers).map((answer) => JSON.stringify(answer)))).toEqual(new Set(['{"made":1}']));
    expect(load).toHaveBeenCalledOnce();
  });

  it("reads and writes the entries that get and set have", async () => {
    const { manager, keyv, cache } = make();
    expect(await manager.wrap("a", () => ({ n: 1 }), 60_000)).toEqual({ n: 1 });
    expect(await manager.get("a")).toEqual({ n: 1 });
    expect(await keyv.get("a")).toEqual({ n: 1 });
    expect(await manager.mget(["a"])).toEqual([{ n: 1 }]);
    expect(((await manager.ttl("a")) ?? 0) - Date.now()).toBeCloseTo(60_000, -4);
    expect((await cache.ttl("keyv:a")) ?? 0).toBeCloseTo(60, -1);
    await manager.set("a", { n: 2 });
    expect(await manager.wrap("a", () => ({ n: 3 }))).toEqual({ n: 2 });
    await manager.del("a");
    expect(await manager.wrap("a", () => ({ n: 4 }))).toEqual({ n: 4 });
    await manager.clear();
    expect(await manager.wrap("a", () => ({ n: 5 }))).toEqual({ n: 5 });
    expect(await manager.wrap("buffer", () => ({ bytes: Buffer.from("x") }))).toEqual({ bytes: Buffer.from("x") });
  });

  it("stores no value that was loaded before a delete", async () => {
    const prefix = randomUUID();
    const [one, other] = [make({ prefix }).manager, make({ prefix }).manager];
    const answer = one.wrap("a", async () => {
      await other.del("a");
      return "old";
    });
    expect(await answer).toBe("old");
    expect(await other.get("a")).toBeUndefined();
  });

  it("takes lifetimes as milliseconds, functions of the value, options, or from the cache and the Keyv", async () => {
    const { manager } = make({ ttl: 40_000 });
    const ttlOf = async (key: string) => ((await manager.ttl(key)) ?? 0) - Date.now();
    await manager.wrap("number", () => 1, 20_000);
    await manager.wrap(
      "function",
      (): number => 3,
      (value: number) => value * 10_000,
    );
    await manager.wrap("options", () => 1, { ttl: 20_000 });
    await manager.wrap("cache", () => 1);
    expect(await ttlOf("number")).toBeCloseTo(20_000, -4);
    expect(await ttlOf("function")).toBeCloseTo(30_000, -4);
    expect(await ttlOf("options")).toBeCloseTo(20_000, -4);
    expect(await ttlOf("cache")).toBeCloseTo(40_000, -4);
    await manager.wrap("never", () => 1, 0);
    expect(await manager.ttl("never")).toBeUndefined();
    expect(await manager.get("never")).toBe(1);
    const own = make();
    own.keyv.ttl = 20_000;
    await own.manager.wrap("keyv", () => 1);
    expect(((await own.manager.ttl("keyv")) ?? 0) - Date.now()).toBeCloseTo(20_000, -4);
    await manager.wrap("short", () => 1, 20);
    await until(async () => (await manager.get("short")) === undefined, { what: "its end" });
  });

  it("returns what is stored by raw", async () => {
    const { manager } = make();
    const raw = { value: 1, expires: expect.any(Number) };
    expect(await manager.wrap("a", () => 1, { ttl: 60_000, raw: true })).toEqual(raw);
    expect(await manager.wrap("a", () => 2, { ttl: 60_000, raw: true })).toEqual(raw);
    expect(await manager.wrap("a", () => 2, 60_000)).toBe(1);
  });

  it("stores null, and neither undefined nor what a loader throws", async () => {
    const { manager } = make();
    expect(await manager.wrap("null", () => null)).toBeNull();
    expect(await manager.wrap("null", () => 1)).toBeNull();
    expect(await manager.wrap("a", () => undefined)).toBeUndefined();
    const failure = new Error("no database");
    await expect(manager.wrap("a", () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await manager.wrap("a", () => 2)).toBe(2);
  });

  it("answers a value that ends soon, and refreshes it once for the fleet", async () => {
    const prefix = randomUUID();
    const managers = Array.from({ length: 4 }, () => make({ prefix, refreshThreshold: 90_000 }).manager);
    const [first] = managers;
    if (!first) throw new Error("there is none");
    await first.wrap("a", () => "old", 60_000);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const load = vi.fn(async () => {
      await released;
      return "new";
    });
    const refreshed = managers.map((manager) => heard(manager, "refresh"));
    const answers = await Promise.all(managers.map((manager) => manager.wrap("a", load, 120_000)));
    expect(answers).toEqual(["old", "old", "old", "old"]);
    expect(await first.wrap("a", load, 120_000)).toBe("old");
    release();
    await until(() => refreshed.every((listener) => listener.mock.calls.length > 0), { what: "the refresh" });
    expect(refreshed[0]).toHaveBeenCalledWith({ key: "a", value: "new" });
    expect(await first.get("a")).toBe("new");
    expect(await first.wrap("a", load)).toBe("new");
    expect(load).toHaveBeenCalledOnce();
    expect(refreshed[0]).toHaveBeenCalledOnce();
  });

  it("takes over what another process has refreshed", async () => {
    const prefix = randomUUID();
    const memory = new Keyv();
    const { manager } = make({ prefix, before: [memory], refreshThreshold: 30_000 });
    const other = make({ prefix, refreshThreshold: 30_000 }).manager;
    await other.wrap("a", () => "new", 60_000);
    await memory.set("a", "old", 20_000);
    const load = vi.fn(() => "newest");
    const refreshed = heard(manager, "refresh");
    expect(await manager.wrap("a", load)).toBe("old");
    await until(() => refreshed.mock.calls.length > 0, { what: "the refresh" });
    expect(await manager.wrap("a", load)).toBe("new");
    expect(load).not.toHaveBeenCalled();
  });

  it("takes the threshold of a call, also as a function of the value, and emits what a refresh throws", async () => {
    const { manager } = make();
    const refreshed = heard(manager, "refresh");
    await manager.wrap("a", () => 60, 60_000);
    expect(await manager.wrap("a", () => 2, 60_000, 30_000)).toBe(60);
    expect(refreshed).not.toHaveBeenCalled();
    const error = new Error("no database");
    const fail = (): Promise<number> => Promise.reject(error);
    expect(await manager.wrap("a", fail, { refreshThreshold: (value: number) => value * 1_500 })).toBe(60);
    await until(() => refreshed.mock.calls.length > 0, { what: "the refresh" });
    expect(refreshed).toHaveBeenCalledWith({ key: "a", value: 60, error });
    expect(await manager.get("a")).toBe(60);
  });

  it("answers from stores before its own, and fills them and those behind for what is left of a lifetime", async () => {
    const [memory, last] = [new Keyv(), new Keyv()];
    const { manager, keyv } = make({ before: [memory], behind: [last] });
    const set = heard(manager, "set");
    await manager.wrap("a", () => 1, 60_000);
    expect([await memory.get("a"), await keyv.get("a"), await last.get("a")]).toEqual([1, 1, 1]);
    expect(set).toHaveBeenCalledWith({ key: "a", value: 1 });
    const { expires } = (await keyv.get("a", { raw: true })) ?? {};
    expect(((await memory.get("a", { raw: true }))?.expires ?? 0) - (expires ?? 0)).toBeCloseTo(0, -2);
    await memory.set("a", 2);
    expect(await manager.wrap("a", () => 3)).toBe(2);
    await memory.delete("a");
    expect(await manager.wrap("a", () => 3)).toBe(1);
    expect(await memory.get("a")).toBe(1);
    await Promise.all([memory.delete("a"), keyv.delete("a")]);
    expect(await manager.wrap("a", () => 3)).toBe(1); // from the last one
    expect(await keyv.get("a")).toBe(1);
  });

  it("refreshes stores behind its own by refreshAllStores only", async () => {
    for (const refreshAllStores of [false, true]) {
      const last = new Keyv();
      const { manager } = make({ behind: [last], refreshThreshold: 90_000, refreshAllStores });
      const refreshed = heard(manager, "refresh");
      await manager.wrap("a", () => 1, 60_000);
      await manager.wrap("a", () => 2, 60_000);
      await until(() => refreshed.mock.calls.length > 0, { what: "the refresh" });
      expect(await last.get("a")).toBe(refreshAllStores ? 2 : 1);
    }
  });

  it("answers what the loader returns while the server is gone, within the deadline", async () => {
    await using server = await startValkey();
    const { manager } = make({ location: server.url });
    await manager.wrap("a", () => 1);
    await server.kill("SIGSTOP");
    const took = stopwatch();
    expect(await manager.wrap("a", () => 2)).toBe(2);
    expect(took()).toBeLessThan(3_000);
    await server.kill("SIGKILL");
    expect(await manager.wrap("a", () => 3)).toBe(3);
  });

  it("goes over any cache of createCache, with one load in the process", async () => {
    await using cache = createCache({ location: `memory:${randomUUID()}` });
    const manager = fleetWrap(
      createManager({ stores: [new Keyv({ store: keyvStore({ cache }), useKeyPrefix: false })] }),
    );
    const load = vi.fn(async () => 1);
    expect(await Promise.all([manager.wrap("a", load), manager.wrap("a", load)])).toEqual([1, 1]);
    expect(load).toHaveBeenCalledOnce();
    expect(await manager.get("a")).toBe(1);
  });

  it("refuses wrong options, and a cache without a store of this package", () => {
    const manager = createManager();
    expect(() => fleetWrap(manager)).toThrow(
      "fleetWrap: none of the cache's stores loads for a fleet; give createCache",
    );
    expect(() => fleetWrap(manager, { ttl: "5m" } as never)).toThrow(
      'fleetWrap: option "ttl" is "5m"; give milliseconds as a number from 0',
    );
    expect(() => fleetWrap(manager, { grace: 1 } as never)).toThrow('fleetWrap: unknown option "grace"');
  });
});
