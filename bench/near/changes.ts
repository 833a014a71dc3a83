import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "iovalkey";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { quantile } from "../harness/statistics.ts";
import { open, untilNear } from "./contenders.ts";

/** How long after the reply to a write by another client the near cache may still answer the old value. */
export interface ChangeCase {
  readonly writesPerSecond: number;
  readonly writes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** A round trip of the writer in the same run. */
  readonly roundTripMs: number;
}

const PER_SECOND = 1_000;
const PAUSE_MS = 10;
const KEYS = 10;

/**
 * A client that knows nothing of the library overwrites ten keys each 10 ms. The time of a key ends when the near cache
 * has no old value any more: the process looks at each turn of the event loop.
 */
export async function measureChanges(url: string, options: BenchOptions): Promise<ChangeCase[]> {
  if (!isWanted("changes", options)) return [];
  const cache = open(url, { keyPrefix: "changes", near: "copy" });
  const { hostname: host, port } = new URL(url);
  const writer = new Redis({ host, port: Number(port) });
  const keys = Array.from({ length: KEYS }, (_key, i) => `change:${i}`);
  const stored = keys.map((key) => String(cache.makeKey(key)));
  for (const key of keys) await cache.set(key, 0);
  await untilNear(cache, keys[0] ?? "");
  const { near } = cache.shared;
  if (!near) throw new Error("there is no near cache");
  const delays: number[] = [];
  const roundTrips: number[] = [];
  const endMs = performance.now() + (options.quick ? 1_000 : 10_000);
  let next = performance.now();
  for (let value = 1; performance.now() < endMs; value++) {
    // All are known, so that each write ends one.
    await cache.getMany(keys);
    const sentMs = performance.now();
    const replied = await Promise.all(
      stored.map(async (key) => {
        await writer.set(key, String(value));
        return performance.now();
      }),
    );
    roundTrips.push((replied[0] ?? Number.NaN) - sentMs);
    const open = new Set(stored.keys());
    while (open.size > 0) {
      for (const i of open) {
        const known = near.recall(stored[i] ?? "");
        if (known !== undefined && known.stored !== String(value)) continue;
        open.delete(i);
        delays.push(Math.max(0, performance.now() - (replied[i] ?? Number.NaN)));
      }
      if (open.size > 0) await new Promise(setImmediate);
    }
    next += (KEYS / PER_SECOND) * 1_000;
    await sleep(Math.max(0, Math.min(PAUSE_MS, next - performance.now())));
  }
  writer.disconnect();
  await cache.close();
  const one = {
    writesPerSecond: PER_SECOND,
    writes: delays.length,
    p50Ms: quantile(delays, 0.5),
    p99Ms: quantile(delays, 0.99),
    roundTripMs: quantile(roundTrips, 0.5),
  };
  console.log(`changes: p50 ${one.p50Ms.toFixed(2)} ms, p99 ${one.p99Ms.toFixed(2)} ms after ${one.writes} writes`);
  return [one];
}
