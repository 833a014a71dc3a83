import { createKeyv } from "@keyv/redis";
import { createCache } from "cache-manager";
import type { Subject } from "../subject.ts";

/** It refreshes in the background in the last half of the lifetime; stale values it has none. */
export async function open(url: string, ttl: number): Promise<Subject> {
  const stores = [createKeyv(url.replace("valkey:", "redis:"))];
  const cache = createCache({ stores, ttl: ttl * 1_000, refreshThreshold: ttl * 500 });
  return { getOrSet: (key, load) => cache.wrap(key, load) };
}
