import { type Context, Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { type Cache, statistics } from "valkey-edge-cache";
import { httpCache, type ValkeyCacheEnv, valkeyCache } from "valkey-edge-cache/hono";
import { inspector } from "valkey-edge-cache/inspector";
import { Access, type AccessOptions } from "./access.ts";
import { defineAnswers, tagsOf } from "./answers.ts";
import type { Cities } from "./cities/cities.ts";
import { demo } from "./demo.ts";
import { ParameterError, type Query, readCount, readDegrees, readText } from "./parameters.ts";
import type { StoreSwitch } from "./store-switch.ts";

export interface AppOptions {
  cache: Cache;
  cities: Cities;
  /** The HTML of `GET /`. */
  page: string;
  /** Clients with this token may purge; without a token no client may. */
  purgeToken?: string | undefined;
  /** Which clients may use the inspector and the buttons of the page. @default no client */
  access?: AccessOptions | undefined;
  /** More caches over the same store, over which the buttons spread their callers. @default none */
  fleet?: readonly Cache[] | undefined;
  /** Makes the store fail. @default the store can't be made to fail */
  storeSwitch?: StoreSwitch | undefined;
  /** Respond only when the response is stored, for a host that stops once it has responded. @default false */
  awaitBackground?: boolean;
  /** Called with work that goes on after the response, for hosts without `waitUntil`. */
  waitUntil?: (work: Promise<void>) => void;
}

interface AppEnv {
  Variables: ValkeyCacheEnv["Variables"] & {
    /** How long the handler took; absent when the response came from the cache. */
    loadMs?: number;
  };
}

/** Fresh for ten minutes; for a day after that, whoever asks gets the old answer at once, and a new one is made meanwhile. */
const CACHE_CONTROL = "public, max-age=600, stale-while-revalidate=86400";

export const INSPECTOR_PATH = "/inspector";

/** The routes, the same on every host. */
export function createApp({
  cache,
  cities,
  page,
  purgeToken,
  access: accessOptions = {},
  fleet,
  storeSwitch,
  awaitBackground = false,
  waitUntil,
}: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const answers = defineAnswers(cache, cities);
  const http = httpCache({
    app,
    keyGenerator: keyOf,
    // Places don't move, so a reload, for which browsers send no-cache, need not compute them again.
    requestDirectives: false,
    // The page explains Cache-Status, the key included: clients may know it, as it is their own question.
    debug: true,
    awaitBackground,
    ...(waitUntil && { waitUntil: (_c: Context, work: Promise<void>) => waitUntil(work) }),
  });

  app.get("/", (c) => c.html(page));

  app.use("/cities/*", timed, valkeyCache(cache), counted, http, etag());

  // `c.var.cache` is the request's own view of the cache, which Workers need.
  app.get("/cities/near", (c) => {
    const { lat, lng, n } = nearOf(c);
    return answer(c, async () => {
      const results = (await answers.near.with(c.var.cache).get({ lat, lng })).slice(0, n);
      return { tags: tagsOf("near", results), body: { lat, lng, results } };
    });
  });

  app.get("/cities/search", (c) => {
    const { q, n } = searchOf(c);
    return answer(c, async () => {
      const results = (await answers.search.with(c.var.cache).get(q)).slice(0, n);
      return { tags: tagsOf("search", results), body: { q, results } };
    });
  });

  app.get("/cities/density", (c) => answer(c, () => ({ tags: tagsOf("density"), body: cities.density() })));

  app.get("/statistics", valkeyCache(cache), (c) => {
    return c.json(statistics(c.var.cache).snapshot(), 200, { "Cache-Control": "no-store" });
  });

  // One purge ends what is computed, and the responses that were made of it.
  app.post("/purge", authorized(purgeToken), valkeyCache(cache), async (c) => {
    await c.var.cache.purgeTags(c.req.queries("tag") ?? ["cities"]);
    return c.body(null, 204);
  });

  const access = new Access(accessOptions);
  const inspectorPath = access.isPossible ? INSPECTOR_PATH : undefined;
  if (inspectorPath) {
    app.route(inspectorPath, inspector({ cache, authorize: (c) => access.authorize(c), allowChanges: true }));
  }
  app.route("/demo", demo({ cache, cities, access, fleet, storeSwitch, inspector: inspectorPath }));

  app.onError((error, c) => {
    if (error instanceof ParameterError) {
      return c.json({ error: { parameter: error.parameter, message: error.message } }, 400);
    }
    if (error instanceof HTTPException) return error.getResponse();
    console.error(error);
    return c.json({ error: { message: "The server failed; its log says why" } }, 500);
  });

  return app;
}

interface Answer {
  tags: readonly string[];
  body: object;
}

/** A response that is kept until it is old, or purged by one of its tags. */
async function answer(c: Context<AppEnv>, compute: () => Answer | Promise<Answer>): Promise<Response> {
  const started = performance.now();
  const { tags, body } = await compute();
  c.set("loadMs", performance.now() - started);
  return c.json(body, 200, { "Cache-Control": CACHE_CONTROL, "Cache-Tag": tags.join(", ") });
}

/** Has the cache counted from the first question on; its views count with it. */
async function counted(c: Context<AppEnv>, next: () => Promise<void>): Promise<void> {
  statistics(c.var.cache);
  await next();
}

/** Says how long the answer took: what computes it, and all the rest. */
async function timed(c: Context<AppEnv>, next: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await next();
  if (!c.res.ok && c.res.status !== 304) return;
  const { loadMs } = c.var;
  const parts = [timing("cache", performance.now() - started - (loadMs ?? 0))];
  if (loadMs !== undefined) parts.push(timing("load", loadMs));
  c.res.headers.set("Server-Timing", parts.join(", "));
}

/** Lets those pass who have the token. */
function authorized(purgeToken: AppOptions["purgeToken"]) {
  return async (c: Context, next: () => Promise<void>): Promise<Response | undefined> => {
    if (!purgeToken) return c.json({ error: { message: "Purges are disabled here; set PURGE_TOKEN" } }, 403);
    return (await bearerAuth({ token: purgeToken })(c, next)) ?? undefined;
  };
}

/** Questions that are the same after they are read share an answer. */
function keyOf(c: Context): string {
  const kind = c.req.path.slice("/cities/".length);
  if (kind === "near") return JSON.stringify([kind, nearOf(c)]);
  if (kind === "search") return JSON.stringify([kind, searchOf(c)]);
  return JSON.stringify([kind]);
}

function nearOf(c: Context): { lat: number; lng: number; n: number } {
  const query = queryOf(c);
  return { ...roundPoint(readDegrees(query, "lat", 90), readDegrees(query, "lng", 180)), n: readCount(query, "n") };
}

function searchOf(c: Context): { q: string; n: number } {
  const query = queryOf(c);
  return { q: readText(query, "q"), n: readCount(query, "n") };
}

function timing(name: string, ms: number): string {
  return `${name};dur=${ms.toFixed(2)}`;
}

/**
 * Points within about a hundred metres share an answer, and so do the two names of a point on the antimeridian, and all
 * the names of a pole.
 */
function roundPoint(lat: number, lng: number): { lat: number; lng: number } {
  const rounded = { lat: round(lat), lng: round(lng) };
  if (Math.abs(rounded.lat) === 90) rounded.lng = 0;
  if (rounded.lng === -180) rounded.lng = 180;
  return rounded;
}

function round(degrees: number): number {
  return Math.round(degrees * 1e3) / 1e3;
}

function queryOf(c: Context): Query {
  const { searchParams } = new URL(c.req.url);
  return (name) => searchParams.getAll(name);
}
