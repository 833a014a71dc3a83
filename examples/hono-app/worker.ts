import { env } from "cloudflare:workers";
import { createCache, herd, memory } from "valkey-edge-cache";
import places from "./.cache/cities.bin";
import { createApp } from "./app.ts";
import { createCities } from "./cities/cities.ts";
import page from "./page.html";

const options = { keyPrefix: "cities", client: herd() };

const app = createApp({
  cache: env.VALKEY_URL
    ? createCache({ location: env.VALKEY_URL, ...options })
    : createCache({ location: "memory:", connectionFactory: memory(), ...options }),
  cities: createCities(() => new Uint8Array(places)),
  page,
  purgeToken: env.PURGE_TOKEN,
  access: { token: env.INSPECTOR_TOKEN },
});

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default app;
