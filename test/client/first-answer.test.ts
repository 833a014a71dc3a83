import { describe, expect, it } from "vitest";
import { createCache, defaultClient, herd, json } from "../../src/index.js";

describe.each([
  ["the default client", defaultClient()],
  ["herd()", herd()],
])("a value that can't be read again, under %s,", (_, client) => {
  const serializer = {
    ...json(),
    deserialize: () => {
      throw new Error("not readable");
    },
  };

  it("is answered as the loader returned it, by getOrSet and by getOrSetMany, to callers that share the load too", async () => {
    await using cache = createCache({ location: "memory:", client, serializer, logger: false });
    const value = { a: 1 };
    expect(await Promise.all([cache.getOrSet("k", () => value), cache.getOrSet("k", () => value)])).toEqual([
      value,
      value,
    ]);
    expect(await cache.getOrSetMany(["x", "y"], () => ({ x: value, y: value }))).toEqual(
      new Map([
        ["x", value],
        ["y", value],
      ]),
    );
  });

  it("leaves no lease behind", async () => {
    await using cache = createCache({ location: "memory:", client, serializer, logger: false });
    await cache.getOrSetMany(["x", "y"], () => ({ x: { a: 1 }, y: { a: 1 } }));
    for (const key of ["x", "y"]) expect(await cache.has(key)).toBe(true);
  });
});
