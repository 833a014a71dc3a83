import { type Context, Hono } from "hono";
import type { Cache } from "valkey-edge-cache";
import { type ValkeyCacheEnv, valkeyCache } from "valkey-edge-cache/hono";
import type { Access } from "./access.ts";
import type { Cities } from "./cities/cities.ts";
import type { StoreSwitch } from "./store-switch.ts";

export interface DemoOptions {
  cache: Cache;
  cities: Cities;
  access: Access;
  /** More caches over the same store, as other instances of the service have them. @default none */
  fleet?: readonly Cache[] | undefined;
  /** Makes the store fail. @default the store can't be made to fail */
  storeSwitch?: StoreSwitch | undefined;
  /** The path of the inspector; absent where there is none. */
  inspector?: string | undefined;
}

const CALLERS = 500;
/** What the load of a demonstration takes longer than the search that it does: a slow database, and time to look at the inspector. */
const SLOW_MS = 3_000;
const OUTAGE_MS = 5_000;

/** What the three buttons of the page do. */
export function demo({ cache, cities, access, fleet = [], storeSwitch, inspector }: DemoOptions): Hono<ValkeyCacheEnv> {
  const app = new Hono<ValkeyCacheEnv>();

  app.use(notStored);
  app.get("/", async (c) => {
    const isAllowed = await access.allows(c);
    const { isPossible, needsToken } = access;
    return c.json({ isPossible, isAllowed, needsToken, canFail: storeSwitch !== undefined, inspector });
  });

  app.use(fromOwnPages, access.guard, valkeyCache(cache));

  app.post("/callers", async (c) => c.json(await callAtOnce([c.var.cache, ...fleet], cities)));

  app.post("/purge", async (c) => {
    const startedMs = performance.now();
    await c.var.cache.purgeTags(["cities"]);
    return c.json({ tags: ["cities"], ms: performance.now() - startedMs });
  });

  app.post("/outage", (c) => {
    storeSwitch?.failFor(OUTAGE_MS);
    return outage(c, storeSwitch);
  });
  app.get("/outage", (c) => outage(c, storeSwitch));

  return app;
}

function outage(c: Context, storeSwitch: StoreSwitch | undefined): Response {
  if (storeSwitch) return c.json(storeSwitch.outage());
  return c.json({ error: { message: "The store can't be made to fail on this host" } }, 404);
}

/** What came of many callers that asked one question at once. */
export interface Callers {
  readonly callers: number;
  /** Caches that the callers were spread over, which share nothing but the store. */
  readonly instances: number;
  /** How often the answer was computed, by which instance last, and how long that took. */
  readonly loads: number;
  readonly loadedBy: number;
  readonly loadMs: number;
  /** Callers that got what another one has computed. */
  readonly waited: number;
  /** Instances that waited for the lease of another one. */
  readonly waitingInstances: number;
  /** Until all had the answer. */
  readonly ms: number;
  /** The same callers, once more. */
  readonly again: { readonly loads: number; readonly ms: number };
}

/** Asks a question that no caller has asked before, by many callers in the same moment. */
async function callAtOnce(caches: readonly Cache[], cities: Cities): Promise<Callers> {
  const lat = Math.random() * 120 - 60;
  const lng = Math.random() * 360 - 180;
  const key = `demo:${lat},${lng}`;
  const loads: { by: number; ms: number }[] = [];
  let waits = 0;
  const load = async (by: number) => {
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    const places = cities.near(lat, lng, 10);
    loads.push({ by, ms: performance.now() - startedMs });
    return places;
  };
  const ask = (cache: Cache, by: number) =>
    cache.getOrSet(key, () => load(by), { ttl: "5m", tags: ["cities", "demo"] });
  const askAll = async (): Promise<number> => {
    const startedMs = performance.now();
    await Promise.all(
      caches.flatMap((cache, by) => Array.from({ length: shareOf(by, caches.length) }, () => ask(cache, by))),
    );
    return performance.now() - startedMs;
  };
  const stops = caches.map((cache) => cache.on("wait", (event) => void (event.key.endsWith(key) && waits++)));
  const ms = await askAll();
  for (const stop of stops) stop();
  const first = loads.splice(0);
  const againMs = await askAll();
  return {
    callers: CALLERS,
    instances: caches.length,
    loads: first.length,
    loadedBy: first.at(-1)?.by ?? 0,
    loadMs: first.at(-1)?.ms ?? 0,
    waited: CALLERS - first.length,
    waitingInstances: waits,
    ms,
    again: { loads: loads.length, ms: againMs },
  };
}

/** How many of the callers ask one of several instances. */
function shareOf(index: number, instances: number): number {
  return Math.floor(CALLERS / instances) + (index < CALLERS % instances ? 1 : 0);
}

/** Refuses what pages of other origins send. Programs that are no browsers send neither field. */
async function fromOwnPages(c: Context, next: () => Promise<void>): Promise<Response | undefined> {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  const isOwn = site === undefined ? (origin ?? originOf(c)) === originOf(c) : site === "same-origin";
  if (!isOwn) return c.json({ error: { message: "The request comes from a page of another origin" } }, 403);
  await next();
  return undefined;
}

function originOf(c: Context): string {
  return new URL(c.req.url).origin;
}

async function notStored(c: Context, next: () => Promise<void>): Promise<void> {
  await next();
  c.res.headers.set("Cache-Control", "no-store");
}
