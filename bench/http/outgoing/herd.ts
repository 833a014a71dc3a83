import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { median, quantile } from "../../harness/statistics.ts";
import { callerNames, type Orders } from "./call.ts";

/** Many calls of one URL at once, which is not stored. */
export interface OutgoingHerdCase {
  readonly processes: number;
  /** Of each process. */
  readonly calls: number;
  /** How long the origin takes, in milliseconds. */
  readonly originMs: number;
  readonly contenders: readonly ({ readonly name: string } & Waits)[];
}

interface Waits {
  /** Calls that came to the origin: the maximum of all rounds. The times are medians of all rounds. */
  readonly originCalls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const PROCESSES = 8;
const CALLS = 50;
const ORIGIN_MS = 200;
/** So that all processes have their orders before it is time to begin. */
const HEAD_START_MS = 200;
const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
let urls = 0;

/** Measures all contenders in each round, in alternating order, and each in processes of its own. */
export async function measureOutgoingHerd(origin: string, location: string, rounds: number): Promise<OutgoingHerdCase> {
  const seen = new Map<string, Waits[]>(callerNames.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? callerNames : callerNames.toReversed()) {
      seen.get(name)?.push(await measureRound(name, origin, location));
    }
  }
  const contenders = [...seen].map(([name, own]) => ({
    name,
    originCalls: Math.max(...own.map(({ originCalls }) => originCalls)),
    p50Ms: median(own.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(own.map(({ p99Ms }) => p99Ms)),
  }));
  return { processes: PROCESSES, calls: CALLS, originMs: ORIGIN_MS, contenders };
}

async function measureRound(name: string, origin: string, location: string): Promise<Waits> {
  const args = [name, location, `${origin}/fresh/1`];
  const processes = Array.from({ length: PROCESSES }, () => fork(worker, args, { execArgv: [] }));
  try {
    await Promise.all(processes.map(answer));
    await takeCalls(origin);
    const orders: Orders = {
      url: `${origin}/slow/${ORIGIN_MS}/${++urls}`,
      startAtMs: Date.now() + HEAD_START_MS,
      calls: CALLS,
    };
    for (const process of processes) process.send(orders);
    const waits = (await Promise.all(processes.map(answer))).flat();
    return { originCalls: await takeCalls(origin), p50Ms: median(waits), p99Ms: quantile(waits, 0.99) };
  } finally {
    for (const process of processes) {
      if (process.exitCode !== null || process.signalCode !== null) continue;
      process.kill("SIGKILL");
      await once(process, "exit");
    }
  }
}

/** How many calls the origin has answered since this was last asked. */
async function takeCalls(origin: string): Promise<number> {
  return Number(await (await fetch(`${origin}/calls`)).text());
}

async function answer(process: ChildProcess): Promise<number[]> {
  const ended = once(process, "exit").then(() => {
    throw new Error("a process has ended; its own messages are above");
  });
  ended.catch(() => {});
  const [waits] = (await Promise.race([once(process, "message"), ended])) as [number[]];
  return waits;
}
