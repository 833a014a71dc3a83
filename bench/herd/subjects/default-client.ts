import { createCache } from "valkey-edge-cache";
import type { Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = createCache({ location: url, ttl });
  return { getOrSet: (key, load) => cache.getOrSet(key, load) };
}
