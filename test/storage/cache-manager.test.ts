import { randomUUID } from "node:crypto";
import { type CreateCacheOptions, createCache as createManager, type Cache as Manager } from "cache-manager";
import { Keyv } from "keyv";
import { createCache } from "valkey-edge-cache";
import { keyvStore } from "valkey-edge-cache/keyv";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { until } from "../support/wait.js";

const managers: Manager[] = [];
afterEach(async () => {
  for (const manager of managers.splice(0)) await manager.disconnect();
});

/** A cache of cache-manager over one store of this package, with others before and behind it. */
function make(options: CreateCacheOptions & { before?: Keyv[]; behind?: Keyv[] } = {}) {
  const { before = [], behind = [], ...others } = options;
  const prefix = `manager-${randomUUID()}`;
  const keyv = new Keyv({ store: keyvStore({ location: inject("valkeyUrl"), keyPrefix: prefix }) });
  const manager = createManager({ stores: [...before, keyv, ...behind], ...others });
  managers.push(manager);
  return { manager, keyv, prefix };
}

const LIST: { key: string; value: string; ttl?: number }[] = [
  { key: "a", value: "A" },
  { key: "b", value: "B", ttl: 90_000 },
  { key: "c", value: "C" },
];
const KEYS = LIST.map(({ key }) => key);
const VALUES = LIST.map(({ value }) => value);

describe.each([false, true])("cache-manager with nonBlocking: %s", (nonBlocking) => {
  it("reads, lists and deletes what it has set, by one key and by several", async () => {
    const { manager } = make({ nonBlocking });
    const seen = (keys: string[], values: unknown[]) =>
      until(async () => JSON.stringify(await manager.mget(keys)) === JSON.stringify(values), { what: String(values) });
    expect(await manager.get("a")).toBeUndefined();
    expect(await manager.set("a", { deep: [1, null] })).toEqual({ deep: [1, null] });
    await seen(["a"], [{ deep: [1, null] }]);
    expect(await manager.get("a")).toEqual({ deep: [1, null] });
    expect(await manager.mset(LIST)).toEqual(LIST.map(({ ttl, ...one }) => ({ ...one, ttl })));
    await seen(KEYS, VALUES);
    expect(await manager.del("a")).toBe(true);
    await seen(KEYS, [undefined, "B", "C"]);
    expect(await manager.mdel(["b", "absent"])).toBe(true);
    await seen(KEYS, [undefined, undefined, "C"]);
    expect(await manager.clear()).toBe(true);
    await seen(KEYS, [undefined, undefined, undefined]);
  });

  it("says when an entry expires, and nothing for one that never does or is absent", async () => {
    const { manager } = make({ nonBlocking });
    const now = Date.now();
    await manager.mset([...LIST, { key: "short", value: "S", ttl: 60_000 }]);
    await until(() => manager.get("short"), { what: "the entry" });
    expect(((await manager.ttl("b")) ?? 0) - now).toBeCloseTo(90_000, -4);
    expect(((await manager.ttl("short")) ?? 0) - now).toBeCloseTo(60_000, -4);
    expect(await manager.ttl("a")).toBeUndefined();
    expect(await manager.ttl("absent")).toBeUndefined();
  });

  it("has the lifetime of its own options in milliseconds, unless a call has another one", async () => {
    const { manager, prefix } = make({ nonBlocking, ttl: 30_000 });
    await manager.set("a", 1);
    await manager.set("b", 1, 80_000);
    await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: prefix });
    await until(() => manager.get("b"), { what: "the entry" });
    expect((await cache.ttl("keyv:a")) ?? 0).toBeCloseTo(30, -1);
    expect((await cache.ttl("keyv:b")) ?? 0).toBeCloseTo(80, -1);
    await manager.set("c", 1, 30);
    await until(async () => (await manager.get("c")) === undefined, { what: "its end" });
  });
});

describe("cache-manager with several stores", () => {
  it("writes to and deletes from all of them, and reads from the first that has the entry", async () => {
    const memory = new Keyv();
    const { manager, keyv } = make({ before: [memory] });
    await manager.set("a", 1);
    expect([await memory.get("a"), await keyv.get("a")]).toEqual([1, 1]);
    await memory.set("a", 2);
    expect(await manager.get("a")).toBe(2);
    await memory.delete("a");
    expect(await manager.get("a")).toBe(1);
    await manager.del("a");
    expect(await keyv.get("a")).toBeUndefined();
    await memory.set("x", 1);
    await keyv.set("y", 2);
    expect(await manager.mget(["x", "y", "z"])).toEqual([1, 2, undefined]);
  });

  it("answers from the other ones while one fails", async () => {
    const failing = new Keyv();
    const fail = () => Promise.reject(new Error("no store"));
    Object.assign(failing, { get: fail, getMany: fail });
    const { manager } = make({ before: [failing] });
    await manager.set("a", 1);
    expect(await manager.get("a")).toBe(1);
    expect(await manager.mget(["a"])).toEqual([1]);
    expect(await manager.wrap("a", () => 2)).toBe(1);
  });

  it("clears its own namespace, and leaves those of others", async () => {
    const location = inject("valkeyUrl");
    const keyPrefix = `manager-${randomUUID()}`;
    const keyvs = ["one", "one:two"].map(
      (namespace) => new Keyv({ store: keyvStore({ location, keyPrefix }), namespace }),
    );
    const [one, two] = keyvs.map((keyv) => createManager({ stores: [keyv] }));
    if (one && two) managers.push(one, two);
    await one?.set("two:a", 1);
    await two?.set("a", 2);
    await one?.clear();
    expect(await one?.get("two:a")).toBeUndefined();
    expect(await two?.get("a")).toBe(2);
  });
});

describe("events of cache-manager", () => {
  it("are emitted for what its store has done", async () => {
    const { manager } = make();
    const listeners = { get: vi.fn(), mget: vi.fn(), set: vi.fn(), mset: vi.fn(), del: vi.fn(), clear: vi.fn() };
    for (const [event, listener] of Object.entries(listeners)) manager.on(event as "get", listener);
    await manager.set("a", 1);
    await manager.get("a");
    await manager.mset(LIST);
    await manager.mget(KEYS);
    await manager.del("a");
    await manager.clear();
    expect(listeners.set).toHaveBeenCalledWith({ key: "a", value: 1 });
    expect(listeners.get).toHaveBeenCalledWith({ key: "a", value: 1, store: "primary" });
    expect(listeners.mset).toHaveBeenCalledOnce();
    expect(listeners.mget).toHaveBeenCalledWith({ keys: KEYS, values: VALUES });
    expect(listeners.del).toHaveBeenCalledWith({ key: "a" });
    expect(listeners.clear).toHaveBeenCalledOnce();
  });

  it("have the error of a store that fails, where both the Keyv and the store throw", async () => {
    const options = { location: "valkey://127.0.0.1:1", commandTimeout: "200ms", connectTimeout: "200ms" } as const;
    const keyv = new Keyv({ store: keyvStore({ ...options, throwOnErrors: true }), throwOnErrors: true });
    const manager = createManager({ stores: [keyv] });
    managers.push(manager);
    const listener = vi.fn();
    for (const event of ["get", "mget", "set", "del"] as const) manager.on(event, listener);
    expect(await manager.get("a")).toBeUndefined();
    expect(await manager.mget(["a"])).toEqual([undefined]);
    await expect(manager.set("a", 1)).rejects.toThrow();
    await expect(manager.del("a")).rejects.toThrow();
    expect(listener.mock.calls.filter(([{ error }]) => error instanceof Error)).toHaveLength(4);
  });
});

describe("wrap of cache-manager itself", () => {
  it("loads once for concurrent callers of a process, takes lifetimes as functions, and refreshes early", async () => {
    const { manager } = make();
    const load = vi.fn(async () => load.mock.calls.length);
    const refreshed = vi.fn();
    manager.on("refresh", refreshed);
    const all = await Promise.all(Array.from({ length: 10 }, () => manager.wrap("a", load, (value) => value * 60_000)));
    expect(all).toEqual(Array.from({ length: 10 }, () => 1));
    expect(((await manager.ttl("a")) ?? 0) - Date.now()).toBeCloseTo(60_000, -4);
    expect(await manager.wrap("a", load, { ttl: 60_000, refreshThreshold: 90_000 })).toBe(1);
    await until(() => refreshed.mock.calls.length > 0, { what: "the refresh" });
    expect(await manager.get("a")).toBe(2);
    expect(await manager.wrap("a", load, { ttl: 1_000, raw: true })).toEqual({ value: 2, expires: expect.any(Number) });
  });
});
