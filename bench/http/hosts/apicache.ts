import type { IncomingMessage, ServerResponse } from "node:http";
import { by, LIFETIME, load, url } from "./host.ts";

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

interface Apicache {
  options(options: { redisClient?: unknown }): Apicache;
  middleware(lifetime: string): Middleware;
}

/** apicache or its successor, each in memory or over the client that its documentation uses; `undefined` for other contenders. */
export function apicacheMiddleware(): Middleware | undefined {
  if (by === "apicache") return load<Apicache>("apicache").middleware(LIFETIME);
  if (by === "apicache-redis") {
    const { createClient } = load<{ createClient(url: string): unknown }>("redis");
    return load<Apicache>("apicache")
      .options({ redisClient: createClient(url) })
      .middleware(LIFETIME);
  }
  if (by === "apicache-plus") return load<Apicache>("apicache-plus").middleware(LIFETIME);
  if (by === "apicache-plus-redis") {
    const Redis = load<new (url: string) => unknown>("ioredis");
    return load<Apicache>("apicache-plus")
      .options({ redisClient: new Redis(url) })
      .middleware(LIFETIME);
  }
  return undefined;
}
