import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { createApp } from "../../examples/hono-app/app.js";
import type { Callers } from "../../examples/hono-app/demo.js";
import { type Outage, StoreSwitch } from "../../examples/hono-app/store-switch.js";
import { type Cache, type ConnectionFactory, createCache, glide, herd, memory } from "../../src/index.js";
import { until } from "../support/wait.js";
import { fromOf } from "./cache-status.js";
import { allCities } from "./places.js";

const cities = allCities();
const QUESTION = "/cities/search?q=berlin&n=1";

type App = ReturnType<typeof createApp>;

const post = (app: App, path: string, headers: Record<string, string> = {}) =>
  app.request(path, { method: "POST", headers });

async function ask(app: App): Promise<{ status: number; from: string | null }> {
  const response = await app.request(QUESTION);
  return { status: response.status, from: fromOf(response.headers.get("cache-status")) };
}

describe.each([
  ["memory", () => ({ location: "memory:", factory: memory() })],
  ["Valkey", () => ({ location: inject("valkeyUrl"), factory: glide() })],
])("the buttons of the example's page, over %s", (_, store) => {
  let caches: readonly Cache[];
  let app: App;

  beforeEach(() => {
    const { location, factory } = store();
    const storeSwitch = new StoreSwitch();
    const connectionFactory: ConnectionFactory = storeSwitch.wrap(factory);
    const keyPrefix = `demo-${Math.random()}`;
    const options = { location, connectionFactory, keyPrefix, client: herd(), logger: false } as const;
    caches = Array.from({ length: 3 }, () => createCache(options));
    const [cache, ...fleet] = caches;
    if (!cache) throw new Error("no cache");
    app = createApp({
      cache,
      fleet,
      storeSwitch,
      cities,
      page: "",
      access: { isLocal: () => true },
      awaitBackground: true,
    });
  });

  afterEach(async () => {
    for (const cache of caches) await cache.close();
  });

  it("answer 500 callers of several instances by one load, and the same callers then by none", async () => {
    const near = vi.spyOn(cities, "near");
    const response = await post(app, "/demo/callers");
    const { ms, loadMs, again, ...counts } = (await response.json()) as Callers;
    expect(near).toHaveBeenCalledOnce();
    expect(counts).toEqual({
      callers: 500,
      instances: 3,
      loads: 1,
      loadedBy: expect.any(Number),
      waited: 499,
      waitingInstances: 2,
    });
    expect(loadMs).toBeGreaterThan(2_990);
    expect(ms).toBeGreaterThanOrEqual(loadMs);
    expect(again.loads).toBe(0);
    near.mockRestore();
  });

  it("ask another question each time", async () => {
    const [one, other] = await Promise.all([post(app, "/demo/callers"), post(app, "/demo/callers")]);
    for (const response of [one, other]) expect(((await response.json()) as Callers).loads).toBe(1);
  });

  it("purge what is stored: the next answer is a miss, and the one after it a hit", async () => {
    await ask(app);
    expect((await ask(app)).from).toBe("hit");
    const purged = await post(app, "/demo/purge");
    expect(await purged.json()).toEqual({ tags: ["cities"], ms: expect.any(Number) });
    expect((await ask(app)).from).toBe("miss");
    expect((await ask(app)).from).toBe("hit");
  });

  it("make the store fail: answers go on, the breaker opens, and closes when the store is back", async () => {
    await ask(app);
    expect((await ask(app)).from).toBe("hit");
    const report = async () => (await (await app.request("/demo/outage")).json()) as Outage;
    expect(await report()).toMatchObject({ isFailing: false, breaker: "closed" });
    expect(await (await post(app, "/demo/outage")).json()).toMatchObject({ isFailing: true, failed: 0, refused: 0 });
    const opened = await until(
      async () => {
        expect(await ask(app)).toEqual({ status: 200, from: "miss" });
        const outage = await report();
        return outage.breaker === "open" && outage.refused > 0 && outage;
      },
      { what: "the breaker to open" },
    );
    expect(opened).toMatchObject({ isFailing: true, openedAfterMs: expect.any(Number) });
    expect(await caches[0]?.health()).toMatchObject({ state: "open" });
    await until(
      async () => {
        const answer = await ask(app);
        expect(answer.status).toBe(200);
        return answer.from === "hit";
      },
      { what: "hits after the failure", timeoutMs: 10_000 },
    );
    expect(await report()).toMatchObject({ isFailing: false, breaker: "closed", closedAfterMs: expect.any(Number) });
  }, 20_000);
});

describe("who may use the buttons", () => {
  let cache: Cache;
  const app = (options: Partial<Parameters<typeof createApp>[0]>) => createApp({ cache, cities, page: "", ...options });
  const state = async (app: App, headers = {}) => (await app.request("/demo", { headers })).json();
  const PATHS = ["/demo/callers", "/demo/purge", "/demo/outage"];

  beforeEach(() => {
    cache = createCache({ location: "memory:", client: herd() });
  });
  afterEach(() => cache.close());

  it("is no client, where there is neither a token nor a way to see who is on this machine", async () => {
    const closed = app({});
    expect(await state(closed)).toEqual({ isPossible: false, isAllowed: false, needsToken: false, canFail: false });
    for (const path of PATHS) expect((await post(closed, path)).status).toBe(403);
  });

  it("is a client of this machine, and no other one", async () => {
    const open = app({ access: { isLocal: (c) => c.req.header("x-local") === "1" } });
    expect(await state(open, { "x-local": "1" })).toMatchObject({ isAllowed: true, needsToken: false });
    expect(await state(open)).toMatchObject({ isPossible: true, isAllowed: false });
    expect((await post(open, "/demo/purge", { "x-local": "1" })).status).toBe(200);
    for (const path of PATHS) expect((await post(open, path)).status).toBe(403);
  });

  it.each([
    ["as a bearer token", "Bearer secret"],
    ["as the password of any user", `Basic ${btoa("me:secret")}`],
  ])("is a client with the token, %s, and then no client of this machine without it", async (_, authorization) => {
    const guarded = app({ access: { token: "secret", isLocal: () => true } });
    expect(await state(guarded)).toMatchObject({ isPossible: true, isAllowed: false, needsToken: true });
    expect(await state(guarded, { authorization })).toMatchObject({ isAllowed: true });
    expect((await post(guarded, "/demo/purge", { authorization })).status).toBe(200);
    for (const path of PATHS) {
      expect((await post(guarded, path)).status).toBe(401);
      expect((await post(guarded, path, { authorization: "Bearer guess" })).status).toBe(401);
    }
  });

  it.each([
    [{ origin: "http://evil.example" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site", origin: "http://localhost" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "http://localhost" }, 200],
    [{ "sec-fetch-site": "same-origin", origin: "https://places.example" }, 200],
  ])("is no page of another origin: a POST with %j is a %i", async (headers, status) => {
    const open = app({ access: { isLocal: () => true } });
    expect((await post(open, "/demo/purge", headers)).status).toBe(status);
  });

  it("leaves the store alone where there is no switch before it", async () => {
    const response = await post(app({ access: { isLocal: () => true } }), "/demo/outage");
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: { message: "The store can't be made to fail on this host" } },
    ]);
  });

  it("is told to no cache: answers are not to be stored", async () => {
    const open = app({ access: { isLocal: () => true } });
    for (const response of [await open.request("/demo"), await post(open, "/demo/purge")]) {
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });
});
