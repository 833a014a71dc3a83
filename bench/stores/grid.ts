import assert from "node:assert/strict";
import { type Comparison, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { OpenStore, Store } from "./store.ts";
import { type Size, sizes } from "./values.ts";

/** One way to do the work: a file of this folder. The first of several is what the others are compared with. */
export interface StoreFile {
  readonly name: string;
  readonly file: string;
}

export interface GridCase {
  readonly operation: string;
  readonly size: string;
  readonly callers: number;
  readonly contenders: readonly Comparison[];
}

const callerCounts = [1, 50, 500];
const KEYS = 100;
/** More than this in flight at once measures the garbage collector. */
const MAX_BYTES_IN_FLIGHT = 100_000_000;

const FULL: Sampling = { rounds: 9, sliceMs: 200 };
/** A lone caller mostly waits for other threads to wake up, which takes another time wherever the system puts them: so many short slices. */
const FULL_LONE: Sampling = { rounds: 45, sliceMs: 50 };
const QUICK: Sampling = { rounds: 3, sliceMs: 60 };

export type Operation = "get" | "set" | "getMany(100)" | "getOrSet, a hit";

type Prepare = (store: Store, keys: readonly string[], values: readonly unknown[]) => () => Promise<unknown>;

const operations: Readonly<Record<Operation, { readonly values: number; readonly prepare: Prepare }>> = {
  get: { values: 1, prepare: (store, keys) => each(keys, (key) => store.get(key)) },
  set: { values: 1, prepare: (store, keys, values) => each(keys, (key, i) => store.set(key, values[i])) },
  "getMany(100)": { values: KEYS, prepare: (store, keys) => () => store.getMany(keys) },
  "getOrSet, a hit": { values: 1, prepare: (store, keys) => each(keys, (key) => store.getOrSet(key, neverCalled)) },
};

/** Compares the stores at each operation, size and number of callers. */
export async function measureGrid(
  url: string,
  files: readonly StoreFile[],
  names: readonly Operation[],
  options: BenchOptions,
): Promise<GridCase[]> {
  const stores = await openAll(url, files);
  const cases: GridCase[] = [];
  for (const size of sizes) {
    const { keys, values } = await fill(stores, size);
    for (const operation of names) {
      for (const callers of callerCounts) {
        const name = `${operation}, ${size.name}, ${callers}`;
        const { values: perCall, prepare } = operations[operation];
        if (!isWanted(name, options) || size.bytes * perCall * callers > MAX_BYTES_IN_FLIGHT) continue;
        const rows = [...stores].map(([contender, store]) => ({
          name: contender,
          call: prepare(store, keys.get(contender) ?? [], values),
        }));
        const contenders = await compare(rows, callers, options.quick ? QUICK : callers === 1 ? FULL_LONE : FULL);
        cases.push({ operation, size: size.name, callers, contenders });
        console.log(`${name}: ${contenders.map((row) => `${row.name} ${row.ratio.toFixed(2)}`).join(", ")}`);
      }
    }
  }
  for (const store of stores.values()) await store.close();
  return cases;
}

async function openAll(url: string, files: readonly StoreFile[]): Promise<Map<string, Store>> {
  const stores = new Map<string, Store>();
  for (const { name, file } of files) {
    // Not named to the type checker: what it imports may not be installed.
    const module = (await import(new URL(`${file}.ts`, import.meta.url).href)) as { open: OpenStore };
    stores.set(name, await module.open(url));
  }
  return stores;
}

/** Writes the values under keys of each store's own, and sees that all read back what they wrote. */
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
    assert.deepEqual(await store.getMany(own), new Map(own.map((key, id) => [key, values[id]])));
  }
  return { keys, values };
}

/** Calls with the next key each time. */
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
