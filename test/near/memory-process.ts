import { setTimeout as sleep } from "node:timers/promises";
import { createCache, nearCache } from "valkey-edge-cache";
import { msgpack } from "valkey-edge-cache/msgpack";

/** What a process is to read. */
export interface Flood {
  readonly keyPrefix: string;
  readonly maxSize: number;
  readonly values: "copy" | "shared";
  readonly isBinary: boolean;
  readonly count: number;
  /** In bytes, about. */
  readonly valueSize: number;
  readonly keySize: number;
  /** How many other keys another client writes at once in the end. */
  readonly changes?: number;
}

/** What its near cache takes. */
export interface Taken {
  /** Memory, as measured. */
  readonly bytes: number;
  /** The most memory that was in use while the process received changes. */
  readonly most: number;
  readonly size: number;
  readonly entries: number;
}

/** Reads more entries than a near cache has room for, and measures what memory it takes. Run with --expose-gc. */
const [location = "", given = "{}"] = process.argv.slice(2);
const { keyPrefix, maxSize, values, isBinary, count, valueSize, keySize, changes = 0 } = JSON.parse(given) as Flood;
const common = { location, keyPrefix, commandTimeout: 30, ...(isBinary ? { serializer: msgpack() } : {}) };
const writer = createCache(common);
// Collecting garbage all the time is no silence of the server.
const cache = createCache({ ...common, nearCache: nearCache({ maxSize, values, maxStaleness: "1m" }) });

const keyOf = (i: number): string => `${i}:`.padEnd(keySize, "k");
/** An object as services keep them, of about that length. */
const makeValue = (i: number): unknown => {
  const items = [];
  for (let size = 0; size < valueSize - 60; size += 60) {
    items.push({ id: i + size, name: `n${i}-${size}`, isOpen: true, at: 1.5 * size });
  }
  return { id: i, items };
};

async function used(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await sleep(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function read(from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += 200) {
    const keys = Array.from({ length: Math.min(200, to - start) }, (_key, i) => keyOf(start + i));
    await writer.setMany(new Map(keys.map((key, i) => [key, makeValue(start + i)])), { ttl: 600 });
    await cache.getMany(keys);
    // Shared values are decoded by the next read.
    await cache.getMany(keys);
  }
}

/** Writes inside the server, and waits until the process has received all. @returns the most memory in use meanwhile */
async function flood(): Promise<number> {
  const entries = async () => (await cache.health()).nearCache?.entries ?? 0;
  const known = await entries();
  let most = 0;
  const timer = setInterval(() => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    most = Math.max(most, heapUsed + external);
  }, 5);
  const script = `for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, '') end redis.call('DEL', ARGV[1])`;
  const last = String(cache.makeKey(keyOf(count - 1)));
  await writer.connection.send([["EVAL", script, "0", last, String(changes)]]);
  while ((await entries()) >= known) await sleep(5);
  clearInterval(timer);
  return most;
}

await cache.get("connect");
while (!(await cache.health()).nearCache?.listening) await sleep(5);
// Code is compiled, and buffers have their size.
await read(0, 600);
await cache.flush();
const before = await used();
await read(0, count);
const after = await used();
const most = changes > 0 ? await flood() : after;
const near = (await cache.health()).nearCache;
const taken: Taken = { bytes: after - before, most: most - before, size: near?.size ?? 0, entries: near?.entries ?? 0 };
process.send?.(taken);
await cache.close();
await writer.close();
process.disconnect();
