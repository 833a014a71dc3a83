// @ts-check
// The application of scripts/dashboard.mjs: its arguments are a location, and the port of its metrics.
import { setTimeout as sleep } from "node:timers/promises";
import { metrics } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { Hono } from "hono";
import { createCache, herd, nearCache } from "valkey-edge-cache";
import { httpCache } from "valkey-edge-cache/hono";
import { instrument } from "valkey-edge-cache/otel";

const [location = "", port = ""] = process.argv.slice(2);
const exporter = new PrometheusExporter({ host: "127.0.0.1", port: Number(port) });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));

const options = { location, logger: /** @type {const} */ (false), commandTimeout: 0.5 };
const client = herd({ grace: "10s" });
// Two, as two processes would be: they compete for the leases of products.
const shops = [1, 2].map(() => createCache({ ...options, keyPrefix: "shop", client, nearCache: nearCache() }));
const sessions = createCache({
  ...options,
  keyPrefix: "sessions",
  ignoreErrors: true,
  nearCache: nearCache({ maxEntries: 40 }),
});
for (const cache of [...shops, sessions]) instrument(cache, { spans: "none" });

const app = new Hono().use(httpCache({ cache: shops[0] })).get("/page/:id", async (c) => {
  await sleep(5 + Math.random() * 20);
  return c.text("page".repeat(200), 200, { "Cache-Control": "max-age=4" });
});

/** Small numbers more often than large ones. @param {number} most */
const popular = (most) => Math.floor(most ** Math.random());

/** @type {readonly { readonly weight: number, readonly run: () => Promise<unknown> }[]} */
const work = [
  { weight: 40, run: () => product(popular(3_000)) },
  { weight: 10, run: () => shop().getMany(Array.from({ length: 10 }, () => `product:${popular(3_000)}`)) },
  { weight: 3, run: () => shop().delete(`product:${popular(50)}`) },
  { weight: 25, run: () => sessions.get(`session:${popular(2_000)}`) },
  { weight: 8, run: () => sessions.set(`session:${popular(2_000)}`, { user: "ann", cart: [1, 2, 3] }, { ttl: "20s" }) },
  { weight: 5, run: () => sessions.incr("visits", 1, { create: true }) },
  { weight: 9, run: async () => (await app.request(`/page/${popular(40)}`)).text() },
];

function shop() {
  const [one, two] = shops;
  const chosen = Math.random() < 0.5 ? one : two;
  if (!chosen) throw new Error("there is no shop");
  return chosen;
}

/** @param {number} id */
function product(id) {
  return shop().getOrSet(
    `product:${id}`,
    async () => {
      await sleep(10 + Math.random() * 60);
      if (Math.random() < 0.01) throw new Error("the database is busy");
      return { id, name: `Product ${id}`, text: "x".repeat(300) };
    },
    { ttl: 4 + Math.random() * 8 },
  );
}

const total = work.reduce((sum, { weight }) => sum + weight, 0);
for (let tick = 0; ; tick++) {
  const calls = 6 + 3 * Math.sin(tick / 300) + Math.random() * 3;
  for (let i = 0; i < calls; i++) {
    let at = Math.random() * total;
    const chosen = work.find(({ weight }) => {
      at -= weight;
      return at < 0;
    });
    // What fails is on the dashboard.
    chosen?.run().catch(() => {});
  }
  await sleep(20);
}
