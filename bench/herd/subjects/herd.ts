import { createCache, herd } from "valkey-edge-cache";
import { GRACE, type Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = createCache({ location: url, ttl, client: herd({ grace: GRACE }) });
  return { getOrSet: (key, load) => cache.getOrSet(key, load) };
}
