import type { Cache } from "valkey-edge-cache";
import type { Store } from "./store.ts";

export function cacheStore(cache: Cache): Store {
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getMany: (keys) => cache.getMany(keys),
    getOrSet: (key, load) => cache.getOrSet(key, load),
    close: () => cache.close(),
  };
}
