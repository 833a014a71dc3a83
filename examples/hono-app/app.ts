import { type Context, Hono } from "hono";
import { type ValkeyCacheEnv, valkeyCache } from "valkey-edge-cache/hono";
import type { Cities } from "./cities/cities.ts";
import { ParameterError, type Query, readCount, readDegrees, readText } from "./parameters.ts";

export interface AppOptions {
  /** A cache, or what makes one from the first request's context, for hosts that know where it is only then. */
  cache: Parameters<typeof valkeyCache>[0];
  cities: Cities;
  /** The HTML of `GET /`. */
  page: string;
}

/** The routes, the same on every host. */
export function createApp({ cache, cities, page }: AppOptions): Hono<ValkeyCacheEnv> {
  const app = new Hono<ValkeyCacheEnv>();

  app.use("/cities/*", valkeyCache(cache));

  app.get("/", (c) => c.html(page));

  app.get("/cities/near", (c) => {
    const query = queryOf(c);
    const point = roundPoint(readDegrees(query, "lat", 90), readDegrees(query, "lng", 180));
    const n = readCount(query, "n");
    return answer(c, `near:${point.lat},${point.lng}:${n}`, () => ({
      ...point,
      results: cities.near(point.lat, point.lng, n),
    }));
  });

  app.get("/cities/search", (c) => {
    const query = queryOf(c);
    const q = readText(query, "q");
    const n = readCount(query, "n");
    return answer(c, `search:${n}:${q}`, () => ({ q, results: cities.search(q, n) }));
  });

  app.get("/cities/density", (c) => answer(c, "density", () => cities.density()));

  app.onError((error, c) => {
    if (error instanceof ParameterError) {
      return c.json({ error: { parameter: error.parameter, message: error.message } }, 400);
    }
    console.error(error);
    return c.json({ error: { message: "The server failed; its log says why" } }, 500);
  });

  return app;
}

/** Answers with what the cache has under `key`, else with what `compute` makes of the places, and says which, and how long it took. */
async function answer<T>(c: Context<ValkeyCacheEnv>, key: string, compute: () => T): Promise<Response> {
  const started = performance.now();
  let loadMs: number | undefined;
  const load = () => {
    const loading = performance.now();
    const computed = compute();
    loadMs = performance.now() - loading;
    return computed;
  };
  const body = await c.var.cache.getOrSet(key, load, { ttl: "10m" });
  const cacheMs = performance.now() - started - (loadMs ?? 0);
  c.header("x-cache", loadMs === undefined ? "hit" : "miss");
  c.header(
    "Server-Timing",
    [timing("cache", cacheMs), ...(loadMs === undefined ? [] : [timing("load", loadMs)])].join(", "),
  );
  return c.json(body);
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
