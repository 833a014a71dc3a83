import { benchOptions, isComplete, isWanted } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { type Server, startServer } from "./harness/server.ts";
import { median, quantile } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { Fleet } from "./herd/fleet.ts";
import { LOAD_MS, type Orders } from "./herd/scenario.ts";
import { herdTable } from "./tables.ts";

/** Each is a file in herd/subjects/. */
const subjects = [
  { name: "valkey-edge-cache, herd()", file: "herd" },
  { name: "valkey-edge-cache, herd() and nearCache()", file: "herd-near" },
  { name: "valkey-edge-cache, defaultClient()", file: "default-client" },
  { name: "bentocache, grace", file: "bentocache" },
  { name: "bentocache, grace, two levels", file: "bentocache-two-levels" },
  { name: "cachified", file: "cachified" },
  { name: "cachified, staleWhileRevalidate", file: "cachified-stale" },
  { name: "async-cache-dedupe", file: "async-cache-dedupe" },
  { name: "async-cache-dedupe, stale", file: "async-cache-dedupe-stale" },
  { name: "cache-manager", file: "cache-manager" },
  { name: "cache-manager, refreshThreshold", file: "cache-manager-refresh" },
  { name: "keyv", file: "keyv" },
  { name: "unstorage", file: "unstorage" },
];
const PROCESSES = 8;
/** A call that took longer was held up by a load. */
const BLOCKED_MS = LOAD_MS / 3;

/** What a scenario did to the callers and to the server, in one run. */
export interface Toll {
  readonly loads: number;
  readonly calls: number;
  /** Calls that took longer than a third of a load. */
  readonly blocked: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Commands that the server ran, those inside scripts included. */
  readonly commands: number;
}

export interface HerdCase {
  readonly name: string;
  /** All processes ask for a key that isn't there. The run with the median number of loads. */
  readonly cold: Toll;
  /** All processes ask again and again for a key that expires each second. */
  readonly expiring: Toll;
}

const options = benchOptions();
await using server = await startServer();
const cases: HerdCase[] = [];
for (const { name, file } of subjects.filter(({ name }) => isWanted(name, options))) {
  try {
    const each = { name, cold: await cold(file), expiring: await expiring(file) };
    cases.push(each);
    console.log(
      `${name}: cold ${each.cold.loads} loads; expiring ${each.expiring.loads}, ${each.expiring.blocked} blocked`,
    );
  } catch (error) {
    console.error(`${name} could not be measured:`, error);
    process.exitCode = 1;
  }
}
const packages = ["@valkey/valkey-glide", "bentocache", "@epic-web/cachified", "cachified-redis-adapter"];
packages.push("async-cache-dedupe", "cache-manager", "keyv", "@keyv/redis", "unstorage", "ioredis", "@redis/client");
const result = { environment: await environment(server.version, packages), cases };
console.log(`\n${toMarkdown(herdTable(result))}`);
if (isComplete(options) && !process.exitCode) await writeResult("herd", result);

async function cold(file: string): Promise<Toll> {
  await server.command("FLUSHALL");
  await using fleet = await Fleet.launch(PROCESSES, file, server.url, 60);
  const tolls: Toll[] = [];
  for (let i = 0; i < (options.quick ? 1 : 5); i++) {
    tolls.push(await toll(server, fleet, { key: `cold:${i}`, callers: 50, forMs: 0, pauseMs: 0 }));
  }
  const typical = median(tolls.map(({ loads }) => loads));
  return tolls.find(({ loads }) => loads === typical) ?? (tolls[0] as Toll);
}

async function expiring(file: string): Promise<Toll> {
  await server.command("FLUSHALL");
  await using fleet = await Fleet.launch(PROCESSES, file, server.url, 1);
  const key = "expiring";
  await fleet.play({ key, callers: 1, forMs: 0, pauseMs: 0 }, 1);
  return await toll(server, fleet, { key, callers: 5, forMs: options.quick ? 2_500 : 5_000, pauseMs: 10 });
}

async function toll(on: Server, fleet: Fleet, orders: Omit<Orders, "startAtMs">): Promise<Toll> {
  await on.command("CONFIG", "RESETSTAT");
  const { loads, waits } = await fleet.play(orders);
  return {
    loads,
    calls: waits.length,
    blocked: waits.filter((wait) => wait > BLOCKED_MS).length,
    p50Ms: quantile(waits, 0.5),
    p99Ms: quantile(waits, 0.99),
    commands: await commandsRun(on),
  };
}

/** How many commands the server has run since its counts were reset, less those of the bench. */
async function commandsRun(on: Server): Promise<number> {
  const lines = String(await on.command("INFO", "commandstats")).matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
  const own = new Set(["config|resetstat", "info"]);
  let sum = 0;
  for (const [, name = "", calls] of lines) if (!own.has(name)) sum += Number(calls);
  return sum;
}
