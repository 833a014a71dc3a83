import { Hono } from "hono";
import { ParameterError, readCount, readDegrees, readText } from "./parameters.ts";
/** The routes, the same on every host. */
export function createApp({ cache, cities, page }) {
  const app = new Hono();
  app.get("/", (c) => c.html(page));
  app.get("/cities/near", (c) => {
    const query = queryOf(c);
    const point = roundPoint(readDegrees(query, "lat", 90), readDegrees(query, "lng", 180));
    const n = readCount(query, "n");
    return answer(c, cache, `near:${point.lat},${point.lng}:${n}`, () => ({
      ...point,
      results: cities.near(point.lat, point.lng, n),
    }));
  });
  app.get("/cities/search", (c) => {
    const query = queryOf(c);
    const q = readText(query, "q");
    const n = readCount(query, "n");
    return answer(c, cache, `search:${n}:${q}`, () => ({ q, results: cities.search(q, n) }));
  });
  app.get("/cities/density", (c) => answer(c, cache, "density", () => cities.density()));
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
async function answer(c, cache, key, compute) {
  const started = performance.now();
  let loadMs;
  const load = () => {
    const loading = performance.now();
    const computed = compute();
    loadMs = performance.now() - loading;
    return computed;
  };
  const body = await cache.getOrSet(key, load, { ttl: "10m" });
  const cacheMs = performance.now() - started - (loadMs ?? 0);
  c.header("x-cache", loadMs === undefined ? "hit" : "miss");
  c.header(
    "Server-Timing",
    [timing("cache", cacheMs), ...(loadMs === undefined ? [] : [timing("load", loadMs)])].join(", "),
  );
  return c.json(body);
}
function timing(name, ms) {
  return `${name};dur=${ms.toFixed(2)}`;
}
/**
 * Points within about a hundred metres share an answer, and so do the two names of a point on the antimeridian, and all
 * the names of a pole.
 */
function roundPoint(lat, lng) {
  const rounded = { lat: round(lat), lng: round(lng) };
  if (Math.abs(rounded.lat) === 90) rounded.lng = 0;
  if (rounded.lng === -180) rounded.lng = 180;
  return rounded;
}
/** To three decimals, and without a negative zero. */
function round(degrees) {
  return Math.round(degrees * 1e3) / 1e3 + 0;
}
function queryOf(c) {
  const { searchParams } = new URL(c.req.url);
  return (name) => searchParams.getAll(name);
}
