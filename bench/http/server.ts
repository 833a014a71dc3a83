import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createCache } from "valkey-edge-cache";
import { httpCache } from "valkey-edge-cache/hono";

/** A process that answers with constants, by itself or, given a store, through `httpCache`. */
const [, , location] = process.argv;
const app = new Hono();
if (location) app.use(httpCache({ cache: createCache({ location }), app }));
for (const kilobytes of [1, 100]) {
  const body = "x".repeat(kilobytes * 1_024);
  app.get(`/${kilobytes}`, (c) => c.text(body, 200, { "Cache-Control": "public, max-age=3600" }));
}
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
