import { createCache, statistics } from "valkey-edge-cache";
import { cacheStore } from "./cache-store.ts";
import { PATIENCE_MS, type Store, TTL } from "./store.ts";

/** As library.ts, with statistics. */
export async function open(url: string): Promise<Store> {
  const cache = createCache({ location: url, ttl: TTL, commandTimeout: PATIENCE_MS / 1_000 });
  statistics(cache);
  return cacheStore(cache);
}
