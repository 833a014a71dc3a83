import { createCache, wrap } from "valkey-edge-cache";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median, quantile } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { measureGrid } from "./stores/grid.ts";
import { gridTable, wrapTable } from "./tables.ts";

export interface WrapCase {
  /** What `wrap` adds to a hit: the median of all rounds, and their middle half. */
  readonly microseconds: number;
  readonly low: number;
  readonly high: number;
}

/** What a call costs through a definition, and what `wrap` adds to a hit. */

const stores = [
  { name: "the cache's methods", file: "library" },
  { name: "define()", file: "library-definitions" },
];

const options = benchOptions();
await using server = await startServer();
const cases = await measureGrid(server.url, stores, ["getMany(100)", "getOrSet, a hit"], options);
const wraps = [await wrapAdds()];
const result = { environment: await environment(server.version, ["@valkey/valkey-glide"]), cases, wraps };
console.log(`\n${toMarkdown(gridTable(result))}`);
console.log(`\n${toMarkdown(wrapTable({ ...result, cases: wraps }))}`);
if (isComplete(options)) await writeResult("definitions", result);

/** Microseconds of one hit through `wrap`, less those of the same `getOrSet`. */
async function wrapAdds(): Promise<WrapCase> {
  const CALLS = 20_000;
  const cache = createCache({ location: "memory:" });
  const load = async (id: number, deep: boolean) => ({ id, deep });
  const wrapped = wrap(cache, load, { key: "load" });
  const plain = (id: number) => cache.getOrSet(`load(${id},true)`, () => load(id, true));
  const timed = async (call: (id: number) => Promise<unknown>): Promise<number> => {
    const startMs = performance.now();
    for (let i = 0; i < CALLS; i++) await call(i % 100);
    return ((performance.now() - startMs) * 1_000) / CALLS;
  };
  const differences: number[] = [];
  for (let round = 0; round < 15; round++) {
    const plainUs = await timed(plain);
    differences.push((await timed((id) => wrapped(id, true))) - plainUs);
  }
  await cache.close();
  const warm = differences.slice(5);
  return { microseconds: median(warm), low: quantile(warm, 0.25), high: quantile(warm, 0.75) };
}
