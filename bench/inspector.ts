import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { benchOptions, isComplete } from "./harness/options.ts";
import { environment, writeResult } from "./harness/results.ts";
import { toMarkdown } from "./harness/table.ts";
import { inspectorTable } from "./tables.ts";

/** What a service pays for an inspector that is open, with many events a second. */
export interface InspectorCase {
  readonly name: string;
  readonly eventsPerSecond: number;
  /** Percent of one processor, of the whole service: the median of all seconds, and its quartiles. */
  readonly percent: number;
  readonly low: number;
  readonly high: number;
}

const WATCHERS = [
  { name: "no watcher", watch: async () => () => {} },
  { name: "one browser", watch: (port: number) => open(port, true) },
  { name: "one browser that reads nothing", watch: (port: number) => open(port, false) },
] as const;

const EVENTS = 10_000;
const service = fileURLToPath(new URL("inspector/service.ts", import.meta.url));

/** Opens the live stream, and reads it or doesn't. @returns a function that leaves */
async function open(port: number, reads: boolean): Promise<() => void> {
  const request = get({ port, host: "127.0.0.1", path: "/api/live" });
  const [response] = await once(request, "response");
  if (reads) response.resume();
  return () => request.destroy();
}

interface Second {
  readonly percent: number;
}

/** The lines that the service says, one after another. */
function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  if (!stdout) throw new Error("the service has no output");
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error("the service has ended");
  return value;
}

const options = benchOptions();
const [rounds, seconds] = options.quick ? [1, 3] : [6, 8];
const measured = new Map<string, number[]>(WATCHERS.map(({ name }) => [name, []]));
const child = spawn(process.execPath, [service, String(EVENTS)], { stdio: ["ignore", "pipe", "inherit"] });
try {
  const lines = linesOf(child);
  const port = Number(await next(lines));
  // Until the service is compiled.
  for (let second = 0; second < (options.quick ? 2 : 10); second++) await next(lines);
  // By turns, as a machine's speed changes over minutes.
  for (let round = 0; round < rounds; round++) {
    for (const { name, watch } of WATCHERS) {
      const leave = await watch(port);
      // The second in which it begins.
      await next(lines);
      for (let second = 0; second < seconds; second++) {
        const { percent } = JSON.parse(await next(lines)) as Second;
        measured.get(name)?.push(percent);
      }
      leave();
      await next(lines);
    }
  }
} finally {
  child.kill("SIGKILL");
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}

const cases: InspectorCase[] = [...measured].map(([name, all]) => {
  const sorted = all.sort((a, b) => a - b);
  const [low, percent, high] = [0.25, 0.5, 0.75].map((part) => quantile(sorted, part)) as [number, number, number];
  return { name, eventsPerSecond: EVENTS, percent, low, high };
});
const result = { environment: await environment(undefined, ["hono"]), cases };
console.log(`\n${toMarkdown(inspectorTable(result))}`);
if (isComplete(options)) await writeResult("inspector", result);
