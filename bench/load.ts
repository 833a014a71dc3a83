import { spawn } from "node:child_process";
import { once } from "node:events";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { median } from "./harness/statistics.ts";
import { toMarkdown } from "./harness/table.ts";
import { loadTable } from "./tables.ts";

/** What a process does before it ends. */
const programs = [
  { name: "nothing", program: "" },
  { name: "import valkey-edge-cache", program: 'await import("valkey-edge-cache")' },
  { name: "import @valkey/valkey-glide", program: 'await import("@valkey/valkey-glide")' },
  { name: "import iovalkey", program: 'await import("iovalkey")' },
];

export interface LoadCase {
  readonly name: string;
  /** From the import to its end, in milliseconds, the median of all processes. */
  readonly importMs: number;
  /** From the start of the process to its end, less that of an empty one in the same round: the median. */
  readonly processMs: number;
}

const options = benchOptions();
const rounds = options.quick ? 5 : 31;
const cases = await measureAll();
const result = { environment: await environment(undefined, ["@valkey/valkey-glide", "iovalkey"]), cases };
console.log(`\n${toMarkdown(loadTable(result))}`);
if (isComplete(options)) await writeResult("load", result);

async function measureAll(): Promise<LoadCase[]> {
  const runs = programs.map(() => [] as { readonly importMs: number; readonly totalMs: number }[]);
  // The first round fills the system's file cache.
  for (let round = -1; round < rounds; round++) {
    for (const [i, { program }] of programs.entries()) {
      const run = await load(program);
      if (round >= 0) runs[i]?.push(run);
    }
  }
  const [empty = []] = runs;
  return programs.map(({ name }, i) => ({
    name,
    importMs: median(runs[i]?.map(({ importMs }) => importMs) ?? []),
    processMs: median(runs[i]?.map(({ totalMs }, round) => totalMs - (empty[round]?.totalMs ?? Number.NaN)) ?? []),
  }));
}

async function load(program: string): Promise<{ importMs: number; totalMs: number }> {
  const timed = `const start = performance.now(); ${program}; console.log(performance.now() - start)`;
  const startMs = performance.now();
  const child = spawn(process.execPath, ["--input-type=module", "--eval", timed], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`a process failed that was to run: ${program}`);
  return { importMs: Number(output), totalMs: performance.now() - startMs };
}
