import { createClient } from "@redis/client";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { MAX_SIZE, type Reader, TTL } from "./contenders.ts";

/** Two levels and a bus, as its documentation recommends for several processes. */
export function bentocache(url: string, isSerialized: boolean): Reader {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port) };
  const store = bentostore()
    .useL1Layer(memoryDriver(isSerialized ? { maxSize: MAX_SIZE } : { maxItems: 10_000, serialize: false }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const cache = new BentoCache({ default: "both", stores: { both: store }, ttl: `${TTL}s` });
  return {
    name: isSerialized ? "bentocache, serialized" : "bentocache, by reference",
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  };
}

/** node-redis with its client-side cache, which keeps replies, and `JSON.parse`. */
export async function nodeRedis(url: string): Promise<Reader> {
  const client = createClient({
    url: url.replace("valkey:", "redis:"),
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 10_000, evictPolicy: "LRU" },
  });
  await client.connect();
  return {
    name: "node-redis, client-side cache",
    async get(key) {
      const text = await client.get(key);
      return text === null ? undefined : JSON.parse(text);
    },
    set: (key, value) => client.set(key, JSON.stringify(value), { EX: TTL }),
    close: () => client.close(),
  };
}
