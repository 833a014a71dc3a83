import Keyv from "keyv";
import { createStorage } from "unstorage";
import { type Cache, type CacheOptions, createCache, iovalkey, nearCache } from "valkey-edge-cache";
import { fastDeserialize, keyvStore } from "valkey-edge-cache/keyv";
import { valkeyDriver } from "valkey-edge-cache/unstorage";
import { MAX_SIZE, type Reader, TTL } from "../near/contenders.ts";

/** Where entries are read: through a transport, or in the process. */
export type Place = "valkey-glide" | "iovalkey" | "near cache";

/** This library: its own `get`, and the same through keyv and unstorage. Each has a prefix of its own. */
export function ours(url: string, place: Place): readonly Reader[] {
  const options = (name: string): OwnOptions => optionsOf(url, place, name);
  const keyv = (name: string): Keyv => new Keyv({ store: keyvStore(options(name)), ttl: TTL * 1_000 });
  const fast = keyv("keyv, fast");
  fast.deserialize = fastDeserialize(fast.deserialize);
  const given = createCache(options("unstorage, given"));
  return [
    cacheReader(createCache(options("own"))),
    keyvReader("keyv, keyvStore()", keyv("keyv")),
    keyvReader("keyv, keyvStore(), fastDeserialize()", fast),
    storageReader("unstorage, valkeyDriver()", createStorage({ driver: valkeyDriver(options("unstorage")) })),
    storageReader(
      "unstorage, valkeyDriver({ cache })",
      createStorage({ driver: valkeyDriver({ cache: given }) }),
      given,
    ),
  ];
}

type OwnOptions = Omit<CacheOptions, "serializer"> & { location: string };

function optionsOf(location: string, place: Place, name: string): OwnOptions {
  const keyPrefix = `${name} ${place}`;
  if (place === "iovalkey") return { location, keyPrefix, ttl: TTL, connectionFactory: iovalkey() };
  if (place === "near cache") return { location, keyPrefix, ttl: TTL, nearCache: nearCache({ maxSize: MAX_SIZE }) };
  return { location, keyPrefix, ttl: TTL };
}

function cacheReader(cache: Cache): Reader {
  return {
    name: "cache.get",
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    close: () => cache.close(),
  };
}

/** What keyv is called with, whatever its adapter. */
export function keyvReader(name: string, keyv: Keyv): Reader {
  return {
    name,
    get: (key) => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
    close: () => keyv.disconnect(),
  };
}

/** What unstorage is called with, whatever its driver. @param cache what the driver was given, and so doesn't close */
export function storageReader(name: string, storage: ReturnType<typeof createStorage>, cache?: Cache): Reader {
  return {
    name,
    get: (key) => storage.getItem(key),
    set: (key, value) => storage.setItem(key, JSON.stringify(value)),
    close: async () => {
      await storage.dispose();
      await cache?.close();
    },
  };
}

/** Adapters of others, in a file of its own: their packages are installed for benches alone, and type checks do without them. */
export interface Peers {
  peers(url: string): readonly Reader[];
}

export function loadPeers(): Promise<Peers> {
  return import(String(new URL("peers.ts", import.meta.url)));
}
