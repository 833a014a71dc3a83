import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import { type Cache, createCache, nearCache } from "valkey-edge-cache";
import { createApp } from "./app.ts";
import { buildCities, CITIES_FILE } from "./build-cities.ts";
import { createCities } from "./cities/cities.ts";

/** How long running requests may take after the signal to end. */
const GRACE_MS = 1_000;

const location = process.env.VALKEY_URL || "memory:";

/** What goes on after answers: the cache is closed when that has ended. */
const running = new Set<Promise<void>>();

try {
  start();
} catch (error) {
  fail(error);
}

function start(): void {
  buildCities();
  const cache = createCache({ location, keyPrefix: "cities", nearCache: nearCache() });
  const app = createApp({
    cache,
    cities: createCities(() => readFileSync(CITIES_FILE)),
    page: readFileSync(new URL("page.html", import.meta.url), "utf8"),
    purgeToken: process.env.PURGE_TOKEN,
    waitUntil: (work) => {
      running.add(work);
      work.finally(() => running.delete(work));
    },
  });
  const port = readPort(process.env.PORT || "3000");
  const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, (info) => {
    void announce(info, cache);
  });
  server.on("error", fail);
  closeOnSignals(server, cache);
}

/** Lets running requests end, then exits; exits at once at a second signal. */
function closeOnSignals(server: ServerType, cache: Cache): void {
  let closing = false;
  const close = (): void => {
    if (closing) process.exit(1);
    closing = true;
    server.close(async () => {
      await Promise.all(running);
      await cache.close();
    });
    // Browsers open connections ahead of need, and a server waits for the request on each.
    if ("closeAllConnections" in server) setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
  };
  process.on("SIGINT", close).on("SIGTERM", close);
}

async function announce({ port }: AddressInfo, cache: Cache): Promise<void> {
  console.log(`Listening on http://localhost:${port} (cache: ${await stateOf(cache)}). Ctrl-C stops it.`);
}

/** Where the cache is, and whether it answers: the service also works without it. */
async function stateOf(cache: Cache): Promise<string> {
  if (location === "memory:") return "in memory; set VALKEY_URL to keep answers in Valkey";
  const { roundTripMs, lastError } = await cache.health();
  if (roundTripMs !== undefined) return `in Valkey, which answers within ${Math.ceil(roundTripMs)} ms`;
  return `in Valkey, which does not answer: ${lastError?.message ?? "no reply"}; requests are computed meanwhile`;
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new Error(`PORT: ${JSON.stringify(text)} is not a port; give a number from 0 to 65535`);
}

function fail(error: unknown): void {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  const message = error instanceof Error ? error.message : String(error);
  console.error(taken ? `${message}; set PORT to another port, or to 0 for any that is free` : message);
  process.exitCode = 1;
}
