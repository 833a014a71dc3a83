import assert from "node:assert/strict";
import type { Cache } from "valkey-edge-cache";
import { type Comparison, type Contender, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { sizes } from "../stores/values.ts";
import { loadPeers, lru, open, type Reader, untilNear } from "./contenders.ts";

export interface HitCase {
  readonly operation: string;
  readonly callers: number;
  /** The first is what the others are compared with. */
  readonly contenders: readonly Comparison[];
}

const KEYS = 100;
const callerCounts = [1, 50];
const FULL: Sampling = { rounds: 9, sliceMs: 100 };
const QUICK: Sampling = { rounds: 3, sliceMs: 50 };
/** Calls of all callers together between two turns of the event loop: about a millisecond. */
const BURST = 2_000;

/** Reads of values that the process has. */
export async function measureHits(url: string, options: BenchOptions): Promise<HitCase[]> {
  const make = sizes.find(({ name }) => name === "1 KB")?.make ?? (() => ({}));
  const values = Array.from({ length: KEYS }, (_value, id) => make(id));
  const texts = values.map((value) => JSON.stringify(value));
  const keys = values.map((_value, id) => `place:${id}`);

  const { bentocache, nodeRedis } = await loadPeers();
  const readers = {
    lru: lru(),
    serialized: bentocache(url, true),
    byReference: bentocache(url, false),
    nodeRedis: await nodeRedis(url),
  };
  const caches = {
    server: open(url, { keyPrefix: "plain" }),
    copy: open(url, { keyPrefix: "plain", near: "copy" }),
    shared: open(url, { keyPrefix: "plain", near: "shared" }),
    herdCopy: open(url, { keyPrefix: "herd", near: "copy", isHerd: true }),
    herdShared: open(url, { keyPrefix: "herd", near: "shared", isHerd: true }),
  };
  for (const store of [...Object.values(readers), caches.server, caches.herdCopy]) {
    for (const [i, key] of keys.entries()) await store.set(key, values[i]);
  }
  for (const [name, cache] of Object.entries(caches)) if (name !== "server") await untilNear(cache, keys[0] ?? "");
  for (const store of [...Object.values(readers), ...Object.values(caches)]) {
    for (const [i, key] of keys.entries()) assert.deepEqual(await store.get(key), values[i]);
  }

  const get = (name: string, store: Pick<Reader | Cache, "get">): Contender => ({
    name,
    call: each(keys, (key) => store.get(key)),
  });
  const getOrSet = (name: string, cache: Cache): Contender => ({
    name,
    call: each(keys, (key) => cache.getOrSet(key, neverCalled)),
  });
  const own = (store: Reader): Contender => get(store.name, store);
  const getMany = (name: string, cache: Cache): Contender => ({ name, call: () => cache.getMany(keys) });
  const parseAll: Contender = {
    name: "100 × JSON.parse",
    call: async () => texts.map((text) => JSON.parse(text)),
  };

  const copies = [
    own(readers.lru),
    get("near cache, copy", caches.copy),
    own(readers.serialized),
    own(readers.nodeRedis),
  ];
  const shared = [own(readers.byReference), get("near cache, shared", caches.shared)];
  const rows: readonly (readonly [operation: string, contenders: readonly Contender[], perBurst?: number])[] = [
    ["get, copies", copies],
    ["get, shared", shared],
    ["getOrSet, copies", [get("get", caches.copy), getOrSet("getOrSet", caches.copy)]],
    ["getOrSet with herd(), copies", [get("get", caches.herdCopy), getOrSet("getOrSet", caches.herdCopy)]],
    ["getOrSet with herd(), shared", [get("get", caches.herdShared), getOrSet("getOrSet", caches.herdShared)]],
    ["getMany(100), copies", [parseAll, getMany("near cache, copy", caches.copy)], KEYS],
  ];
  const cases: HitCase[] = [];
  const add = (operation: string, callers: number, contenders: readonly Comparison[]): void => {
    cases.push({ operation, callers, contenders });
    console.log(`${operation}, ${callers}: ${contenders.map(describe).join(", ")}`);
  };
  for (const [operation, contenders, keysOfCall = 1] of rows) {
    for (const callers of callerCounts) {
      if (!isWanted(operation, options)) continue;
      const burst = Math.max(1, Math.round(BURST / callers / keysOfCall));
      add(operation, callers, await compare(contenders, callers, { ...(options.quick ? QUICK : FULL), burst }));
    }
  }
  // Through the server a call waits for sockets, so no bursts are needed.
  for (const [operation, contenders] of [
    ["getMany(100), shared", [getMany("the server", caches.server), getMany("near cache, shared", caches.shared)]],
    ["get, over the server", [get("the server", caches.server)]],
  ] as const) {
    for (const callers of callerCounts) {
      if (!isWanted(operation, options)) continue;
      const burst = contenders.length > 1 ? 4 : 0;
      add(operation, callers, await compare(contenders, callers, { ...(options.quick ? QUICK : FULL), burst }));
    }
  }
  for (const store of [...Object.values(readers), ...Object.values(caches)]) await store.close();
  return cases;
}

function describe({ name, perSecond, ratio }: Comparison): string {
  return `${name} ${Math.round(perSecond / 1_000)} k/s (${ratio.toFixed(2)})`;
}

/** Calls with the next key each time. */
function each(keys: readonly string[], call: (key: string) => Promise<unknown>): () => Promise<unknown> {
  let next = 0;
  return () => {
    next = next === KEYS - 1 ? 0 : next + 1;
    return call(keys[next] ?? "");
  };
}

async function neverCalled(): Promise<never> {
  throw new Error("a value that was there has gone; see that the values outlive the bench");
}
