import { createStorage, type StorageValue } from "unstorage";
import redisDriver from "unstorage/drivers/redis";
import type { Subject } from "../subject.ts";

/** It has no method that loads: this is what its users write. */
export async function open(url: string, ttl: number): Promise<Subject> {
  const storage = createStorage({ driver: redisDriver({ url: url.replace("valkey:", "redis:") }) });
  return {
    async getOrSet(key, load) {
      const stored = await storage.getItem(key);
      if (stored !== null) return stored;
      const value = await load();
      await storage.setItem(key, value as StorageValue, { ttl });
      return value;
    },
  };
}
