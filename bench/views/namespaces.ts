import type { Cache } from "valkey-edge-cache";
import { type Contender, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { type Opened, open, untilNear } from "../near/contenders.ts";
import type { HitCase } from "../near/hits.ts";
import { sizes } from "../stores/values.ts";

const KEYS = 100;
const callerCounts = [1, 50];
const FULL: Sampling = { rounds: 9, sliceMs: 200 };
/** As in the grid of stores: a lone caller's time depends on where the system puts its threads. */
const FULL_LONE: Sampling = { rounds: 35, sliceMs: 50 };
const NEAR: Sampling = { rounds: 9, sliceMs: 100 };
const QUICK: Sampling = { rounds: 3, sliceMs: 50 };
/** Calls of all callers together between two turns of the event loop, where calls wait for nothing. */
const BURST = 2_000;

/** Hits through a namespace, in a view that is kept and in one for each call. The baseline is a cache that has none. */
export async function measureNamespaces(url: string, options: BenchOptions): Promise<HitCase[]> {
  const rows: readonly (readonly [operation: string, opened: Opened, call: Call])[] = [
    ["get", {}, get],
    ["getOrSet", {}, getOrSet],
    ["get, near cache", { near: "copy" }, get],
    ["getOrSet, near cache", { near: "copy" }, getOrSet],
  ];
  const cases: HitCase[] = [];
  for (const [operation, opened, call] of rows) {
    if (!isWanted(`${operation}, namespaces`, options)) continue;
    const plain = open(url, { ...opened, keyPrefix: `${operation}, plain` });
    const whole = open(url, { ...opened, keyPrefix: `${operation}, namespaces` });
    const kept = whole.namespace("tenant-42");
    const keys = Array.from({ length: KEYS }, (_key, id) => `place:${id}`);
    for (const cache of [plain, kept]) await fill(cache, keys, opened);
    const through = (name: string, cache: () => Cache): Contender => {
      let next = 0;
      return { name, call: () => call(cache(), keys[next++ % KEYS] ?? "") };
    };
    const contenders = [
      through("the cache", () => plain),
      through("a namespace", () => kept),
      through("a new view of it for each call", () => whole.namespace("tenant-42")),
    ];
    for (const callers of callerCounts) {
      const full = opened.near ? NEAR : callers === 1 ? FULL_LONE : FULL;
      const burst = opened.near ? BURST / callers : 0;
      const compared = await compare(contenders, callers, { ...(options.quick ? QUICK : full), burst });
      cases.push({ operation, callers, contenders: compared });
      console.log(`${operation}, ${callers}: ${compared.map(({ ratio }) => ratio.toFixed(2)).join(", ")}`);
    }
    await plain.close();
    await whole.close();
  }
  return cases;
}

type Call = (cache: Cache, key: string) => Promise<unknown>;

const get: Call = (cache, key) => cache.get(key);
const getOrSet: Call = (cache, key) => cache.getOrSet(key, neverCalled);

async function fill(cache: Cache, keys: readonly string[], { near }: Opened): Promise<void> {
  const make = sizes.find(({ name }) => name === "1 KB")?.make ?? (() => ({}));
  for (const [id, key] of keys.entries()) await cache.set(key, make(id));
  if (near) await untilNear(cache, keys[0] ?? "");
  for (const key of keys) await cache.get(key);
}

async function neverCalled(): Promise<never> {
  throw new Error("a value that was there has gone; see that the values outlive the bench");
}
