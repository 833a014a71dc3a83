import { LRUCache } from "lru-cache";
import { type Cache, createCache, herd, nearCache } from "valkey-edge-cache";

/** One way to read values that the process has. */
export interface Reader {
  readonly name: string;
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Lifetime of everything that is stored, in seconds. */
export const TTL = 3_600;
/** More than all entries of the bench take. */
export const MAX_SIZE = 268_435_456;

/** What people write themselves, in an async function: an LRU of JSON text, without invalidation. */
export function lru(): Reader {
  const texts = new LRUCache<string, string>({ max: 10_000 });
  return {
    name: "an LRU with JSON.parse",
    async get(key) {
      const text = texts.get(key);
      return text === undefined ? undefined : JSON.parse(text);
    },
    set: async (key, value) => texts.set(key, JSON.stringify(value)),
    close: async () => texts.clear(),
  };
}

/** Other libraries, in a file of its own: their packages are installed for benches alone, and type checks do without them. */
export interface Peers {
  bentocache(url: string, isSerialized: boolean): Reader;
  nodeRedis(url: string): Promise<Reader>;
}

export function loadPeers(): Promise<Peers> {
  return import(String(new URL("peers.ts", import.meta.url)));
}

export interface Opened {
  readonly near?: "copy" | "shared";
  readonly isHerd?: boolean;
  readonly keyPrefix?: string;
  readonly maxEntries?: number;
}

/** This library: without a near cache, every read goes to the server. */
export function open(url: string, { near, isHerd = false, keyPrefix = "", maxEntries }: Opened): Cache {
  return createCache({
    location: url,
    ttl: TTL,
    keyPrefix,
    ...(near ? { nearCache: nearCache({ values: near, maxSize: MAX_SIZE, maxEntries }) } : {}),
    ...(isHerd ? { client: herd() } : {}),
  });
}

/** Resolves when the near cache answers: it listens, and has the entry. */
export async function untilNear(cache: Cache, key: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (performance.now() < endMs) {
    await cache.get(key);
    if (((await cache.health()).nearCache?.entries ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the near cache keeps nothing; see its health()");
}
