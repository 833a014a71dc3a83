import { createClient } from "@redis/client";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { LRUCache } from "lru-cache";
import { type Cache, createCache, herd, nearCache } from "valkey-edge-cache";

/** One way to read values that the process has. */
export interface Reader {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Lifetime of everything that is stored, in seconds. */
const TTL = 3_600;
/** More than all entries of the bench take. */
const MAX_SIZE = 268_435_456;

/** What people write themselves, in an async function: an LRU of JSON text, which nobody ends. */
export function lru(): Reader {
  const texts = new LRUCache<string, string>({ max: 10_000 });
  return {
    name: "an LRU with JSON.parse",
    async get(key) {
      const text = texts.get(key);
      return text === undefined ? undefined : JSON.parse(text);
    },
    set: async (key, value) => texts.set(key, JSON.stringify(value)),
    close: async () => texts.clear(),
  };
}

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

export interface Opened {
  readonly near?: "copy" | "shared";
  readonly isHerd?: boolean;
  readonly keyPrefix?: string;
  readonly maxEntries?: number;
}

/** This library: without a near cache, every read goes to the server. */
export function open(url: string, { near, isHerd = false, keyPrefix = "", maxEntries }: Opened): Cache {
  return createCache({
    location: url,
    ttl: TTL,
    keyPrefix,
    ...(near ? { nearCache: nearCache({ values: near, maxSize: MAX_SIZE, maxEntries }) } : {}),
    ...(isHerd ? { client: herd() } : {}),
  });
}

/** Resolves when the near cache answers: it listens, and has the entry. */
export async function untilNear(cache: Cache, key: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (performance.now() < endMs) {
    await cache.get(key);
    if (((await cache.health()).nearCache?.entries ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the near cache keeps nothing; see its health()");
}
