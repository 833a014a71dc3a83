import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { median, quantile } from "../harness/statistics.ts";
import { type Load, load } from "../http/load.ts";
import type { Instance } from "./application.ts";

/** Requests of a cached page. */
export interface NextCase {
  readonly page: string;
  /** Of the body, in KB. */
  readonly kilobytes: number;
  /** The first is the baseline. */
  readonly contenders: readonly NextHits[];
}

/** Medians of all rounds. */
export interface NextHits {
  readonly name: string;
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Its requests per second by those of the baseline in the same round: the median, and the middle half of the rounds. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** Time of all cores that its process takes for one request, in microseconds: it hardly depends on the machine's other load. */
  readonly cpuMicros: number;
}

type Slice = Load & { readonly cpuMicros: number };

const CONNECTIONS = 50;
/** Linux counts the time of a process in hundredths of a second. */
const MICROS_OF_A_TICK = 10_000;

/** Measures all instances in each round, in alternating order, so that other work on the machine affects all alike. */
export async function measurePage(
  instances: readonly Instance[],
  path: string,
  { rounds, sliceMs }: { rounds: number; sliceMs: number },
): Promise<Omit<NextCase, "page">> {
  const slices = new Map<Instance, Slice[]>(instances.map((instance) => [instance, []]));
  let bytes = 0;
  for (const { port } of instances) {
    for (let i = 0; i < 5; i++) {
      bytes = (await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer()).byteLength;
      await sleep(50);
    }
    await load(port, path, CONNECTIONS, sliceMs);
  }
  for (let round = 0; round < rounds; round++) {
    for (const instance of round % 2 === 0 ? instances : instances.toReversed()) {
      slices.get(instance)?.push(await slice(instance, path, sliceMs));
    }
  }
  const [baseline = []] = slices.values();
  const contenders = [...slices].map(([{ name }, own]) => {
    const ratios = own.map(({ perSecond }, round) => perSecond / (baseline[round]?.perSecond ?? Number.NaN));
    return {
      name,
      perSecond: median(own.map(({ perSecond }) => perSecond)),
      p99Ms: median(own.map(({ p99Ms }) => p99Ms)),
      ratio: median(ratios),
      low: quantile(ratios, 0.25),
      high: quantile(ratios, 0.75),
      cpuMicros: median(own.map(({ cpuMicros }) => cpuMicros)),
    };
  });
  return { kilobytes: Math.round(bytes / 1_024), contenders };
}

async function slice({ port, pid }: Instance, path: string, sliceMs: number): Promise<Slice> {
  const beganMs = performance.now();
  const before = cpuMicros(pid);
  const loaded = await load(port, path, CONNECTIONS, sliceMs);
  const requests = (loaded.perSecond * (performance.now() - beganMs)) / 1_000;
  return { ...loaded, cpuMicros: (cpuMicros(pid) - before) / requests };
}

/** The time that a process has used, of its own and of the kernel for it. */
function cpuMicros(pid: number): number {
  // The name of the program, in parentheses, may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MICROS_OF_A_TICK;
}
