import type { Cache } from "@epic-web/cachified";
import { createClient } from "@redis/client";
import { redisCacheAdapter } from "cachified-redis-adapter";

export async function openAdapter(url: string): Promise<Cache> {
  const client = createClient({ url: url.replace("valkey:", "redis:") });
  await client.connect();
  return redisCacheAdapter(client);
}
