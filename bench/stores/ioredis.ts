import { Redis } from "ioredis";
import { RedisByHand } from "./redis-like.ts";
import type { Store } from "./store.ts";

export async function open(url: string): Promise<Store> {
  return new RedisByHand(new Redis(url.replace("valkey:", "redis:")));
}
