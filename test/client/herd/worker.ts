import { setTimeout as sleep } from "node:timers/promises";
import { type Cache, createCache, herd, nearCache } from "valkey-edge-cache";
import type { Begun, Orders, Sightings } from "./orders.ts";

/** One process of many: opens connections, and follows orders until it is told to end. */
const [location = "", connections = "1", lease = "5", near = ""] = process.argv.slice(2);
const caches = Array.from({ length: Number(connections) }, (_cache, i) =>
  // Configurations that differ share no connection.
  createCache({
    location,
    client: herd({ lease: Number(lease) }),
    commandTimeout: 5 + i / 1_000,
    connectTimeout: 5,
    ...(near ? { nearCache: nearCache() } : {}),
  }),
);
let waits = 0;
let fenced = 0;
for (const cache of caches) {
  cache.on("wait", () => waits++);
  cache.on("fenced", () => fenced++);
}

async function follow({ key, startAtMs, callers, forMs, ttl, loadMs }: Orders): Promise<Sightings> {
  let loads = 0;
  let longestMs = 0;
  waits = 0;
  fenced = 0;
  const values = new Set<string>();
  const load = async (): Promise<string> => {
    const value = `${process.pid} ${++loads}`;
    process.send?.({ loading: key } satisfies Begun);
    await sleep(loadMs);
    return value;
  };
  const call = async (cache: Cache): Promise<void> => {
    const endMs = startAtMs + forMs;
    do {
      const start = performance.now();
      values.add(await cache.getOrSet(key, load, { ttl }));
      longestMs = Math.max(longestMs, performance.now() - start);
      if (forMs > 0) await sleep(10);
    } while (Date.now() < endMs);
  };
  await sleep(Math.max(0, startAtMs - Date.now()));
  await Promise.all(caches.flatMap((cache) => Array.from({ length: callers }, () => call(cache))));
  return { loads, values: [...values], longestMs, waits, fenced };
}

process.on("message", (orders: Orders) => {
  follow(orders).then(
    (sightings) => process.send?.(sightings),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// However the one that gives the orders ends, this process ends with it.
process.once("disconnect", () => process.exit());
// All is loaded and connected before the first order.
await Promise.all(caches.map((cache) => cache.has("anything")));
for (const cache of near ? caches : []) {
  while (!(await cache.health()).nearCache?.listening) await sleep(5);
}
process.send?.("ready");
