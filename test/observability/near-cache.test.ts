import { metrics } from "@opentelemetry/api";
import { Hono } from "hono";
import { expect, inject, it, onTestFinished } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import {
  type Cache,
  type CacheOptions,
  createCache,
  herd,
  type NearCacheOptions,
  nearCache,
  statistics,
} from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { command } from "../support/command.js";
import { until } from "../support/wait.js";
import { startSdk } from "./sdk.js";

const valkeyUrl = inject("valkeyUrl");
let prefixes = 0;

/** A cache whose near cache listens. The entries `a`, `b` and `c` were stored before, so that nothing tells of that. */
async function open(near: NearCacheOptions = {}, options: Partial<CacheOptions> = {}): Promise<Cache> {
  const keyPrefix = `near-numbers-${process.pid}-${prefixes++}`;
  const common = { location: valkeyUrl, keyPrefix, logger: false, ...options } as const;
  await using other = createCache(common);
  await other.setMany({ a: 1, b: 2, c: 3 });
  const cache = createCache({ ...common, nearCache: nearCache(near) });
  onTestFinished(() => cache.close());
  await until(
    async () => {
      await cache.get("nothing");
      return (await cache.health()).nearCache?.listening;
    },
    { what: "the near cache to listen" },
  );
  return cache;
}

/** Has entries changed by a client that knows nothing of this library. */
const deletedElsewhere = (cache: Cache, ...keys: string[]) =>
  command(Number(new URL(valkeyUrl).port), ["DEL", ...keys.map((key) => String(cache.makeKey(key)))]);

const held = (cache: Cache) => cache.health().then(({ nearCache: near }) => near?.entries);

it.each([
  ["the default client", undefined],
  ["herd()", herd()],
])("statistics say how many hits of %s the process answered", async (_name, client) => {
  const cache = await open({}, { client });
  await cache.getMany(["a", "b", "c"]);
  const stats = statistics(cache);
  await cache.get("a");
  await cache.getMany(["a", "b", "c", "d"]);
  await cache.getOrSet("b", () => 0);
  await cache.getOrSetMany(["b", "c"], () => new Map());
  await cache.has("a");
  const { total } = stats.snapshot();
  // `d` and `has` need the server.
  expect(total).toMatchObject({ hits: 8, misses: 1, nearHits: 7, roundTrips: 2 });
  stats.reset();
  expect(stats.snapshot().total.nearHits).toBe(0);
});

it("statistics count responses of the HTTP cache that the process answered", async () => {
  const cache = await open();
  const app = new Hono()
    .use(httpCache({ cache }))
    .get("/", (c) => c.text("page", 200, { "Cache-Control": "max-age=60" }));
  const get = async () => {
    const response = await app.request("/");
    await response.text();
    return response.headers.get("Cache-Status");
  };
  await get();
  const stats = statistics(cache);
  await until(
    async () => {
      await get();
      return stats.snapshot().total.nearHits > 0;
    },
    { what: "an answer of the process" },
  );
  expect(await get()).toMatch(/hit/);
});

it("values that go to make room, and values that others change, are events and counted", async () => {
  const cache = await open({ maxEntries: 2 });
  const stats = statistics(cache);
  const told: string[] = [];
  for (const name of ["evict", "invalidate"] as const)
    cache.on(name, ({ method, key, count }) => told.push(`${name} ${method} ${key} ${count}`));
  for (const key of ["a", "b", "c"]) await cache.get(key);
  expect(told).toEqual([`evict nearCache ${cache.makeKey("a")} 1`]);
  await deletedElsewhere(cache, "c");
  await until(async () => (await held(cache)) === 1, { what: "the entry to be dropped" });
  expect(told.slice(1)).toEqual([`invalidate nearCache ${cache.makeKey("c")} 1`]);
  expect(stats.snapshot().total).toMatchObject({ evictions: 1, invalidations: 1 });
});

it("metrics have the hits of the near cache, and what it holds", async () => {
  await using sdk = startSdk();
  onTestFinished(() => metrics.disable());
  const caches = [await open(), await open()];
  const ends = caches.map((cache) => instrument(cache, { spans: "none", name: "both" }));
  for (const cache of caches) {
    for (let i = 0; i < 3; i++) await cache.get("a");
  }
  const value = async (name: string) => (await sdk.metric(name))[0]?.value;
  const size = (await caches[0]?.health())?.nearCache?.size ?? 0;
  expect(await value("cache.near.hits")).toBe(4);
  expect(await value("cache.near.entries")).toBe(2);
  expect(await value("cache.near.size")).toBe(2 * size);
  ends[0]?.();
  expect(await value("cache.near.hits")).toBe(4);
  expect(await value("cache.near.entries")).toBe(1);
});

it("a cache without a near cache has no metrics of one", async () => {
  await using sdk = startSdk();
  await using cache = createCache({ location: "memory:" });
  const end = instrument(cache, { spans: "none" });
  await cache.get("a");
  expect(await sdk.metric("cache.near.entries")).toEqual([]);
  end();
});
