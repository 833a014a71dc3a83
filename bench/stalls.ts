import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { GlideClient } from "@valkey/valkey-glide";
import { type Cache, createCache, herd } from "valkey-edge-cache";
import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { stallTable } from "./tables.ts";

/** How long methods on very many entries keep the event loop from other work. */
export interface StallCase {
  readonly name: string;
  readonly method: string;
  /** The longest time in which no timer could fire, in milliseconds: the median of all rounds, and the largest. */
  readonly stallMs: number;
  readonly worstMs: number;
  readonly totalMs: number;
}

const COUNT = 100_000;
const options = benchOptions();
const rounds = options.quick ? 1 : 5;

await using server = await startServer();
const values = new Map(Array.from({ length: COUNT }, (_, i) => [`key ${i}`, { id: i, name: "x".repeat(50) }]));
const keys = [...values.keys()];
const glide = await GlideClient.createClient({
  addresses: [{ host: "127.0.0.1", port: server.port }],
  requestTimeout: 60_000,
});

type Method = readonly [name: string, run: () => Promise<unknown>, before?: () => Promise<unknown>];

/** The longest list is one command here, as it is without a library. */
const plain: readonly Method[] = [
  ["setMany", () => glide.mset(Object.fromEntries([...values].map(([key, value]) => [key, JSON.stringify(value)])))],
  ["getMany", async () => (await glide.mget(keys)).map((text) => JSON.parse(String(text)))],
  ["deleteMany", () => glide.unlink(keys)],
];

function methodsOf(cache: Cache): readonly Method[] {
  const clear = () => cache.deleteMany(keys);
  return [
    ["setMany", () => cache.setMany(values)],
    ["getMany", () => cache.getMany(keys)],
    ["getOrSetMany, all there", () => cache.getOrSetMany(keys, () => values)],
    ["deleteMany", () => cache.deleteMany(keys)],
    ["getOrSetMany, none there", () => cache.getOrSetMany(keys, () => values), clear],
    ["sets.add", () => cache.sets.add("a set", keys)],
    ["hashes.set", () => cache.hashes.set("a hash", values)],
    ["keys", () => cache.keys(), () => cache.setMany(values)],
    ["clear", () => cache.clear(), () => cache.setMany(values)],
  ];
}

const cases: StallCase[] = [];
await measure("plain GLIDE", plain);
for (const [name, cache] of [
  ["valkey-edge-cache", createCache({ location: server.url, commandTimeout: 60 })],
  [
    "the same with herd()",
    createCache({ location: server.url, commandTimeout: 60, client: herd(), keyPrefix: "herd" }),
  ],
  ["in memory", createCache({ location: "memory:" })],
] as const) {
  await measure(name, methodsOf(cache));
  await cache.close();
}
glide.close();
const result = { environment: await environment(server.version, ["@valkey/valkey-glide"]), cases };
console.log(`\n${toMarkdown(stallTable(result))}`);
if (isComplete(options)) await writeResult("stalls", result);

async function measure(name: string, methods: readonly Method[]): Promise<void> {
  for (const [method, run, before] of methods) {
    if (!isWanted(`${name}, ${method}`, options)) continue;
    const stalls: number[] = [];
    const totals: number[] = [];
    for (let round = -1; round < rounds; round++) {
      await before?.();
      const { stallMs, totalMs } = await stallOf(run);
      // The first round warms up.
      if (round < 0) continue;
      stalls.push(stallMs);
      totals.push(totalMs);
    }
    cases.push({ name, method, stallMs: median(stalls), worstMs: Math.max(...stalls), totalMs: median(totals) });
    console.log(`${name}, ${method}: ${median(stalls).toFixed(1)} ms`);
  }
}

async function stallOf(run: () => Promise<unknown>): Promise<{ stallMs: number; totalMs: number }> {
  globalThis.gc?.();
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await sleep(20);
  delays.reset();
  const startMs = performance.now();
  await run();
  const totalMs = performance.now() - startMs;
  await sleep(5);
  delays.disable();
  return { stallMs: delays.max / 1e6, totalMs };
}
