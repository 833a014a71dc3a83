import { serve } from "@hono/node-server";
import { bodyOf, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, print } from "./host.ts";

/** A web handler on Node that answers with constants, by itself or behind `cachedHandler`. */
const bodies = new Map(KILOBYTES.map((kilobytes) => [`/${kilobytes}`, bodyOf(kilobytes)]));
const headers = { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": CACHE_CONTROL };
const handler = (request: Request): Response => {
  const body = bodies.get(new URL(request.url).pathname);
  return new Response(body, { status: body === undefined ? 404 : 200, headers });
};
const cache = libraryCache();
const fetch = cache ? (await import("valkey-edge-cache/fetch")).cachedHandler(handler, { cache }) : handler;
serve({ fetch, port: 0, hostname: HOST }, ({ port }) => print(port));
