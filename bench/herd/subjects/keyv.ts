import { createKeyv } from "@keyv/redis";
import type { Subject } from "../subject.ts";

/** It has no method that loads: this is what its users write. */
export async function open(url: string, ttl: number): Promise<Subject> {
  const keyv = createKeyv(url.replace("valkey:", "redis:"));
  return {
    async getOrSet(key, load) {
      const stored: unknown = await keyv.get(key);
      if (stored !== undefined) return stored;
      const value = await load();
      await keyv.set(key, value, ttl * 1_000);
      return value;
    },
  };
}
