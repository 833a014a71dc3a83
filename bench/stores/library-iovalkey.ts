import { createCache, iovalkey } from "valkey-edge-cache";
import { cacheStore } from "./cache-store.ts";
import { PATIENCE_MS, type Store, TTL } from "./store.ts";

/** This library over iovalkey, with its defaults but for the time it waits. */
export async function open(url: string): Promise<Store> {
  const connectionFactory = iovalkey({ commandTimeout: PATIENCE_MS / 1_000 });
  return cacheStore(createCache({ location: url, ttl: TTL, connectionFactory }));
}
