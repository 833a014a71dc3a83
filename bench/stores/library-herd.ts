import { createCache, herd } from "valkey-edge-cache";
import { cacheStore } from "./cache-store.ts";
import { PATIENCE_MS, type Store, TTL } from "./store.ts";

/** This library with its herd client, with its defaults but for the time it waits. */
export async function open(url: string): Promise<Store> {
  return cacheStore(createCache({ location: url, ttl: TTL, commandTimeout: PATIENCE_MS / 1_000, client: herd() }));
}
