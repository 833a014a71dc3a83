import { describe, expect, it, vi } from "vitest";
import {
  type CacheOptions,
  ConfigurationError,
  ConnectionError,
  createCache,
  memory,
  ReplyError,
  TimeoutError,
} from "../../src/index.js";
import { COMMANDS } from "../contract/cache/commands.js";
import { watched } from "../support/watched.js";

/** A cache whose store fails, with this. */
function broken(error: unknown, options: Partial<CacheOptions> = {}) {
  const { factory, fail } = watched(memory());
  fail(error);
  const onError = vi.fn();
  return { cache: createCache({ location: "memory:", connectionFactory: factory, onError, ...options }), onError };
}

const lost = () => new ConnectionError("lost");
const COMMAND_ROWS = Object.entries(COMMANDS);
/** A loader answers for the store in any case. */
const PLAIN_ROWS = COMMAND_ROWS.filter(([name]) => !name.startsWith("getOrSet"));
describe("when the store fails", () => {
  it.each(PLAIN_ROWS)("%s throws the failure", async (_, { run }) => {
    const error = lost();
    const { cache, onError } = broken(error);
    await expect(run(cache)).rejects.toBe(error);
    expect(onError).not.toHaveBeenCalled();
  });

  it.each(COMMAND_ROWS)("%s answers what a miss answers, if errors are ignored", async (name, { run, otherwise }) => {
    const error = lost();
    const { cache, onError } = broken(error, { ignoreErrors: true });
    expect(await run(cache)).toStrictEqual(otherwise);
    expect(onError).toHaveBeenCalledExactlyOnceWith(error, {
      method: name,
      key: expect.any(String),
    });
  });

  it.each<[string, (cache: ReturnType<typeof createCache>) => Promise<unknown>, string]>([
    ["get", (cache) => cache.get("a", { version: 2 }), ":2:a"],
    ["set", (cache) => cache.set("a", 1, { prefix: "p" }), "p:1:a"],
    ["delete", (cache) => cache.delete("a"), ":1:a"],
    ["incr", (cache) => cache.incr("a"), ":1:a"],
    ["sets.add", (cache) => cache.sets.add("a", [1]), ":1:a"],
    ["hashes.get", (cache) => cache.hashes.get("a", "f"), ":1:a"],
    ["lock", (cache) => cache.lock("a"), ":lock:a"],
    ["deletePattern", (cache) => cache.deletePattern("a*"), ":1:a*"],
    ["getOrSet", (cache) => cache.getOrSet("a", () => 1), ":1:a"],
  ])("onError is told the key of %s as it is stored", async (method, run, key) => {
    const { cache, onError } = broken(lost(), { ignoreErrors: true });
    await run(cache);
    expect(onError).toHaveBeenCalledWith(expect.anything(), { method, key });
  });

  it.each<[string, unknown]>([
    ["a timeout", new TimeoutError("late")],
    ["a refusal", new ReplyError("OOM", "no room")],
    ["a replica's refusal", new ReplyError("READONLY", "replica")],
  ])("%s is a failure like any other", async (_, error) => {
    const { cache, onError } = broken(error, { ignoreErrors: true });
    expect(await cache.get("a", { default: "default" })).toBe("default");
    expect(await cache.set("a", 1)).toBe(false);
    expect(onError).toHaveBeenCalledTimes(2);
  });

  it.each<[string, unknown]>([
    ["a transport that can't be used", new ConfigurationError("not here")],
    ["a bug", new RangeError("bug")],
  ])("%s is thrown although errors are ignored", async (_, error) => {
    const { cache, onError } = broken(error, { ignoreErrors: true });
    await expect(cache.get("a")).rejects.toBe(error);
    expect(onError).not.toHaveBeenCalled();
  });

  it("no spread of the failure hides that a value can't be stored", async () => {
    const { cache } = broken(lost(), { ignoreErrors: true });
    await expect(cache.set("a", () => 1)).rejects.toThrow("can't be stored");
    await expect(cache.setMany({ a: 1, b: () => 1 })).rejects.toThrow("can't be stored");
  });

  it("setMany names every key as failed, by the user's names, also where it was to delete", async () => {
    const { cache } = broken(lost(), { ignoreErrors: true });
    expect(await cache.setMany(new Map([["a", 1]]))).toEqual(["a"]);
    expect(await cache.setMany([["a", 1]], { ttl: 0 })).toEqual(["a"]);
  });

  it("getOrSet calls the loader once for all callers, and returns its result", async () => {
    const { cache, onError } = broken(lost());
    const loader = vi.fn(async () => ({ n: 1 }));
    const got = await Promise.all(Array.from({ length: 5 }, () => cache.getOrSet("a", loader)));
    expect(got).toEqual(Array(5).fill({ n: 1 }));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ConnectionError), { method: "getOrSet", key: ":1:a" });
    if (got[0]) got[0].n = 2;
    expect(got[1]).toEqual({ n: 1 });
  });

  it("getOrSet throws the loader's error, not the store's", async () => {
    const { cache } = broken(lost());
    await expect(cache.getOrSet("a", () => Promise.reject(new Error("loader")))).rejects.toThrow("loader");
  });

  it("getOrSet answers although the value can't be written", async () => {
    const { factory, fail } = watched(memory());
    const onError = vi.fn();
    const cache = createCache({ location: "memory:", connectionFactory: factory, onError });
    const load = async () => {
      fail(new ReplyError("OOM", "no room"));
      return "loaded";
    };
    expect(await cache.getOrSet("a", load)).toBe("loaded");
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "OOM" }), {
      method: "getOrSet",
      key: ":1:a",
    });
  });

  it("a lock that is held can't be given up, and the end of its block is no error if errors are ignored", async () => {
    const { factory, fail } = watched(memory());
    const onError = vi.fn();
    const cache = createCache({ location: "memory:", connectionFactory: factory, ignoreErrors: true, onError });
    {
      await using lock = await cache.lock("job");
      fail(lost());
      expect(await lock?.extend(5)).toBe(false);
      expect(await lock?.release()).toBe(false);
    }
    expect(onError).toHaveBeenCalledTimes(3);
    expect(onError).toHaveBeenLastCalledWith(expect.any(ConnectionError), { method: "lock", key: ":lock:job" });
  });

  it("a lock throws the failure where errors are not ignored", async () => {
    const { factory, fail } = watched(memory());
    const cache = createCache({ location: "memory:", connectionFactory: factory });
    const lock = await cache.lock("job");
    fail(lost());
    await expect(lock?.release()).rejects.toThrow("lost");
    await expect(lock?.extend(5)).rejects.toThrow("lost");
  });

  it("iteration ends where it is, if errors are ignored", async () => {
    const { factory, fail } = watched(memory());
    const onError = vi.fn();
    const cache = createCache({ location: "memory:", connectionFactory: factory, ignoreErrors: true, onError });
    await cache.setMany(Array.from({ length: 10 }, (_, i) => [`key ${i}`, i] as const));
    const seen: string[] = [];
    for await (const key of cache.iterKeys("*", { scanCount: 4 })) {
      seen.push(key);
      if (seen.length === 4) fail(lost());
    }
    expect(seen).toHaveLength(4);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(ConnectionError), { method: "iterKeys", key: ":1:*" });
  });
});
