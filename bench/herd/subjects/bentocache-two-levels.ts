import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { GRACE, type Subject } from "../subject.ts";

/** As above, behind a level in memory that a bus keeps in step. */
export async function open(url: string, ttl: number): Promise<Subject> {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port) };
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxSize: "10mb" }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const cache = new BentoCache({
    default: "both",
    stores: { both: store },
    ttl: `${ttl}s`,
    grace: `${GRACE}s`,
    timeout: 0,
  });
  return { getOrSet: (key, factory) => cache.getOrSet({ key, factory }) };
}
