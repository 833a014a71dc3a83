import { createCache, herd, nearCache } from "valkey-edge-cache";
import { GRACE, type Subject } from "../subject.ts";

export async function open(url: string, ttl: number): Promise<Subject> {
  const cache = createCache({ location: url, ttl, client: herd({ grace: GRACE }), nearCache: nearCache() });
  return { getOrSet: (key, load) => cache.getOrSet(key, load) };
}
