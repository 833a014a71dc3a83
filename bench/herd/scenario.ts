import { setTimeout as sleep } from "node:timers/promises";
import type { Subject } from "./subject.ts";

/** How long a load takes, in milliseconds. */
export const LOAD_MS = 300;

/** What one process is to do. */
export interface Orders {
  readonly key: string;
  /** When all processes begin, in milliseconds since the epoch. */
  readonly startAtMs: number;
  readonly callers: number;
  /** How long each caller asks again and again; 0 asks once. */
  readonly forMs: number;
  /** Between an answer and the next question of the same caller. */
  readonly pauseMs: number;
}

/** What one process saw. */
export interface Sightings {
  readonly loads: number;
  /** How long each call took, in milliseconds. */
  readonly waits: readonly number[];
}

/** Begins at the time that all processes agreed on, and counts. */
export async function play({ getOrSet }: Subject, orders: Orders): Promise<Sightings> {
  let loads = 0;
  const load = async (): Promise<unknown> => {
    loads++;
    await sleep(LOAD_MS);
    return { key: orders.key, name: "Reykjavik", loadedAt: Date.now() };
  };
  const waits: number[] = [];
  const ask = async (): Promise<void> => {
    const start = performance.now();
    const value = await getOrSet(orders.key, load);
    waits.push(performance.now() - start);
    if (!isFor(orders.key, value)) throw new Error(`a wrong answer: ${JSON.stringify(value)}`);
  };
  const caller = async (i: number): Promise<void> => {
    // Callers that go on and on don't do so in step.
    if (orders.forMs > 0) await sleep((orders.pauseMs * i) / orders.callers);
    const endMs = performance.now() + orders.forMs;
    do {
      await ask();
      if (orders.forMs > 0) await sleep(orders.pauseMs);
    } while (performance.now() < endMs);
  };
  await sleep(Math.max(0, orders.startAtMs - Date.now()));
  await Promise.all(Array.from({ length: orders.callers }, (_caller, i) => caller(i)));
  // What still loads in the background is to be counted, and stored.
  await sleep(LOAD_MS + 200);
  return { loads, waits };
}

function isFor(key: string, value: unknown): boolean {
  return typeof value === "object" && value !== null && "key" in value && value.key === key;
}
