import KeyvRedis from "@keyv/redis";
import KeyvValkey from "@keyv/valkey";
import Keyv from "keyv";
import { createStorage } from "unstorage";
import redisDriver from "unstorage/drivers/redis";
import { type Reader, TTL } from "../near/contenders.ts";
import { keyvReader, storageReader } from "./contenders.ts";

/** The adapters of keyv and unstorage for this server, with their defaults. */
export function peers(url: string): readonly Reader[] {
  const location = url.replace("valkey:", "redis:");
  const ttl = TTL * 1_000;
  return [
    keyvReader("keyv, @keyv/redis", new Keyv({ store: new KeyvRedis(location), ttl, namespace: "redis" })),
    keyvReader("keyv, @keyv/valkey", new Keyv({ store: new KeyvValkey(location), ttl, namespace: "valkey" })),
    storageReader(
      "unstorage, its redis driver",
      createStorage({ driver: redisDriver({ url: location, base: "unstorage", ttl: TTL }) }),
    ),
  ];
}
