import { AsyncLocalStorage } from "node:async_hooks";
import { expect, it } from "vitest";
import { createCache, herd } from "../../src/index.js";
import { until } from "../support/wait.js";

it("a loader runs in its caller's context, and a refresh in the background in none", async () => {
  const requests = new AsyncLocalStorage<string>();
  await using cache = createCache({ location: "memory:", client: herd({ beta: 0 }) });
  const seen: (string | undefined)[] = [];
  const load = () => {
    seen.push(requests.getStore());
    return seen.length;
  };
  await requests.run("first", () => cache.getOrSet("a", load, { ttl: "1ms" }));
  await until(async () => (await cache.get("a")) === undefined, { what: "its expiry" });
  expect(await requests.run("second", () => cache.getOrSet("a", load, { ttl: "1h" }))).toBe(1);
  await until(() => seen.length === 2, { what: "the refresh" });
  expect(seen).toEqual(["first", undefined]);
});

it("a refresh of several entries in the background runs in no caller's context", async () => {
  const requests = new AsyncLocalStorage<string>();
  await using cache = createCache({ location: "memory:", client: herd({ beta: 0 }) });
  const seen: (string | undefined)[] = [];
  const load = (keys: readonly string[]) => {
    seen.push(requests.getStore());
    return new Map(keys.map((key) => [key, 1]));
  };
  await requests.run("first", () => cache.getOrSetMany(["a"], load, { ttl: "1ms" }));
  await until(async () => (await cache.get("a")) === undefined, { what: "its expiry" });
  await requests.run("second", () => cache.getOrSetMany(["a"], load, { ttl: "1h" }));
  await until(() => seen.length === 2, { what: "the refresh" });
  expect(seen).toEqual(["first", undefined]);
});
