import assert from "node:assert/strict";
import { type Contender, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { Server } from "../harness/server.ts";
import type { Reader } from "../near/contenders.ts";
import type { HitCase } from "../near/hits.ts";
import { sizes } from "../stores/values.ts";
import { loadPeers, ours, type Place } from "./contenders.ts";

const KEYS = 100;
const FULL: Sampling = { rounds: 9, sliceMs: 200 };
/** As in `basic`: a lone caller mostly waits for other threads, for another time wherever they run. */
const FULL_LONE: Sampling = { rounds: 45, sliceMs: 50 };
const QUICK: Sampling = { rounds: 3, sliceMs: 60 };
/** Calls of all callers together between two turns of the event loop, where calls wait for nothing. */
const BURST = 2_000;

/** Reads of values of 1 KB through keyv and unstorage. The first contender is this library's own `get`. */
export async function measureGets(server: Server, options: BenchOptions): Promise<HitCase[]> {
  const make = sizes.find(({ name }) => name === "1 KB")?.make ?? (() => ({}));
  const values = new Map(Array.from({ length: KEYS }, (_value, id) => [`place:${id}`, make(id)]));
  const { peers } = await loadPeers();
  const cases: HitCase[] = [];
  for (const place of ["valkey-glide", "iovalkey", "near cache"] satisfies Place[]) {
    const isNear = place === "near cache";
    // The adapters of others have nothing in the process.
    const readers = [...ours(server.url, place), ...(isNear ? [] : peers(server.url))];
    for (const reader of readers) await fill(reader, values);
    if (isNear) for (const reader of readers) await untilNear(server, reader, [...values.keys()]);
    for (const callers of [1, 50]) {
      const operation = `get, ${place}`;
      if (!isWanted(operation, options)) continue;
      const sampling = options.quick ? QUICK : callers === 1 && !isNear ? FULL_LONE : FULL;
      const contenders = await compare(
        readers.map((reader) => gets(reader, [...values.keys()])),
        callers,
        {
          ...sampling,
          ...(isNear ? { burst: Math.round(BURST / callers) } : {}),
        },
      );
      cases.push({ operation, callers, contenders });
      console.log(
        `${operation}, ${callers}: ${contenders.map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`).join(", ")}`,
      );
    }
    for (const reader of readers) await reader.close();
  }
  return cases;
}

/** Writes the values, and sees that all of them are read back. */
async function fill(reader: Reader, values: ReadonlyMap<string, unknown>): Promise<void> {
  for (const [key, value] of values) {
    await reader.set(key, value);
    assert.deepEqual(await reader.get(key), value, reader.name);
  }
}

/** Resolves when the process answers all reads. */
async function untilNear(server: Server, { name, get }: Reader, keys: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    const before = await readsOf(server);
    for (const key of keys) await get(key);
    if ((await readsOf(server)) === before) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the near cache of ${name} does not answer; see health() of its cache`);
}

/** How many reads of entries the server has answered. */
async function readsOf(server: Server): Promise<number> {
  const info = String(await server.command("INFO", "commandstats"));
  return [...info.matchAll(/^cmdstat_m?get:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

/** Reads the next key each time. */
function gets({ name, get }: Reader, keys: readonly string[]): Contender {
  let next = 0;
  return { name, call: () => get(keys[next++ % keys.length] ?? "") };
}
