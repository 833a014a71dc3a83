import { describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";

/** Over one connection to one server; a cluster's nodes don't wait for each other. */
describe.each([
  ["memory", () => "memory:order"],
  ["GLIDE", () => inject("valkeyUrl")],
])("methods that are called one after another, without waiting, over %s", (_, location) => {
  async function open(): Promise<Cache> {
    const cache = createCache({ location: location(), keyPrefix: ownPrefix() });
    await cache.has("anything");
    return cache;
  }

  it.each([1, 3, 40, 300])("are carried out in that order: %i writes, then another method", async (count) => {
    await using cache = await open();
    const write = () => Promise.all(Array.from({ length: count }, (_, i) => cache.set("a", i)));
    const [, read] = await Promise.all([write(), cache.get("a")]);
    expect(read).toBe(count - 1);
    const [, many] = await Promise.all([write(), cache.getMany(["a"])]);
    expect(many.get("a")).toBe(count - 1);
    const [, counted] = await Promise.all([write(), cache.incr("a")]);
    expect(counted).toBe(count);
    await Promise.all([write(), cache.delete("a")]);
    expect(await cache.has("a")).toBe(false);
  });

  it.each([1, 3, 40, 300])("are carried out in that order: %i reads, then a write", async (count) => {
    await using cache = await open();
    const reads = Array.from({ length: count }, () => cache.get("a"));
    await cache.set("a", 1);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([undefined]));
  });
});
