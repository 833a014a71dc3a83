import { cachified } from "@epic-web/cachified";
import { createClient as createNodeRedis } from "@redis/client";
import { ClientSideCache, GlideClient, ProtocolVersion, TimeUnit } from "@valkey/valkey-glide";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { createCache as createManager } from "cache-manager";
import { Redis } from "ioredis";
import { Keyv } from "keyv";
import { createBlobStorage, defineCachedFunction } from "ocache";
import { createStorage } from "unstorage";
import unstorageRedis from "unstorage/drivers/redis";
import { createCache, herd, nearCache } from "valkey-edge-cache";
import { keyvStore } from "valkey-edge-cache/keyv";

/** Lifetime and grace of what is loaded, in seconds. */
export const TTL = 1;
const GRACE = 60;

/** What each library is called in docs/compare.md, and what its users would write to have a value cached. */
export const subjects = {
  "valkey-edge-cache, `herd()`": (url) => ours({ location: url, client: herd({ grace: GRACE }) }),
  "valkey-edge-cache, `defaultClient()`": (url) => ours({ location: url }),
  "bentocache, one level": (url) => bento(bentostore().useL2Layer(redisDriver({ connection: ioredis(url) }))),
  "bentocache, two levels": (url) =>
    bento(
      bentostore()
        .useL1Layer(memoryDriver({ maxSize: "1mb" }))
        .useL2Layer(redisDriver({ connection: ioredis(url) }))
        .useBus(redisBusDriver({ connection: ioredis(url) })),
    ),
  cachified: (url) => {
    const redis = ioredis(url);
    const cache = {
      get: async (key) => JSON.parse((await redis.get(key)) ?? "null"),
      set: (key, entry) => redis.set(key, JSON.stringify(entry), "EX", TTL + GRACE),
      delete: (key) => redis.del(key),
    };
    return {
      getOrSet: (key, getFreshValue) => cachified({ cache, key, ttl: TTL * 1_000, swr: GRACE * 1_000, getFreshValue }),
      delete: cache.delete,
      close: () => redis.disconnect(),
    };
  },
  "cache-manager": (url) => {
    // Its own behaviour is the same over each store; this one has a deadline for each call.
    const cache = createManager({
      stores: [new Keyv({ store: keyvStore({ location: url, logger: false }) })],
      ttl: TTL * 1_000,
    });
    return {
      getOrSet: (key, load) => cache.wrap(key, load),
      delete: (key) => cache.del(key),
      close: () => cache.disconnect(),
    };
  },
  "ocache over unstorage": (url) => {
    const driver = unstorageRedis({ url: url.replace("valkey:", "redis:") });
    driver.getInstance().on("error", ignore);
    const unstorage = createStorage({ driver });
    const storage = createBlobStorage({
      get: (key) => unstorage.getItemRaw(key),
      set: (key, value, options) =>
        value === null ? unstorage.removeItem(key) : unstorage.setItemRaw(key, value, options),
    });
    // It wants the function once, and makes the key from its arguments.
    const loaders = new Map();
    const call = defineCachedFunction((key) => loaders.get(key)(), {
      name: "call",
      getKey: (key) => key,
      maxAge: TTL,
      swr: true,
      staleMaxAge: GRACE,
      storage,
    });
    return {
      getOrSet(key, load) {
        loaders.set(key, load);
        return call(key);
      },
      delete: (key) => call.invalidate(key),
      close: () => driver.getInstance().disconnect(),
    };
  },
  "ioredis by itself": (url) => {
    const redis = ioredis(url);
    return plain({
      get: (key) => redis.get(key),
      set: (key, text) => redis.set(key, text, "EX", TTL),
      delete: (key) => redis.del(key),
      close: () => redis.disconnect(),
    });
  },
  "valkey-glide by itself": async (url) => {
    const client = await GlideClient.createClient(addressOf(url));
    return plain({
      get: (key) => client.get(key),
      set: (key, text) => client.set(key, text, { expiry: { type: TimeUnit.Seconds, count: TTL } }),
      delete: (key) => client.del([key]),
      close: () => client.close(),
    });
  },
  "node-redis, client-side cache": async (url) => {
    const client = await nodeRedis(url);
    return plain({
      get: (key) => client.get(key),
      set: (key, text) => client.set(key, text, { EX: TTL }),
      delete: (key) => client.del(key),
      close: () => client.destroy(),
    });
  },
};

/** Caches of a process that has read a value which lives for a minute, and the key under which another program finds it. */
export const nearSubjects = {
  "valkey-edge-cache, `nearCache()`": (url) => {
    const cache = createCache({ location: url, nearCache: nearCache(), ttl: "1m" });
    return {
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      storedKey: (key) => `:1:${key}`,
      close: () => cache.close(),
    };
  },
  "bentocache, two levels": (url) => {
    const store = bentostore()
      .useL1Layer(memoryDriver({ maxSize: "1mb" }))
      .useL2Layer(redisDriver({ connection: ioredis(url) }))
      .useBus(redisBusDriver({ connection: ioredis(url) }));
    const cache = new BentoCache({ default: "main", stores: { main: store }, ttl: "1m" });
    return {
      get: (key) => cache.get({ key }),
      set: (key, value) => cache.set({ key, value }),
      storedKey: (key) => `bentocache:${key}`,
      close: () => cache.disconnectAll(),
    };
  },
  "valkey-glide, server-assisted client-side cache": async (url) => {
    const clientSideCache = ClientSideCache.create(1_024, 0, { serverAssisted: true });
    const client = await GlideClient.createClient({
      ...addressOf(url),
      protocol: ProtocolVersion.RESP3,
      clientSideCache,
    });
    return {
      get: async (key) => JSON.parse((await client.get(key)) ?? "null") ?? undefined,
      set: (key, value) => client.set(key, JSON.stringify(value), { expiry: { type: TimeUnit.Seconds, count: 60 } }),
      storedKey: (key) => key,
      close: () => client.close(),
    };
  },
  "node-redis, client-side cache": async (url) => {
    const client = await nodeRedis(url);
    return {
      get: async (key) => JSON.parse((await client.get(key)) ?? "null") ?? undefined,
      set: (key, value) => client.set(key, JSON.stringify(value), { EX: 60 }),
      storedKey: (key) => key,
      close: () => client.destroy(),
    };
  },
};

function ours(options) {
  const cache = createCache({ ...options, ttl: TTL, logger: false });
  return {
    getOrSet: (key, load) => cache.getOrSet(key, load),
    delete: (key) => cache.delete(key),
    close: () => cache.close(),
  };
}

function bento(store) {
  const cache = new BentoCache({ default: "main", stores: { main: store }, ttl: TTL * 1_000, grace: GRACE * 1_000 });
  return {
    getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
    delete: (key) => cache.delete({ key }),
    close: () => cache.disconnectAll(),
  };
}

/** A client has no method that loads: this is what its users write. */
function plain(client) {
  return {
    async getOrSet(key, load) {
      const stored = await client.get(key);
      if (stored !== null) return JSON.parse(stored);
      const value = await load();
      await client.set(key, JSON.stringify(value));
      return value;
    },
    delete: client.delete,
    close: client.close,
  };
}

async function nodeRedis(url) {
  const clientSideCache = { ttl: 0, maxEntries: 1_000, evictPolicy: "LRU" };
  const client = createNodeRedis({ url: url.replace("valkey:", "redis:"), RESP: 3, clientSideCache });
  client.on("error", ignore);
  return client.connect();
}

function addressOf(url) {
  const { hostname: host, port } = new URL(url);
  return { addresses: [{ host, port: Number(port) }] };
}

function ioredis(url) {
  return new Redis(url.replace("valkey:", "redis:")).on("error", ignore);
}

function ignore() {
  // Servers are ended on purpose.
}
