import { describe, expect, it, vi } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import {
  type CacheOptions,
  ConfigurationError,
  createCache,
  type NearCacheOptions,
  nearCache,
} from "../../src/index.js";
import { nearCache as nearCacheOfWorkers } from "../../src/near/workerd.js";

/** Makes a cache without any I/O. */
function make(options: NearCacheOptions, more: Partial<CacheOptions> = {}) {
  return createCache({ location: "valkey://localhost:1", nearCache: nearCache(options), ...more } as CacheOptions);
}

describe("options of nearCache()", () => {
  it.each([
    ["maxSize", 0],
    ["maxSize", -1],
    ["maxSize", 1.5],
    ["maxSize", "32MB"],
    ["maxSize", null],
    ["maxEntries", 0],
    ["maxEntries", Number.NaN],
    ["ttl", 0],
    ["ttl", "soon"],
    ["ttl", -1],
    ["maxStaleness", 0],
    ["maxStaleness", null],
    ["maxStaleness", "2 weeks ago"],
    ["values", "frozen"],
    ["invalidation", "polling"],
    ["invalidation", null],
    ["maxsize", 1],
  ])("%s: %j is refused when it is called, by name", (name, value) => {
    for (const factory of [nearCache, nearCacheOfWorkers]) {
      const call = () => factory({ [name]: value } as NearCacheOptions);
      expect(call).toThrow(ConfigurationError);
      expect(call).toThrow(name);
    }
  });

  it.each([
    {},
    { maxSize: 1, maxEntries: 1, ttl: "1ms", maxStaleness: 0.1 },
    { maxEntries: null, ttl: null },
    { maxSize: undefined, invalidation: undefined, values: undefined },
  ] satisfies NearCacheOptions[])("may be %j", async (options) => {
    const cache = make(options);
    expect((await cache.health()).nearCache).toMatchObject({ listening: false, entries: 0, size: 0 });
    await cache.close();
  });

  it("must be an object", () => {
    expect(() => nearCache([] as never)).toThrow(ConfigurationError);
    expect(() => nearCache("2s" as never)).toThrow(ConfigurationError);
  });
});

describe("invalidation where nothing can listen", () => {
  const endpoint = { location: "https://localhost:1", connectionFactory: rest({ token: "t" }) };

  it.each(["tracking", "channel"] as const)("is an error when the cache is made, where it is %j", (invalidation) => {
    const call = () => make({ invalidation }, endpoint);
    expect(call).toThrow(ConfigurationError);
    expect(call).toThrow(/"invalidation".*leave it out, or give "ttl"/);
  });

  it('is "ttl" where it is left out, or asked for', async () => {
    for (const options of [{}, { invalidation: "ttl" }] as const) {
      const onError = vi.fn();
      const cache = make(options, { ...endpoint, onError });
      expect((await cache.health()).nearCache?.invalidation).toBe("ttl");
      expect(onError).not.toHaveBeenCalled();
      await cache.close();
    }
  });

  it("is the same in Workers, over any transport", async () => {
    const location = "valkey://localhost:1";
    const call = () => createCache({ location, nearCache: nearCacheOfWorkers({ invalidation: "tracking" }) });
    expect(call).toThrow(ConfigurationError);
    const cache = createCache({ location, nearCache: nearCacheOfWorkers() });
    expect((await cache.health()).nearCache?.invalidation).toBe("ttl");
    await cache.close();
  });

  it('is "ttl" in AWS Lambda by default, and what was asked for otherwise', async () => {
    vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "f");
    for (const [options, expected] of [
      [{}, "ttl"],
      [{ invalidation: "tracking" }, "tracking"],
    ] as const) {
      const cache = make(options);
      expect((await cache.health()).nearCache?.invalidation).toBe(expected);
      await cache.close();
    }
  });

  it("does not matter over memory:, which needs no near cache", async () => {
    const cache = make({ invalidation: "tracking" }, { location: "memory:" });
    expect((await cache.health()).nearCache).toBeUndefined();
    await cache.close();
  });
});
