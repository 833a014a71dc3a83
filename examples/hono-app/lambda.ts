import { readFileSync } from "node:fs";
import { handle } from "hono/aws-lambda";
import { createCache, herd, nearCache } from "valkey-edge-cache";
import { createApp } from "./app.ts";
import { CITIES_FILE } from "./build-cities.ts";
import { createCities } from "./cities/cities.ts";

/** Outside the handler: later invocations of the process find its connection. */
const cache = createCache({
  location: process.env.VALKEY_URL || "memory:",
  keyPrefix: "cities",
  client: herd(),
  nearCache: nearCache(),
});

export const handler = handle(
  createApp({
    cache,
    // Packed with the function: `node build-cities.ts` writes it.
    cities: createCities(() => readFileSync(CITIES_FILE)),
    page: readFileSync(new URL("page.html", import.meta.url), "utf8"),
    purgeToken: process.env.PURGE_TOKEN,
    access: { token: process.env.INSPECTOR_TOKEN },
    awaitBackground: true,
  }),
);
