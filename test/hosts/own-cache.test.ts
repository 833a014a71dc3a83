import { createCache } from "valkey-edge-cache";
import { describe, expect, inject, it } from "vitest";
import { ownCache } from "../../src/hosts/own-cache.js";

describe("the cache of an adapter", () => {
  it("is the one that was given, and stays open when the adapter ends", async () => {
    await using cache = createCache({ location: "memory:" });
    const own = ownCache("store", { cache });
    expect(own.cache).toBe(cache);
    await own.close();
    await expect(cache.set("a", 1)).resolves.toBe(true);
  });

  it("is made by the options of createCache where none was given, with the adapter's defaults, and ends with the adapter", async () => {
    const own = ownCache("store", { location: inject("valkeyUrl"), keyPrefix: "own" }, { keyPrefix: "not", ttl: 20 });
    await own.cache.set("a", 1);
    expect(await own.cache.ttl("a")).toBeGreaterThan(15);
    expect(String(own.cache.makeKey("a"))).toBe("own:1:a");
    await own.cache.clear();
    await own.close();
    await expect(own.cache.get("a")).rejects.toThrow("closed");
  });

  it("refuses what is no cache, options of a cache beside one, and options that createCache doesn't know", () => {
    const cache = createCache({ location: "memory:" });
    expect(() => ownCache("store", { cache: {} as typeof cache })).toThrow(
      'store: option "cache" is an object; give a cache that createCache() has made',
    );
    const both = { cache, keyPrefix: "a" };
    expect(() => ownCache("store", both)).toThrow(
      'store: option "keyPrefix" is given beside a cache, which has its own; give it to createCache(), or leave "cache" out',
    );
    const unknown = { location: "memory:", prefix: "a" };
    expect(() => ownCache("store", unknown)).toThrow('createCache: unknown option "prefix"');
  });
});
