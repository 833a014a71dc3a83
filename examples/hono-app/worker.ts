import { createCache, memory } from "valkey-edge-cache";
import places from "./.cache/cities.bin";
import { createApp } from "./app.ts";
import { createCities } from "./cities/cities.ts";
import page from "./page.html";

/** What wrangler.toml, or `wrangler dev --var`, gives. */
interface Env {
  VALKEY_URL?: string;
  PURGE_TOKEN?: string;
}

const app = createApp({
  cache: ({ env }: { env: Env }) => {
    const keyPrefix = "cities";
    if (env.VALKEY_URL) return createCache({ location: env.VALKEY_URL, keyPrefix });
    return createCache({ location: "memory:", connectionFactory: memory(), keyPrefix });
  },
  cities: createCities(() => new Uint8Array(places)),
  page,
  purgeToken: ({ env }: { env: Env }) => env.PURGE_TOKEN,
});

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default app;
