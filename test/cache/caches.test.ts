import { describe, expect, expectTypeOf, it, vi } from "vitest";
import {
  type Cache,
  type CacheOptions,
  ConfigurationError,
  ConnectionError,
  createCaches,
  memory,
} from "../../src/index.js";
import { watched } from "../support/watched.js";

const MEMORY = { location: "memory:" };

describe("caches by alias", () => {
  it("are each a cache of its own, the same at every use", async () => {
    const caches = createCaches({ default: MEMORY, sessions: MEMORY });
    await caches.default.set("a", 1);
    expect(await caches.default.get("a")).toBe(1);
    expect(await caches.sessions.get("a")).toBeUndefined();
    expect(caches.default).toBe(caches.default);
    expect(Object.keys(caches)).toEqual(expect.arrayContaining(["default", "sessions"]));
  });

  it("are typed by alias", () => {
    const caches = createCaches({ default: MEMORY, sessions: MEMORY });
    expectTypeOf(caches.default).toEqualTypeOf<Cache>();
    // @ts-expect-error there is no such alias
    expect(caches.other).toBeUndefined();
  });

  it("are made when first used, not before", () => {
    const { factory } = watched(memory());
    const connect = vi.spyOn(factory, "connect");
    const client = vi.fn();
    const caches = createCaches({ one: MEMORY, two: MEMORY }, { connectionFactory: factory });
    expect(connect).not.toHaveBeenCalled();
    expect(client).not.toHaveBeenCalled();
    caches.one.makeKey("a");
    caches.one.makeKey("b");
    expect(connect).toHaveBeenCalledTimes(1);
  });

  it("have the defaults for what they don't say themselves", async () => {
    const caches = createCaches(
      { one: MEMORY, two: { ...MEMORY, ttl: "1h", keyPrefix: "two", version: 0 } },
      { ttl: "1m", keyPrefix: "all", version: 3 },
    );
    expect(String(caches.one.makeKey("a"))).toBe("all:3:a");
    expect(String(caches.two.makeKey("a"))).toBe("two:0:a");
    await caches.one.set("a", 1);
    await caches.two.set("a", 1);
    expect(await caches.one.ttl("a")).toBeLessThanOrEqual(60);
    expect(await caches.two.ttl("a")).toBeGreaterThan(3_000);
  });

  it("take an option that is undefined for one that is not given", async () => {
    const own = { ...MEMORY, keyPrefix: undefined, ttl: undefined } as unknown as CacheOptions;
    const caches = createCaches({ one: own }, { keyPrefix: "all", ttl: null });
    expect(String(caches.one.makeKey("a"))).toBe("all:1:a");
    await caches.one.set("a", 1);
    expect(await caches.one.ttl("a")).toBeNull();
  });

  it("connect by the default factory, or by their own", async () => {
    const [all, own] = [watched(memory()), watched(memory())];
    const caches = createCaches(
      { one: MEMORY, two: { ...MEMORY, connectionFactory: own.factory } },
      { connectionFactory: all.factory },
    );
    await caches.one.get("a");
    await caches.two.get("a");
    await caches.two.get("a");
    expect(all.roundTrips).toHaveLength(1);
    expect(own.roundTrips).toHaveLength(2);
  });

  it("with a factory of their own leave the defaults' connection options alone", () => {
    const caches = createCaches(
      { one: { ...MEMORY, connectionFactory: memory() } },
      { commandTimeout: "5s", connectTimeout: "5s" },
    );
    expect(() => caches.one.makeKey("a")).not.toThrow();
  });

  it("share the location that is a default", async () => {
    const caches = createCaches({ one: { keyPrefix: "one" } as CacheOptions }, { location: "memory:shared-location" });
    await caches.one.set("a", 1);
    expect(await caches.one.get("a")).toBe(1);
  });

  it.each<[string, unknown, unknown, RegExp]>([
    ["no aliases", undefined, {}, /options by alias/],
    ["an alias without options", { one: null }, {}, /"one" must have an object of options/],
    [
      "an alias whose options are wrong",
      { one: MEMORY, two: { ...MEMORY, ttl: "5 parsecs" } },
      {},
      /^createCaches: cache "two": .*"ttl".*5 parsecs/,
    ],
    ["an alias without a location", { one: {} }, {}, /location/],
    ["unknown options", { one: { ...MEMORY, tll: 5 } }, {}, /unknown option "tll"/],
    ["aliases in an array", [MEMORY], {}, /options by alias/],
    ["defaults that are no options", { one: MEMORY }, 60, /defaults must be an object of options/],
    ["no defaults", { one: MEMORY }, null, /defaults must be an object of options/],
    ["wrong defaults", { one: MEMORY }, { ttl: "5 parsecs" }, /"ttl".*5 parsecs/],
    ["an alias that is a method", { close: MEMORY }, {}, /can't be called "close"/],
  ])("are refused at once with %s", (_, options, defaults, message) => {
    const make = () => createCaches(options as Record<string, CacheOptions>, defaults as Partial<CacheOptions>);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it("are closed together, those that were used", async () => {
    const { factory } = watched(memory());
    const connect = vi.spyOn(factory, "connect");
    const caches = createCaches({ one: MEMORY, two: MEMORY, three: MEMORY }, { connectionFactory: factory });
    await caches.one.get("a");
    await caches.two.get("a");
    await caches.close();
    await caches.close();
    await expect(caches.one.get("a")).rejects.toThrow(ConnectionError);
    await expect(caches.two.get("a")).rejects.toThrow(/closed/);
    expect(connect).toHaveBeenCalledTimes(2);
  });

  it("are closed at the end of their block", async () => {
    let one: Cache;
    {
      await using caches = createCaches({ one: MEMORY });
      one = caches.one;
      await one.set("a", 1);
    }
    await expect(one.get("a")).rejects.toThrow(ConnectionError);
  });
});

describe("locations in memory", () => {
  it("are a store for each cache without a name, and one for all with the same name", async () => {
    const caches = createCaches({
      one: MEMORY,
      two: MEMORY,
      three: { location: "memory:name-of-this-test" },
      four: { location: "memory:name-of-this-test" },
      five: { location: "memory:another-name" },
    });
    await caches.one.set("a", 1);
    await caches.three.set("a", 3);
    expect(await caches.two.has("a")).toBe(false);
    expect(await caches.four.get("a")).toBe(3);
    expect(await caches.five.has("a")).toBe(false);
  });
});
