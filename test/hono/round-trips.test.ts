import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };

let proxy: TcpProxy;
let cache: Cache;

beforeEach(async () => {
  proxy = await startProxy({ port: Number(new URL(inject("valkeyUrl")).port) });
  cache = createCache({
    location: proxy.url,
    keyPrefix: randomUUID(),
    commandTimeout: "300ms",
    connectTimeout: "300ms",
  });
});

afterEach(async () => {
  await cache.close();
  await proxy.close();
});

/** How often the client spoke to the server for one request. */
async function roundTrips(get: () => Promise<{ how: string }>): Promise<{ how: string; roundTrips: number }> {
  const before = proxy.roundTrips;
  const { how } = await get();
  return { how: how.replace(/;.*/, ""), roundTrips: proxy.roundTrips - before };
}

it("takes one round trip for a hit without Vary, with tags or without, and in a new process, too", async () => {
  const { app, get } = testApp(cache, { awaitBackground: true });
  app.get("/", (c) => c.text("full", 200, FRESH));
  app.get("/tagged", (c) => c.text("full", 200, { ...FRESH, "cache-tag": "a" }));
  for (const path of ["/", "/tagged"]) {
    await get(path);
    expect(await roundTrips(() => get(path))).toEqual({ how: "hit", roundTrips: 1 });
    const other = testApp(cache);
    expect(await roundTrips(() => other.get(path))).toEqual({ how: "hit", roundTrips: 1 });
  }
});

it("takes two round trips for a hit with Vary", async () => {
  const { app, get } = testApp(cache, { awaitBackground: true });
  app.get("/", (c) => c.text("full", 200, { ...FRESH, vary: "foo", "cache-tag": "a" }));
  await get("/");
  expect(await roundTrips(() => get("/"))).toEqual({ how: "hit", roundTrips: 2 });
});

it("reads once for all that come in one turn", async () => {
  const { app, get } = testApp(cache, { awaitBackground: true });
  app.get("/", (c) => c.text("full", 200, FRESH));
  await get("/");
  await get("/");
  const before = proxy.roundTrips;
  await Promise.all(Array.from({ length: 50 }, () => get("/")));
  expect(proxy.roundTrips - before).toBeLessThan(10);
});

it("adds one round trip to a miss before the handler runs", async () => {
  let atHandler = 0;
  const { app, get } = testApp(cache);
  await cache.get("connect");
  const before = proxy.roundTrips;
  app.get("/", (c) => {
    atHandler = proxy.roundTrips;
    return c.text("full", 200, FRESH);
  });
  await get("/");
  expect(atHandler - before).toBe(1);
});

it.each([
  ["is gone", () => proxy.close()],
  ["says nothing", async () => proxy.pause()],
])("sends every request to the handler while the store %s", async (_how, breakIt) => {
  const { app, get, errors } = testApp(cache);
  app.get("*", (c) => c.text("full", 200, FRESH));
  app.post("*", (c) => c.text("posted"));
  await get("/");
  await breakIt();
  const took = stopwatch();
  const all = await Promise.all([get("/"), get("/a"), get("/b", { method: "HEAD" }), get("/", { method: "POST" })]);
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(took()).toBeLessThan(2_500);
  expect(errors.length).toBeGreaterThan(0);
});

it("answers from a store that refuses writes, and lets the handler answer the rest", async () => {
  await using server = await startValkey();
  await using full = createCache({ location: server.url });
  const { app, get, errors } = testApp(full, { awaitBackground: true });
  app.get("*", (c) => c.text("full", 200, FRESH));
  await get("/");
  await full.connection.send([["CONFIG", "SET", "maxmemory", "1"]]);
  expect((await get("/")).how).toMatch(/^hit/);
  expect(await get("/other")).toMatchObject({ status: 200, how: "fwd=uri-miss" });
  const other = testApp(full);
  expect((await other.get("/")).how).toMatch(/^hit/);
  expect(errors).toEqual([]);
});

it("goes on without what can't be read, and clears it away", async () => {
  const { app, get, errors } = testApp(cache, { awaitBackground: true });
  app.get("/", (c) => c.text("full", 200, FRESH));
  await get("/");
  const [key = ""] = await cache.keys("http:*:{*");
  await cache.connection.send([["SET", String(cache.makeKey(key)), "rubbish"]]);
  expect(await get("/")).toMatchObject({ status: 200, body: "full" });
  expect(errors).toHaveLength(1);
  await until(async () => (await get("/")).how.startsWith("hit"), { what: "it to be stored again" });
});

it("makes nothing and sends nothing when it is made", () => {
  httpCache({ cache });
  expect(proxy.accepted).toBe(0);
});
