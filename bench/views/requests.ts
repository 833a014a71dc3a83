import assert from "node:assert/strict";
import { type Cache, createCache } from "valkey-edge-cache";
import { type Comparison, compare, type Sampling } from "../harness/measure.ts";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import type { Server } from "../harness/server.ts";
import { sizes } from "../stores/values.ts";

export interface RequestCase {
  /** The keys that a request reads, and how. */
  readonly reads: string;
  readonly when: string;
  readonly contenders: readonly (Comparison & Received)[];
}

/** What one request sends: commands, and how often the server has read some of them from its socket. */
interface Received {
  readonly reads: number;
  readonly commands: number;
}

/** Reads one key. */
export type Read = (key: string) => Promise<unknown>;

/** What a request reads with, and what is done at its end. */
export interface Opened {
  readonly read: Read;
  close?(): Promise<void>;
}

const READS = 50;
const FULL: Sampling = { rounds: 25, sliceMs: 80 };
const QUICK: Sampling = { rounds: 3, sliceMs: 50 };

/** Requests with 50 reads each, one after another: by a cache, by a view that reads each key once, by dataloader. */
export async function measureRequests(server: Server, options: BenchOptions): Promise<RequestCase[]> {
  const cache = createCache({ location: server.url, keyPrefix: "requests" });
  const make = sizes.find(({ name }) => name === "1 KB")?.make ?? (() => ({}));
  for (let id = 0; id < READS; id++) await cache.set(`place:${id}`, make(id));
  const { dataloader } = (await import(String(new URL("dataloader.ts", import.meta.url)))) as {
    dataloader(cache: Cache): Opened;
  };
  const contenders: readonly (readonly [name: string, open: (cache: Cache) => Opened])[] = [
    ["the cache", (whole) => ({ read: (key) => whole.get(key) })],
    ["a view with memo", viewed],
    ["dataloader", dataloader],
  ];
  const cases: RequestCase[] = [];
  for (const [reads, keys] of [
    ["one key, 50 times", 1],
    ["10 keys, 5 times each", 10],
    ["50 keys", 50],
  ] as const) {
    for (const when of ["together", "in turn"] as const) {
      if (!isWanted(`requests, ${reads}, ${when}`, options)) continue;
      const list = Array.from({ length: READS }, (_read, i) => `place:${i % keys}`);
      const rows = contenders.map(([name, open]) => ({ name, call: () => run(open(cache), list, when) }));
      const compared = await compare(rows, 1, options.quick ? QUICK : FULL);
      const sent: (Comparison & Received)[] = [];
      for (const [i, { call }] of rows.entries()) {
        sent.push({ ...(compared[i] as Comparison), ...(await count(server, call)) });
      }
      cases.push({ reads, when, contenders: sent });
      console.log(`${reads}, ${when}: ${compared.map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`).join(", ")}`);
    }
  }
  await cache.close();
  return cases;
}

function viewed(cache: Cache): Opened {
  const view = cache.for({ memo: true });
  return { read: (key) => view.get(key), close: () => view.close() };
}

/** One request. */
async function run({ read, close }: Opened, keys: readonly string[], when: "together" | "in turn"): Promise<void> {
  if (when === "together") {
    const values = await Promise.all(keys.map(read));
    assert(values.every((value) => value !== undefined));
  } else for (const key of keys) assert((await read(key)) !== undefined);
  await close?.();
}

/** What the server has received so far. */
async function received(server: Server): Promise<Received> {
  const info = String(await server.command("INFO", "stats"));
  const read = (field: string): number => Number(new RegExp(`^${field}:(\\d+)`, "m").exec(info)?.[1]);
  return { reads: read("total_reads_processed"), commands: read("total_commands_processed") };
}

/** What one request sends, as the server counts it, without the question itself. Of several times, the fewest: others ask, too. */
async function count(server: Server, request: () => Promise<void>): Promise<Received> {
  const counted: Received[] = [];
  for (const work of [async () => {}, request]) {
    let fewest: Received = { reads: Infinity, commands: Infinity };
    for (let time = 0; time < 5; time++) {
      const before = await received(server);
      await work();
      const after = await received(server);
      fewest = {
        reads: Math.min(fewest.reads, after.reads - before.reads),
        commands: Math.min(fewest.commands, after.commands - before.commands),
      };
    }
    counted.push(fewest);
  }
  const [none, one] = counted as [Received, Received];
  return { reads: one.reads - none.reads, commands: one.commands - none.commands };
}
