import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bin, run } from "../scripts/run.mjs";
import { environment, writeResult } from "./harness/results.ts";
import { startServer } from "./harness/server.ts";

/** One fault: times in milliseconds, sizes in MiB. */
export interface FaultCase {
  readonly name: string;
  readonly deadlineMs: number;
  readonly longestMs: number;
  readonly calls: number;
  readonly failed: number;
  readonly getOrSetFailed: number;
  readonly wrong: number;
  readonly recoveryMs: number;
  readonly heapBefore: number;
  readonly heapAfter: number;
  readonly unhandled: number;
}

export interface SoakCase {
  readonly seconds: number;
  readonly calls: number;
  readonly faults: number;
  readonly failed: number;
  readonly getOrSetFailed: number;
  readonly wrong: readonly string[];
  readonly longestMs: number;
  readonly stalledMs: number;
  readonly heap: readonly number[];
  readonly connections: number;
  readonly unhandled: number;
}

/** What one cause of failure comes to at the servers of one transport. */
export interface AttemptCase {
  readonly transport: string;
  readonly cause: string;
  /** In so many seconds, to one server address. */
  readonly seconds: number;
  readonly connections: number;
  readonly afterClose: number;
  readonly closeMs: number;
  /** Of a core, for all causes of the transport at once, the failing servers included. */
  readonly cpuPercent: number;
}

export interface HostileCase {
  readonly inputs: number;
  readonly answered: number;
  readonly failed: number;
  readonly mostMiB: number;
}

/**
 * `npm run faults`: the tests in test/faults, with more hostile inputs; `npm run soak`: its soak alone, for as long as
 * `--minutes` says. Both keep what they measured in results/.
 */
const { values } = parseArgs({
  options: {
    soak: { type: "boolean", default: false },
    minutes: { type: "string", default: "10" },
    inputs: { type: "string", default: "1000000" },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes} is no time; give a number above 0`);

const figures = await mkdtemp(join(tmpdir(), "faults-"));
process.env.FAULT_FIGURES = figures;
process.env.HOSTILE_INPUTS = values.inputs;
process.env.ATTEMPT_SECONDS = "30";
if (values.soak) process.env.SOAK_SECONDS = String(minutes * 60);
const files = values.soak ? ["test/faults/soak.test.ts"] : ["test/faults"];
// One after the other: they measure time.
const { code } = await run(join(bin, "vitest"), ["run", "--no-file-parallelism", ...files]);
process.exitCode = code;
if (code === 0) await keep();
await rm(figures, { recursive: true, force: true });

async function keep(): Promise<void> {
  const found = await Promise.all((await readdir(figures)).map(async (name) => [name, await read(name)] as const));
  const of = (wanted: string) => found.find(([name]) => name === wanted)?.[1];
  await using server = await startServer();
  const on = await environment(server.version, ["@valkey/valkey-glide", "iovalkey"]);
  if (values.soak) {
    await writeResult("soak", { environment: on, cases: [of("soak.json")] });
    return;
  }
  await writeResult("hostile", { environment: on, cases: [of("hostile.json")] });
  await writeResult("attempts", { environment: on, cases: of("attempts.json")?.cases });
  const others = found.filter(([name]) => !["soak.json", "hostile.json", "attempts.json"].includes(name));
  const cases = others.map(([, figure]) => figure).sort((a, b) => a.order - b.order);
  await writeResult("faults", { environment: on, cases });
}

async function read(name: string): Promise<{ order: number; cases?: readonly AttemptCase[] }> {
  return JSON.parse(await readFile(join(figures, name), "utf8"));
}
