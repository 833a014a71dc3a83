import assert from "node:assert/strict";
import type { OpenStore, Store } from "./basic/store.ts";
import { type Size, sizes } from "./basic/values.ts";
import { type Comparison, compare, type Sampling } from "./harness/measure.ts";
import { type BenchOptions, benchOptions, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { type Server, startServer } from "./harness/server.ts";
import { toMarkdown } from "./harness/table.ts";
import { basicTable } from "./tables.ts";

/** The first is what the others are compared with. */
const contenders = [
  { name: "GLIDE by hand", file: "glide" },
  { name: "valkey-edge-cache", file: "library" },
  { name: "ioredis by hand", file: "ioredis" },
  { name: "iovalkey by hand", file: "iovalkey" },
];
const callerCounts = [1, 50, 500];
const KEYS = 100;
/** More than this in flight at once measures the garbage collector. */
const MAX_BYTES_IN_FLIGHT = 100_000_000;

const FULL: Sampling = { rounds: 9, sliceMs: 200 };
const QUICK: Sampling = { rounds: 3, sliceMs: 60 };

type Operation = (store: Store, keys: readonly string[], values: readonly unknown[]) => () => Promise<unknown>;

/** Each call takes the next key. */
const operations: Readonly<Record<string, { readonly values: number; readonly prepare: Operation }>> = {
  get: { values: 1, prepare: (store, keys) => each(keys, (key) => store.get(key)) },
  set: { values: 1, prepare: (store, keys, values) => each(keys, (key, i) => store.set(key, values[i])) },
  "getMany(100)": { values: KEYS, prepare: (store, keys) => () => store.getMany(keys) },
  "getOrSet, a hit": { values: 1, prepare: (store, keys) => each(keys, (key) => store.getOrSet(key, neverCalled)) },
};

export interface BasicCase {
  readonly operation: string;
  readonly size: string;
  readonly callers: number;
  readonly contenders: readonly Comparison[];
}

const options = benchOptions();
await using server = await startServer();
const cases = await measureAll(options, server);
const packages = ["@valkey/valkey-glide", "ioredis", "iovalkey"];
const result = { environment: await environment(server.version, packages), cases };
console.log(`\n${toMarkdown(basicTable(result))}`);
if (!options.quick && options.only.length === 0) await writeResult("basic", result);

async function measureAll(wanted: BenchOptions, { url }: Server): Promise<BasicCase[]> {
  const stores = await openAll(url);
  const done: BasicCase[] = [];
  for (const size of sizes) {
    const { keys, values } = await fill(stores, size);
    for (const [operation, { values: perCall, prepare }] of Object.entries(operations)) {
      for (const callers of callerCounts) {
        const name = `${operation}, ${size.name}, ${callers}`;
        if (!isWanted(name, wanted) || size.bytes * perCall * callers > MAX_BYTES_IN_FLIGHT) continue;
        const rows = [...stores].map(([contender, store]) => ({
          name: contender,
          call: prepare(store, keys.get(contender) ?? [], values),
        }));
        const comparisons = await compare(rows, callers, wanted.quick ? QUICK : FULL);
        done.push({ operation, size: size.name, callers, contenders: comparisons });
        console.log(`${name}: ${comparisons.map((row) => `${row.name} ${row.ratio.toFixed(2)}`).join(", ")}`);
      }
    }
  }
  for (const store of stores.values()) await store.close();
  return done;
}

async function openAll(url: string): Promise<Map<string, Store>> {
  const stores = new Map<string, Store>();
  for (const { name, file } of contenders) {
    // Not named to the type checker: what it imports may not be installed.
    const module = (await import(new URL(`basic/${file}.ts`, import.meta.url).href)) as { open: OpenStore };
    stores.set(name, await module.open(url));
  }
  return stores;
}

/** Writes the values under keys of each contender's own, and sees that all read back what they wrote. */
async function fill(stores: ReadonlyMap<string, Store>, size: Size) {
  const values = Array.from({ length: KEYS }, (_value, id) => size.make(id));
  const keys = new Map<string, string[]>();
  for (const [i, [name, store]] of [...stores].entries()) {
    const own = values.map((_value, id) => `${i}:${size.bytes}:place:${id}`);
    keys.set(name, own);
    for (const [id, key] of own.entries()) {
      await store.set(key, values[id]);
      assert.deepEqual(await store.get(key), values[id]);
    }
  }
  return { keys, values };
}

function each(keys: readonly string[], call: (key: string, i: number) => Promise<unknown>): () => Promise<unknown> {
  let next = 0;
  return () => {
    const i = next++ % keys.length;
    return call(keys[i] ?? "", i);
  };
}

async function neverCalled(): Promise<never> {
  throw new Error("a value that was there has gone; see that the values outlive the bench");
}
