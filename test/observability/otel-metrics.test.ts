import { isDeepStrictEqual } from "node:util";
import { context, metrics, trace } from "@opentelemetry/api";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { createCache, herd } from "../../src/index.js";
import { instrument } from "../../src/otel/index.js";
import { INSTRUMENTS } from "../../src/otel/instruments.js";
import { SAMPLE } from "../../src/otel/metrics.js";
import { deferred } from "../support/deferred.js";
import { type Sdk, startSdk } from "./sdk.js";

const valkeyUrl = inject("valkeyUrl");
let prefixes = 0;
const newPrefix = () => `otel-metrics-${process.pid}-${prefixes++}`;

describe("metrics", () => {
  let sdk: Sdk;
  const ends: (() => unknown)[] = [];

  beforeEach(() => {
    sdk = startSdk();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await sdk[Symbol.asyncDispose]();
  });

  function newCache(options: Parameters<typeof instrument>[1] = {}, location = valkeyUrl) {
    const cache = createCache({ location, keyPrefix: newPrefix(), client: herd(), logger: false });
    const end = instrument(cache, { spans: "none", ...options });
    ends.push(() => cache.close(), end);
    return { cache, end };
  }

  const total = async (name: string, attributes: object) =>
    (await sdk.metric(name)).find((series) => isDeepStrictEqual(series.attributes, attributes))?.value;

  it("count lookups by method and result, calls, changes and the size of values", async () => {
    const { cache } = newCache();
    await cache.set("a", "one");
    await cache.get("a");
    await cache.get("b");
    await cache.getMany(["a", "b", "c"]);
    await cache.delete("a");

    const lookups = (method: string, result: string) =>
      total("cache.lookups", { "cache.method": method, "cache.result": result });
    expect([await lookups("get", "hit"), await lookups("get", "miss"), await lookups("get", "stale")]).toEqual([
      1, 1, 0,
    ]);
    expect([await lookups("getMany", "hit"), await lookups("getMany", "miss")]).toEqual([1, 2]);
    expect(await total("cache.calls", { "cache.method": "get" })).toBe(2);
    expect(await total("cache.call.duration", { "cache.method": "get" })).toBe(2);
    expect(await total("cache.changes", { "cache.method": "set", "cache.change": "set" })).toBe(1);
    expect(await total("cache.changes", { "cache.method": "delete", "cache.change": "delete" })).toBe(1);
    // "one" as JSON.
    const size = (method: string, direction: string) =>
      total("cache.value.size", { "cache.method": method, "cache.value.direction": direction });
    expect([await size("set", "write"), await size("get", "read"), await size("get", "write")]).toEqual([
      5,
      5,
      undefined,
    ]);
    expect(await sdk.metric("cache.lookups")).not.toContainEqual(
      expect.objectContaining({ attributes: expect.objectContaining({ "cache.method": "set" }) }),
    );
  });

  it("have the duration of loads, their results, and the time that hits have saved", async () => {
    const { cache } = newCache();
    const slow = () => new Promise((resolve) => setTimeout(resolve, 25, "value"));
    await cache.getOrSet("a", slow, { ttl: 60 });
    await cache.getOrSet("a", slow);
    await expect(cache.getOrSet("b", () => Promise.reject(new Error("no")))).rejects.toThrow("no");

    const loads = await sdk.metric("cache.load.duration");
    expect(loads).toContainEqual({
      attributes: { "cache.method": "getOrSet", "cache.load.result": "ok", "cache.load.background": false },
      value: 1,
      sum: expect.closeTo(0.03, 1),
    });
    const failed = { "cache.method": "getOrSet", "cache.load.result": "error", "cache.load.background": false };
    expect(await total("cache.load.duration", failed)).toBe(1);
    expect(await total("cache.load.saved", { "cache.method": "getOrSet" })).toBeGreaterThan(0.02);
    expect(await total("cache.claims", { "cache.method": "getOrSet", "cache.claim.result": "won" })).toBe(2);
    expect(await total("cache.errors", { "cache.method": "getOrSet", "error.type": "loader" })).toBe(1);
    expect(await total("cache.calls", { "cache.method": "getOrSet", "error.type": "Error" })).toBe(1);
  });

  it("have waits for another process's load, and claims that were lost", async () => {
    const { cache } = newCache();
    const other = createCache({ location: valkeyUrl, keyPrefix: newPrefix(), client: herd() });
    ends.push(() => other.close());
    const loading = deferred();
    const began = deferred();
    const key = cache.makeKey("shared");
    const load = other.getOrSet(key, async () => {
      began.resolve();
      await loading.promise;
      return "theirs";
    });
    await began.promise;
    const waiting = cache.getOrSet("shared", () => "ours");
    cache.on("claim", () => loading.resolve());
    await expect(waiting).resolves.toBe("theirs");
    await load;
    expect(await total("cache.wait.duration", { "cache.method": "getOrSet", "cache.wait.result": "answered" })).toBe(1);
    expect(await total("cache.claims", { "cache.method": "getOrSet", "cache.claim.result": "lost" })).toBe(1);
  });

  it("have round trips by command as the conventions for databases name them", async () => {
    const { cache } = newCache();
    const { hostname, port } = new URL(valkeyUrl);
    await cache.get("a");
    await cache.connection.send([
      ["GET", "x"],
      ["GET", "y"],
    ]);
    const server = { "db.system.name": "redis", "server.address": hostname, "server.port": Number(port) };
    const durations = (await sdk.metric("db.client.operation.duration")).map(({ attributes, value }) => [
      attributes,
      value,
    ]);
    expect(durations).toContainEqual([{ ...server, "db.operation.name": "GET" }, 1]);
    expect(durations).toContainEqual([{ ...server, "db.operation.name": "PIPELINE GET" }, 1]);
    expect(await total("cache.round_trips", {})).toBe(2);
  });

  it("have connections, the breaker, and errors by their kind when the server is gone", async () => {
    const cache = createCache({
      location: "valkey://127.0.0.1:1",
      keyPrefix: newPrefix(),
      logger: false,
      connectTimeout: "1s",
    });
    ends.push(() => cache.close(), instrument(cache, { spans: "none" }));
    expect(await total("cache.breaker.open", {})).toBe(0);
    for (let i = 0; i < 10; i++) await cache.get("a").catch(() => {});
    expect(await total("cache.breaker.open", {})).toBe(1);
    expect(await total("cache.connections", { "cache.connection.state": "failed" })).toBeGreaterThan(0);
    expect(await total("cache.errors", { "cache.method": "get", "error.type": "connection" })).toBe(10);
  });

  it("of requests to the HTTP cache are by outcome and class of the status", async () => {
    const { cache } = newCache();
    const app = new Hono()
      .use(httpCache({ cache }))
      .get("/page", (c) => c.text("page", 200, { "Cache-Control": "max-age=60" }));
    await (await app.request("/page")).text();
    await (await app.request("/page")).text();
    await (await app.request("/none")).text();
    const of = (outcome: string, status: string) =>
      total("cache.http.request.duration", { "cache.http.outcome": outcome, "cache.http.status_class": status });
    expect([await of("hit", "2xx"), await of("uri-miss", "2xx"), await of("uri-miss", "4xx")]).toEqual([1, 1, 1]);
  });

  it("add up over caches of one name, and cache.name is the key prefix by default", async () => {
    const one = newCache({ name: "both" });
    const two = newCache({ name: "both" });
    const third = newCache();
    await Promise.all([one.cache.get("a"), two.cache.get("a"), two.cache.get("b"), third.cache.get("a")]);
    const exported = JSON.parse(await sdk.exported())[1] as {
      descriptor: { name: string };
      dataPoints: { value: number; attributes: object }[];
    }[];
    const calls = exported.find(({ descriptor }) => descriptor.name === "cache.calls")?.dataPoints;
    expect(calls).toContainEqual(
      expect.objectContaining({ value: 3, attributes: { "cache.name": "both", "cache.method": "get" } }),
    );
    expect(calls).toContainEqual(
      expect.objectContaining({
        value: 1,
        attributes: { "cache.name": third.cache.events.source.cache, "cache.method": "get" },
      }),
    );
    one.end();
    await two.cache.get("c");
    expect(await total("cache.calls", { "cache.method": "get" })).toBe(4);
  });

  it("count every call, and histograms have all durations up to the size of a sample", async () => {
    const { cache } = newCache({ name: "sampled" }, "memory:");
    const { cache: exact } = newCache({ name: "all", durations: "all" }, "memory:");
    const calls = SAMPLE + 200;
    for (let i = 0; i < SAMPLE; i++) await cache.get("a");
    const timed = async () => (await sdk.metric("cache.call.duration")).map(({ value }) => value);
    expect(await timed()).toEqual([SAMPLE]);
    for (let i = 0; i < calls; i++) await Promise.all([cache.get("a"), exact.get("a")]);
    expect((await timed()).sort()).toEqual([calls, 2 * SAMPLE].sort());
    expect((await sdk.metric("cache.calls")).map(({ value }) => value).sort()).toEqual([calls, SAMPLE + calls].sort());
  });

  it("count every round trip, and time all of them while there are few", async () => {
    const { cache } = newCache({}, "memory:");
    const timed = async () => (await sdk.metric("db.client.operation.duration"))[0]?.value ?? 0;
    const get = async (times: number) => {
      for (let i = 0; i < times; i++) await cache.get("a");
    };
    await get(SAMPLE);
    expect(await timed()).toBe(SAMPLE);
    await get(2 * SAMPLE);
    const before = await timed();
    // Of many a part: after the first ones of this collection, and from the start in the next one.
    expect(before).toBeLessThanOrEqual(2 * SAMPLE);
    await get(SAMPLE);
    const few = (await timed()) - before;
    expect(few).toBeGreaterThan(0);
    expect(few).toBeLessThan(SAMPLE / 2);
    await get(10);
    expect((await timed()) - before - few).toBe(10);
    expect(await total("cache.round_trips", {})).toBe(4 * SAMPLE + 10);
  });

  it("have only the names and attributes that are documented", async () => {
    const { cache } = newCache();
    await cache.getOrSet("a", () => 1);
    await cache.getOrSet("b", () => Promise.reject(new Error("no"))).catch(() => {});
    for (const name of await sdk.names()) {
      const { attributes } = INSTRUMENTS[name as keyof typeof INSTRUMENTS];
      for (const series of await sdk.metric(name))
        expect(attributes).toEqual(expect.arrayContaining(Object.keys(series.attributes)));
    }
    expect(await sdk.names()).toContain("cache.load.duration");
  });

  it("end with what instrument returned, and can begin again", async () => {
    const { cache, end } = newCache();
    await cache.get("a");
    end();
    await cache.get("a");
    expect(await total("cache.call.duration", { "cache.method": "get" })).toBe(1);
    ends.push(instrument(cache, { spans: "none" }));
    await cache.get("a");
    expect(await total("cache.calls", { "cache.method": "get" })).toBe(1);
  });
});

it("metrics lose nothing of what happens before the SDK starts", async () => {
  await using cache = createCache({ location: "memory:" });
  const end = instrument(cache, { spans: "none" });
  await cache.get("a");
  await using sdk = startSdk();
  await cache.get("a");
  const get = { "cache.method": "get" };
  expect(await sdk.metric("cache.calls")).toEqual([{ attributes: get, value: 2 }]);
  expect(await sdk.metric("cache.call.duration")).toEqual([{ attributes: get, value: 2, sum: expect.any(Number) }]);
  end();
});

it("a cache works, and its metrics and spans go nowhere, without an SDK", async () => {
  trace.disable();
  metrics.disable();
  context.disable();
  await using cache = createCache({ location: "memory:", client: herd() });
  const end = instrument(cache);
  await expect(cache.getOrSet("a", () => 1)).resolves.toBe(1);
  await expect(cache.get("a")).resolves.toBe(1);
  end();
});
