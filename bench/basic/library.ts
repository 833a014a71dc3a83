import { createCache } from "valkey-edge-cache";
import { type Store, TTL } from "./store.ts";

/** This library, with its defaults. */
export async function open(url: string): Promise<Store> {
  const cache = createCache({ location: url, ttl: TTL });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getMany: (keys) => cache.getMany(keys),
    getOrSet: (key, load) => cache.getOrSet(key, load),
    close: () => cache.close(),
  };
}
