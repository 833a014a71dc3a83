import { createKeyv } from "@keyv/redis";
import { createCache } from "cache-manager";
import type { Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = createCache({ stores: [createKeyv(url.replace("valkey:", "redis:"))], ttl: ttl * 1_000 });
  return { getOrSet: (key, load) => cache.wrap(key, load) };
}
