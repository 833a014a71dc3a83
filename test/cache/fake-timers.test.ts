import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { cachedHandler } from "../../src/fetch/index.js";
import { createCache, herd, nearCache, wrap } from "../../src/index.js";

/** Made by the class that fake timers replace. */
const before = new Date(5);

describe("with fake timers over memory:", () => {
  beforeEach(() => void vi.useFakeTimers({ now: new Date("2030-01-01") }));
  afterEach(() => void vi.useRealTimers());

  function testCache(options = {}) {
    const cache = createCache({ location: "memory:", ...options });
    onTestFinished(() => cache.close());
    return cache;
  }

  it("entries expire when the clock is moved, and not before", async () => {
    const cache = testCache();
    await cache.set("a", 1, { ttl: "1m" });
    vi.advanceTimersByTime(59_999);
    expect([await cache.get("a"), await cache.ttl("a")]).toEqual([1, 0.001]);
    vi.advanceTimersByTime(2);
    expect(await cache.get("a")).toBeUndefined();
  });

  it("a near cache forgets entries when the clock is moved", async () => {
    const cache = testCache({ client: herd({ grace: 0, beta: 0 }), nearCache: nearCache() });
    const load = vi.fn(async () => "value");
    for (let call = 0; call < 3; call++) await cache.getOrSet("a", load, { ttl: "1m" });
    expect(load).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(61_000);
    await cache.getOrSet("a", load, { ttl: "1m" });
    expect(load).toHaveBeenCalledTimes(2);
  });

  it("calls end without the clock being moved, those with tags, in namespaces and of many keys included", async () => {
    const cache = testCache();
    const keys = Array.from({ length: 1_100 }, (_, i) => `key-${i}`);
    await cache.setMany(new Map(keys.map((key) => [key, key])));
    expect((await cache.getMany(keys)).size).toBe(keys.length);
    const tenant = cache.namespace("tenant");
    await tenant.set("a", 1, { tags: ["red"] });
    expect(await tenant.get("a")).toBe(1);
    await cache.purgeTags(["red"]);
    expect(await tenant.getOrSet("a", () => 2)).toBe(2);
    expect(await cache.for({ memo: true }).get("key-1")).toBe("key-1");
  });

  it("dates that were made before have the keys of those that are made meanwhile", async () => {
    const load = vi.fn(async (from: Date) => from.getTime());
    const wrapped = wrap(testCache(), load, { key: "from" });
    expect([await wrapped(before), await wrapped(new Date(5))]).toEqual([5, 5]);
    expect(load).toHaveBeenCalledOnce();
  });

  it("responses are stored, and expire when the clock is moved", async () => {
    let made = 0;
    const handler = () => new Response(String(++made), { headers: { "cache-control": "max-age=60" } });
    const cached = cachedHandler(handler, { cache: testCache() });
    const ask = async () => (await cached(new Request("http://shop.example/"))).text();
    expect([await ask(), await ask()]).toEqual(["1", "1"]);
    vi.advanceTimersByTime(61_000);
    expect(await ask()).toBe("2");
  });
});
