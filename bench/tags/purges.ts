import assert from "node:assert/strict";
import { createCache } from "valkey-edge-cache";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { Server } from "../harness/server.ts";
import { quantile } from "../harness/statistics.ts";
import { count } from "../harness/table.ts";
import { TTL } from "../near/contenders.ts";
import { sizes } from "../stores/values.ts";

/** What a purge costs, by how many entries have the tag. */
export interface PurgeCase {
  readonly entries: number;
  readonly purges: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** A `set` of one of these entries, in turn with the purges: the baseline. */
  readonly setP50Ms: number;
  readonly setP99Ms: number;
  readonly sampled: number;
  /** How many of the sampled entries were answered, before the first purge and after it. */
  readonly answeredBefore: number;
  readonly answeredAfter: number;
}

const SAMPLED = 10_000;
/** Entries that one script writes, so that none holds the server for long. */
const BATCH = 20_000;

const COPY = `local value = redis.call('GET', KEYS[1])
for id = ARGV[2], ARGV[3] do redis.call('SET', ARGV[1] .. string.format('%.0f', id), value, 'EX', ARGV[4]) end`;

export async function measurePurges(server: Server, options: BenchOptions): Promise<PurgeCase[]> {
  if (!isWanted("purges", options)) return [];
  const cases: PurgeCase[] = [];
  for (const entries of [1, options.quick ? 10_000 : 1_000_000]) {
    cases.push(await measurePurge(server, entries, options.quick ? 200 : 2_000));
  }
  return cases;
}

/** The entries are copies, made inside the server, of one that the library wrote with a tag. */
async function measurePurge(server: Server, entries: number, purges: number): Promise<PurgeCase> {
  const cache = createCache({ location: server.url, ttl: TTL, keyPrefix: `purges${entries}` });
  const value = sizes[0]?.make(0);
  await cache.set("page:0", value, { tags: ["pages"] });
  const first = String(cache.makeKey("page:0"));
  for (let id = 1; id < entries; id += BATCH) {
    const last = Math.min(entries, id + BATCH) - 1;
    await server.command("EVAL", COPY, "1", first, first.slice(0, -1), String(id), String(last), String(TTL));
  }
  const sampled = Math.min(entries, SAMPLED);
  const keys = Array.from({ length: sampled }, (_key, i) => `page:${Math.floor((i * entries) / sampled)}`);
  const answered = async (): Promise<number> => {
    let size = 0;
    for (let i = 0; i < sampled; i += 1_000) size += (await cache.getMany(keys.slice(i, i + 1_000))).size;
    return size;
  };
  const answeredBefore = await answered();
  assert.equal(answeredBefore, sampled, "entries that the server copied are not as the library writes them");
  let answeredAfter = Number.NaN;
  const [purgeMs, setMs]: [number[], number[]] = [[], []];
  for (let i = 0; i < purges; i++) {
    purgeMs.push(await timed(() => cache.purgeTags(["pages"])));
    if (i === 0) answeredAfter = await answered();
    setMs.push(await timed(() => cache.set("other", value)));
  }
  await cache.close();
  const [p50Ms, p99Ms] = [quantile(purgeMs, 0.5), quantile(purgeMs, 0.99)];
  const [setP50Ms, setP99Ms] = [quantile(setMs, 0.5), quantile(setMs, 0.99)];
  console.log(
    `purge of ${count(entries)}: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${answeredAfter} answered`,
  );
  return { entries, purges, p50Ms, p99Ms, setP50Ms, setP99Ms, sampled, answeredBefore, answeredAfter };
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await call();
  return performance.now() - startMs;
}
