import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { systemClock } from "../../src/core/time.js";
import type { Answer } from "../../src/http/answer.js";
import { HttpCache } from "../../src/http/http-cache.js";
import { ClientRequest } from "../../src/http/plain-request.js";
import { type Cache, createCache, type NearCacheOptions, nearCache } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { type TestApp, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
const FOO = { headers: { foo: "bar" } };
const PATHS = ["/plain", "/tagged", "/vary", "/stale"];

let keyPrefix: string;
let caches: Cache[];

beforeEach(() => {
  keyPrefix = randomUUID();
  caches = [];
});

afterEach(async () => {
  await Promise.all(caches.map((cache) => cache.close()));
});

async function nearby(options: NearCacheOptions = {}): Promise<Cache> {
  const cache = createCache({ location: inject("valkeyUrl"), keyPrefix, nearCache: nearCache(options) });
  caches.push(cache);
  await cache.get("connect");
  const isListening = async () => options.invalidation === "ttl" || (await cache.health()).nearCache?.listening;
  await until(isListening, { what: "the near cache to listen" });
  return cache;
}

/** A site whose pages say how often they were made. */
function site(cache: Cache): TestApp {
  const tested = testApp(cache, { awaitBackground: true });
  let made = 0;
  tested.app.get("/:kind", (c) => {
    const kind = c.req.param("kind");
    made++;
    return c.text(`page ${made}`, 200, {
      "cache-control": kind === "stale" ? "max-age=0, stale-while-revalidate=60" : "max-age=60",
      ...(kind === "plain" ? {} : { "cache-tag": "a" }),
      ...(kind === "vary" ? { vary: "foo" } : {}),
    });
  });
  return tested;
}

/** The same site in another process, whose writes are heard of through the server alone. */
function elsewhere(): TestApp {
  const cache = createCache({ location: inject("valkeyUrl"), keyPrefix });
  caches.push(cache);
  return site(cache);
}

/** How many commands a request takes. */
async function commands(cache: Cache, ask: () => Promise<unknown>): Promise<number> {
  const before = cache.events.sent.commands;
  await ask();
  return cache.events.sent.commands - before;
}

/** Asks until the process answers by itself. @returns the answer */
async function known(cache: Cache, { get }: TestApp, path: string): Promise<string> {
  let body = "";
  const isKnown = async () => (await commands(cache, async () => ({ body } = await get(path, FOO)))) === 0;
  await until(isKnown, { what: `${path} to be known` });
  return body;
}

/** Asks the engine itself, in front of an origin that answers always the same. */
async function ask(http: HttpCache, cache: Cache, headers: Record<string, string> = {}): Promise<Answer> {
  const request = new ClientRequest(new Request("http://localhost/", { headers }));
  const host = {
    forward: async () => ({ response: new Response("the whole body", { headers: FRESH }), failed: false }),
    refetch: undefined,
    preset: () => [],
    waitUntil: () => {},
    signal: () => undefined,
  };
  const outcome = await http.handle({ request, hasBody: false, host }, cache);
  if (!("answer" in outcome)) throw new Error("it was passed on");
  return outcome.answer;
}

function textOf(body: Answer["body"]): string {
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
}

it.each(["/plain", "/tagged", "/vary"])("answers hits of %s without a command", async (path) => {
  const cache = await nearby();
  const here = site(cache);
  await known(cache, here, path);
  const asked = async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => here.get(path, FOO)));
    expect(all.every(({ how }) => how.startsWith("hit"))).toBe(true);
    const partial = await here.get(path, { headers: { ...FOO.headers, range: "bytes=0-3" } });
    expect(partial).toMatchObject({ status: 206, body: "page" });
    expect(await here.get(path, { method: "HEAD", ...FOO })).toMatchObject({ status: 200, body: "" });
  };
  expect(await commands(cache, asked)).toBe(0);
});

describe.each(["tracking", "channel", "ttl"] as const)("under %s", (invalidation) => {
  it("has own purges count at once, by URL and by tag, for variants, too", async () => {
    const cache = await nearby({ invalidation, maxStaleness: "1m" });
    const here = site(cache);
    const { get, http } = here;
    for (const path of PATHS.filter((one) => one !== "/stale")) {
      for (const soft of [false, true]) {
        const before = await known(cache, here, path);
        await http.purge(`http://localhost${path}`, { soft });
        expect((await get(path, FOO)).body, `${path} by URL, soft: ${soft}`).not.toBe(before);
        if (path === "/plain") continue;
        const again = await known(cache, here, path);
        await http.purgeTags(["a"], { soft });
        expect((await get(path, FOO)).body, `${path} by tag, soft: ${soft}`).not.toBe(again);
      }
    }
  });
});

it.each(["/plain", "/tagged", "/vary"])("hears of another process's purges of %s", async (path) => {
  const cache = await nearby({ maxStaleness: "1m" });
  const here = site(cache);
  const there = elsewhere();
  const purges = [
    () => there.http.purge(`http://localhost${path}`),
    () => there.http.purge(`http://localhost${path}`, { soft: true }),
    ...(path === "/plain"
      ? []
      : [() => there.http.purgeTags(["a"]), () => there.http.purgeTags(["a"], { soft: true })]),
  ];
  for (const purge of purges) {
    const before = await known(cache, here, path);
    await purge();
    await until(async () => (await here.get(path, FOO)).body !== before, { what: "the purge to be seen", everyMs: 1 });
  }
});

it("sees another process's purge by tag after maxStaleness where the purge is not reported", async () => {
  const cache = await nearby({ invalidation: "ttl", maxStaleness: "200ms" });
  const here = site(cache);
  const before = await known(cache, here, "/tagged");
  const took = stopwatch();
  await elsewhere().http.purgeTags(["a"]);
  await until(async () => (await here.get("/tagged", FOO)).body !== before, { what: "the purge to be seen" });
  expect(took()).toBeLessThan(1_500);
});

it("refreshes a stale response once, and answers the refreshed one", async () => {
  const cache = await nearby();
  const { app, get } = testApp(cache);
  let made = 0;
  app.get("/", (c) => c.text(`page ${++made}`, 200, { "cache-control": "max-age=0, stale-while-revalidate=60" }));
  await get("/");
  const bodies = new Set<string>();
  await until(async () => bodies.add((await get("/")).body).size > 5, { what: "it to be refreshed again and again" });
  expect(made).toBeLessThanOrEqual(bodies.size + 2);
});

it("gives each caller of the engine bytes of its own, and fields that can't be changed", async () => {
  const cache = await nearby({ invalidation: "ttl", maxStaleness: "1m" });
  const http = new HttpCache();
  const isKnown = async () => (await commands(cache, () => ask(http, cache))) === 0;
  await until(isKnown, { what: "the response to be known" });
  for (const headers of [{}, { range: "bytes=0-13" }, { "cache-control": "max-age=50" }]) {
    const { body, fields } = await ask(http, cache, headers);
    expect(textOf(body)).toBe("the whole body");
    if (body instanceof Uint8Array) new Uint8Array(body.buffer).fill(0);
    const stored = fields.filter(([name]) => name === "cache-control");
    expect(stored.map(Object.isFrozen)).toEqual([true]);
  }
});

it("gives each client a body of its own", async () => {
  const cache = await nearby({ invalidation: "ttl", maxStaleness: "1m" });
  const { app, get } = testApp(cache);
  const bytes = new Uint8Array(1_000).fill(200);
  app.get("/", (c) => c.body(bytes, 200, { ...FRESH, "content-type": "image/png" }));
  await until(async () => (await commands(cache, () => get("/"))) === 0, { what: "the response to be known" });
  for (const headers of [{}, { range: "bytes=0-998" }]) {
    for (let reads = 0; reads < 2; reads++) {
      const body = new Uint8Array(await (await app.request("/", { headers })).arrayBuffer());
      expect(new Set(body)).toEqual(new Set([200]));
      body.fill(0);
      const chunk = await (await app.request("/", { headers })).body?.getReader().read();
      expect(new Set(chunk?.value)).toEqual(new Set([200]));
      chunk?.value?.fill(0);
    }
  }
});

describe("requests that wait for another process's response", () => {
  /** Another process that makes a response, once it is let go on. */
  async function holder(path: string, headers: Record<string, string>) {
    const cache = createCache({ location: inject("valkeyUrl"), keyPrefix });
    caches.push(cache);
    const { app, get } = testApp(cache, { awaitBackground: true });
    const gate = deferred<void>();
    let isRunning = false;
    app.get(path, async (c) => {
      isRunning = true;
      await gate.promise;
      return c.text("made there", 200, headers);
    });
    const made = get(path, FOO);
    await until(() => isRunning, { what: "the other process to have the lease" });
    return async () => {
      gate.resolve();
      await made;
    };
  }

  it.each([
    ["without Vary", FRESH],
    ["with Vary", { ...FRESH, vary: "foo" }],
  ])("are woken by it, without a poll, %s", async (_name, headers) => {
    const cache = await nearby();
    let sleepers = 0;
    // It sleeps until it is woken.
    const sleep = (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleepers++;
        signal?.addEventListener("abort", () => resolve(), { once: true });
      });
    const http = new HttpCache({}, { ...systemClock, sleep });
    const end = await holder("/", headers);
    const waiting = Array.from({ length: 10 }, () => ask(http, cache, FOO.headers));
    await until(() => sleepers >= 10, { what: "all to wait" });
    await end();
    const bodies = (await Promise.all(waiting)).map(({ body }) => textOf(body));
    expect(new Set(bodies)).toEqual(new Set(["made there"]));
  });

  it("poll what the process knows, not the server", async () => {
    const cache = await nearby();
    const { app, get } = testApp(cache);
    app.get("/", (c) => c.text("made here", 200, FRESH));
    const end = await holder("/", FRESH);
    const { sent } = cache.events;
    const waiting = [get("/")];
    await until(() => sent.nearHits > 0, { what: "a poll that the process answers" });
    const before = sent.commands;
    for (let i = 0; i < 50; i++) waiting.push(get("/"));
    // Each of them looks, and polls several times.
    await until(() => sent.nearHits > 3 * 50, { what: "several polls" });
    expect(sent.commands - before).toBeLessThan(15);
    await end();
    expect(new Set((await Promise.all(waiting)).map(({ body }) => body))).toEqual(new Set(["made there"]));
  });
});
