import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createCache } from "valkey-edge-cache";
import { httpCache } from "valkey-edge-cache/hono";

/** One of several processes behind one address. Its handler takes a while, and counts. */
const [, , location, keyPrefix] = process.argv;
let runs = 0;
const cache = createCache({ location: location ?? "", keyPrefix: keyPrefix ?? "" });
const app = new Hono();
app.get("/runs", (c) => c.text(String(runs)));
app.use(httpCache({ cache, app, keyGenerator: (c) => c.req.path }));
app.get("/:kind", async (c) => {
  runs++;
  await new Promise((resolve) => setTimeout(resolve, 300));
  return c.text("x".repeat(1_000), 200, {
    "cache-control": c.req.param("kind") === "cold" ? "max-age=60" : "no-store",
  });
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
