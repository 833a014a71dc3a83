import { setTimeout as sleep } from "node:timers/promises";
import { createAdaptorServer } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { importLibrary } from "./library.ts";
import type { Measured, SlowServerOptions } from "./slow-servers.ts";

/** A process with slow handlers and large bodies, by itself or behind `httpCache`. */
const { url, checkout, socketPath }: SlowServerOptions = JSON.parse(process.argv[2] ?? "{}");
const CHUNK = 64 * 1_024;
const LARGE = 5 * 1_024 * 1_024;

const app = new Hono();
let handlerRuns = 0;
// Before httpCache, so that it is not in the way.
app.get("/measured", (c) => {
  return c.json({ handlerRuns, peakMiB: process.resourceUsage().maxRSS / 1_024 } satisfies Measured);
});
if (url !== undefined) {
  const { createCache, httpCache } = await importLibrary(checkout);
  app.use(httpCache({ cache: createCache({ location: url }), app }));
}
app.get("/ready/:id", (c) => c.text("ready", 200, { "Cache-Control": "max-age=60" }));
app.get("/revalidated/:id", (c) => slowly(c, 200, { "Cache-Control": "no-cache", ETag: '"1"' }));
app.get("/stale-on-arrival/:id", (c) => slowly(c, 1_200, { "Cache-Control": "max-age=1" }));
app.get("/fresh/:id", (c) => slowly(c, 200, { "Cache-Control": "max-age=60" }));

const whole = new Uint8Array(LARGE).fill(1);
const large = { "Content-Type": "application/octet-stream", "Cache-Control": "max-age=60" };
app.get("/large/whole/:id", (c) => c.body(whole, 200, large));
app.get("/large/stream/:id", (c) => c.body(stream(), 200, large));
app.get("/large/length/:id", (c) => c.body(stream(), 200, { ...large, "Content-Length": String(LARGE) }));

// However the bench ends, this process ends with it.
process.once("disconnect", () => process.exit());
const server = createAdaptorServer({ fetch: app.fetch });
const listening = (): void => {
  const address = server.address();
  process.send?.(typeof address === "object" && address ? { port: address.port } : { socketPath });
};
if (socketPath === undefined) server.listen(0, "127.0.0.1", listening);
else server.listen(socketPath, listening);

async function slowly(c: Context, handlerMs: number, headers: Record<string, string>): Promise<Response> {
  handlerRuns++;
  await sleep(handlerMs);
  const { ETag: etag } = headers;
  const isNotModified = etag !== undefined && c.req.header("If-None-Match") === etag;
  return isNotModified ? c.body(null, 304, headers) : c.text("x".repeat(1_024), 200, headers);
}

/** Chunks that are made when they are wanted, like those of a file. */
function stream(): ReadableStream<Uint8Array> {
  let left = LARGE;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(new Uint8Array(Math.min(CHUNK, left)).fill(1));
        left -= CHUNK;
        if (left <= 0) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
