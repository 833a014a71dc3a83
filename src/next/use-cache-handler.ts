import { createHash } from "node:crypto";
import type { Age } from "./entries.js";
import type { Fields } from "./frame.js";
import type { Durations } from "./purges.js";
import { type NextHandlerOptions, type OpenStore, toStore } from "./setup.js";

/** An entry of `"use cache"`. Durations are seconds. */
export interface UseCacheEntry {
  value: ReadableStream<Uint8Array>;
  tags: string[];
  /** How long browsers keep it. */
  stale: number;
  /** When its generation began, in milliseconds since the epoch. */
  timestamp: number;
  /** How long it is used. */
  expire: number;
  /** When it is generated again. */
  revalidate: number;
}

/** What Next calls for `"use cache"` and `"use cache: remote"`. */
export interface UseCacheHandler {
  get(cacheKey: string, softTags: string[]): Promise<UseCacheEntry | undefined>;
  set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>;
  refreshTags(): Promise<void>;
  getExpiration(tags: string[]): Promise<number>;
  updateTags(tags: string[], durations?: Durations): Promise<void>;
}

/**
 * A handler for `cacheHandlers` in Next's configuration: make it in a file that this names.
 * @throws {ConfigurationError} on wrong options
 * @example export default useCacheHandler({ location: "valkey://localhost:6379", nearCache: nearCache() });
 */
export function useCacheHandler(options: NextHandlerOptions): UseCacheHandler {
  return handlerOf(toStore("useCacheHandler", options));
}

/** @internal */
export function handlerOf(open: OpenStore): UseCacheHandler {
  return {
    async get(cacheKey, softTags) {
      const store = open();
      if (!store) return undefined;
      store.builds.note();
      const name = store.builds.name("use", digest(cacheKey));
      const found = await store.entries.get(name, { tags: softTags, age: ageOf, isShared: false, generates: true });
      if (!found) return undefined;
      const { value, ...entry } = toEntry(found.fields);
      const { state } = found;
      if (state === "stale" && ageOf(found.fields) === "fresh") entry.revalidate = -1;
      // Another one generates it. The timestamp stays, as Next compares it with the times of purges.
      if (state === "refreshing") {
        entry.revalidate = Math.max(entry.revalidate, (Date.now() - entry.timestamp) / 1_000 + SERVED_S);
      }
      return { ...entry, value: streamOf(value) };
    },

    async set(cacheKey, pendingEntry) {
      const store = open();
      if (!store) return discard(pendingEntry);
      await store.entries.set(store.builds.name("use", digest(cacheKey)), async () => {
        const read = await readEntry(pendingEntry);
        if (!read) return undefined;
        const { tags, timestamp, expire } = read;
        const ttlMs = Math.min(timestamp + expire * 1_000 - Date.now(), store.maxTtlMs);
        return { fields: { ...read }, tags: [...tags, store.builds.tag], ttlMs: expire === 0 ? 0 : Math.ceil(ttlMs) };
      });
    },

    // Each `get` reads the purges since the last one in its own round trip.
    async refreshTags() {},

    // Next then gives the tags to `get`.
    getExpiration: async () => Infinity,

    async updateTags(tags, durations) {
      await open()?.purges.add(tags, durations);
    },
  };
}

/** How long a stale entry counts as fresh for Next while another caller generates it. */
const SERVED_S = 5;

type Stored = Omit<UseCacheEntry, "value"> & { readonly value: Uint8Array };

/** Only `set` writes these keys. */
function toEntry(fields: Fields): Stored {
  return fields as unknown as Stored;
}

function ageOf(fields: Fields): Age {
  const { timestamp, expire, revalidate } = toEntry(fields);
  const ageMs = Date.now() - timestamp;
  if (ageMs > expire * 1_000) return "gone";
  return ageMs > revalidate * 1_000 ? "stale" : "fresh";
}

/** Waits for the entry and all of its stream; `undefined` when one of them fails, which Next reports itself. */
async function readEntry(pending: Promise<UseCacheEntry>): Promise<Stored | undefined> {
  try {
    const { value, tags, stale, timestamp, expire, revalidate } = await pending;
    const chunks: Uint8Array[] = [];
    for await (const chunk of value) chunks.push(chunk);
    return { value: Buffer.concat(chunks), tags, stale, timestamp, expire, revalidate };
  } catch {
    return undefined;
  }
}

/** Next keeps what is not read of a stream. */
async function discard(pending: Promise<UseCacheEntry>): Promise<void> {
  await pending.then(({ value }) => value.cancel()).catch(() => {});
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Next's keys have all arguments in them. */
function digest(cacheKey: string): string {
  return createHash("sha256").update(cacheKey).digest("base64url");
}
