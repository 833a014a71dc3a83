import assert from "node:assert/strict";
import type { Cache } from "valkey-edge-cache";
import { type Contender, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { type Opened, open, untilNear } from "../near/contenders.ts";
import type { HitCase } from "../near/hits.ts";
import { sizes } from "../stores/values.ts";

const KEYS = 100;
export const callerCounts = [1, 50];
const FULL: Sampling = { rounds: 9, sliceMs: 200 };
/** As in the grid of stores: a lone caller's time depends on where the system puts its threads. */
const FULL_LONE: Sampling = { rounds: 35, sliceMs: 50 };
const NEAR: Sampling = { rounds: 9, sliceMs: 100 };
export const QUICK: Sampling = { rounds: 3, sliceMs: 50 };
/** Calls of all callers together between two turns of the event loop, where calls wait for nothing. */
const BURST = 2_000;

/** A cache with entries of 1 KB, which have two tags each, or none. */
export interface Filled {
  readonly name: string;
  readonly cache: Cache;
  readonly keys: readonly string[];
}

/** Opens a cache, writes entries, and sees that they are answered: with a near cache, from the process. */
export async function fill(url: string, isTagged: boolean, opened: Opened): Promise<Filled> {
  const name = isTagged ? "with tags" : "without tags";
  const cache = open(url, opened);
  const make = sizes.find((size) => size.name === "1 KB")?.make ?? (() => ({}));
  const keys = Array.from({ length: KEYS }, (_key, id) => `place:${id}`);
  for (const [id, key] of keys.entries()) {
    await cache.set(key, make(id), isTagged ? { tags: ["places", `place:${id}`] } : {});
  }
  if (opened.near) await untilNear(cache, keys[0] ?? "");
  for (const [id, key] of keys.entries()) assert.deepEqual(await cache.get(key), make(id));
  return { name, cache, keys };
}

/** Calls with the next key each time. */
export function each({ name, keys }: Filled, call: (key: string) => Promise<unknown>): Contender {
  let next = 0;
  return { name, call: () => call(keys[next++ % keys.length] ?? "") };
}

/** Hits of entries with tags; the baseline is entries without, in a cache of their own, which meets no tags. */
export async function measureHits(url: string, options: BenchOptions): Promise<HitCase[]> {
  const rows: readonly (readonly [
    operation: string,
    opened: Opened,
    call: (cache: Cache, key: string) => Promise<unknown>,
  ])[] = [
    ["get", {}, get],
    ["getOrSet", {}, getOrSet],
    ["getOrSet with herd()", { isHerd: true }, getOrSet],
    ["get, near cache", { near: "copy" }, get],
    ["getOrSet, near cache", { near: "copy" }, getOrSet],
    ["getOrSet with herd(), near cache", { near: "copy", isHerd: true }, getOrSet],
  ];
  const cases: HitCase[] = [];
  for (const [operation, opened, call] of rows) {
    if (!isWanted(operation, options)) continue;
    const filled = [
      await fill(url, false, { ...opened, keyPrefix: `${operation}, plain` }),
      await fill(url, true, { ...opened, keyPrefix: `${operation}, tagged` }),
    ];
    const contenders = filled.map((one) => each(one, (key) => call(one.cache, key)));
    for (const callers of callerCounts) {
      const full = opened.near ? NEAR : callers === 1 ? FULL_LONE : FULL;
      const burst = opened.near ? BURST / callers : 0;
      const compared = await compare(contenders, callers, { ...(options.quick ? QUICK : full), burst });
      cases.push({ operation, callers, contenders: compared });
      console.log(`${operation}, ${callers}: ${(compared[1]?.ratio ?? Number.NaN).toFixed(2)}`);
    }
    for (const { cache } of filled) await cache.close();
  }
  return cases;
}

function get(cache: Cache, key: string): Promise<unknown> {
  return cache.get(key);
}

function getOrSet(cache: Cache, key: string): Promise<unknown> {
  return cache.getOrSet(key, neverCalled);
}

async function neverCalled(): Promise<never> {
  throw new Error("a value that was there has gone; see that the values outlive the bench");
}
