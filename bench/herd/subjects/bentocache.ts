import { BentoCache, bentostore } from "bentocache";
import { redisDriver } from "bentocache/drivers/redis";
import { GRACE, type Subject } from "../subject.ts";

/** One level, with a grace period in which a stale value is answered while the new one is loaded. */
export async function open(url: string, ttl: number): Promise<Subject> {
  const { hostname: host, port } = new URL(url);
  const store = bentostore().useL2Layer(redisDriver({ connection: { host, port: Number(port) } }));
  const cache = new BentoCache({
    default: "redis",
    stores: { redis: store },
    ttl: `${ttl}s`,
    grace: `${GRACE}s`,
    timeout: 0,
  });
  return { getOrSet: (key, factory) => cache.getOrSet({ key, factory }) };
}
