import { readFileSync } from "node:fs";
import { serve } from "@hono/node-server";
import { createCache } from "valkey-edge-cache";
import { createApp } from "./app.ts";
import { buildCities, CITIES_FILE } from "./build-cities.ts";
import { createCities } from "./cities/cities.ts";

const location = process.env.VALKEY_URL || "memory:";
try {
  start();
} catch (error) {
  fail(error);
}
function start() {
  buildCities();
  const cache = createCache({ location, keyPrefix: "cities" });
  const app = createApp({
    cache,
    cities: createCities(() => readFileSync(CITIES_FILE)),
    page: readFileSync(new URL("page.html", import.meta.url), "utf8"),
  });
  const port = readPort(process.env.PORT || "3000");
  const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, announce);
  server.on("error", fail);
  closeOnSignals(server, cache);
}
/** Lets running requests end, then leaves; told a second time, leaves at once. */
function closeOnSignals(server, cache) {
  let closing = false;
  const close = () => {
    if (closing) process.exit(1);
    closing = true;
    server.close(() => void cache.close());
  };
  process.on("SIGINT", close).on("SIGTERM", close);
}
function announce({ port }) {
  const store = location === "memory:" ? "in memory; set VALKEY_URL to keep answers in Valkey" : "in Valkey";
  console.log(`Listening on http://localhost:${port} (cache: ${store}). Ctrl-C stops it.`);
}
function readPort(text) {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new Error(`PORT: ${JSON.stringify(text)} is not a port; give a number from 0 to 65535`);
}
function fail(error) {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  const message = error instanceof Error ? error.message : String(error);
  console.error(taken ? `${message}; set PORT to another port, or to 0 for any that is free` : message);
  process.exitCode = 1;
}
