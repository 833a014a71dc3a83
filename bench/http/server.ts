import { serve } from "@hono/node-server";
import { Decoder, GlideClient } from "@valkey/valkey-glide";
import { Hono } from "hono";
import { importLibrary } from "./library.ts";

/** A process that answers with constants: by itself, through `httpCache`, also with a near cache, or with what it reads by a plain GET. */
const [, , by, location = "", checkout] = process.argv;
const { createCache, nearCache, httpCache } = await importLibrary(checkout);
const app = new Hono();
const headers = { "Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "public, max-age=3600" };
const client = by === "get" ? await connect() : undefined;
if (by === "httpCache") app.use(httpCache({ cache: createCache({ location }), app }));
if (by === "nearCache") app.use(httpCache({ cache: createCache({ location, nearCache: nearCache() }), app }));
for (const kilobytes of [1, 100]) {
  const body = "x".repeat(kilobytes * 1_024);
  const path = `/${kilobytes}`;
  if (client) await answerFrom(client, path, body);
  else app.get(path, (c) => c.text(body, 200, { "Cache-Control": headers["Cache-Control"] }));
}
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));

function connect(): Promise<GlideClient> {
  const { hostname: host, port } = new URL(location);
  return GlideClient.createClient({ addresses: [{ host, port: Number(port) }] });
}

/** As little as can be done with a store: one GET for each request, and no look at the request. */
async function answerFrom(client: GlideClient, path: string, body: string): Promise<void> {
  await client.set(path, body);
  app.get(path, async () => {
    const stored = await client.get(path, { decoder: Decoder.Bytes });
    return new Response(stored as Uint8Array<ArrayBuffer>, { headers });
  });
}
