import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { httpCache } from "valkey-edge-cache/hono";
import { bodyOf, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, print } from "./host.ts";

/** A Hono application that answers with constants, by itself or behind `httpCache`. */
const app = new Hono();
const cache = libraryCache();
if (cache) app.use(httpCache({ cache, app }));
for (const kilobytes of KILOBYTES) {
  const body = bodyOf(kilobytes);
  app.get(`/${kilobytes}`, (c) => c.text(body, 200, { "Cache-Control": CACHE_CONTROL }));
}
serve({ fetch: app.fetch, port: 0, hostname: HOST }, ({ port }) => print(port));
