import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../src/cache/cache.js";
import { until } from "../support/wait.js";
import { collectedHeap } from "./heap.js";
import { Load, type LoadOptions } from "./load.js";

/** What is done to servers or to the way there, and what for users came of it. */
export interface Fault {
  readonly name: string;
  /** Starts what takes part; all of it ends with `stack`. */
  prepare(stack: AsyncDisposableStack): Promise<Scene>;
}

export interface Scene {
  readonly cache: Cache;
  readonly load?: LoadOptions;
  /** How long one call may take at most, in milliseconds. */
  readonly deadlineMs: number;
  /** Does harm while the load goes on. @param healed to be called when all is well again, or can be: recovery is counted from then */
  harm(healed: () => void, load: Load): Promise<void>;
}

/** One row of the table in docs/reliability.md. Times in milliseconds, sizes in MiB. */
export interface Figures {
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

export interface Measured extends Figures {
  readonly load: Load;
}

const WARM_MS = 300;
/** Well again: no call fails for so long, and for as long as one may take before it fails. */
const QUIET_MS = 100;

export async function measure(fault: Fault): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  let unhandled = 0;
  const onUnhandled = () => unhandled++;
  process.on("unhandledRejection", onUnhandled);
  stack.defer(() => void process.off("unhandledRejection", onUnhandled));
  const { cache, deadlineMs, harm, load: options } = await fault.prepare(stack);
  await cache.set("warm", 1);
  const heapBefore = collectedHeap();
  const load = new Load(cache, options);
  await pause(WARM_MS);
  let healedMs = Number.POSITIVE_INFINITY;
  await harm(() => {
    healedMs = performance.now();
  }, load);
  await until(() => isQuiet(load, healedMs, deadlineMs), {
    what: `${fault.name}: calls to succeed again`,
    timeoutMs: 10_000,
  });
  await load.stop();
  const figures = {
    deadlineMs,
    longestMs: load.longestMs,
    calls: load.calls,
    failed: load.failed(),
    getOrSetFailed: load.failed("getOrSet"),
    wrong: load.wrong.length,
    recoveryMs: Math.max(0, load.lastFailureMs - healedMs),
    heapBefore,
    heapAfter: collectedHeap(),
    unhandled,
  };
  return { name: fault.name, ...figures, load };
}

function isQuiet({ lastFailureMs }: Load, healedMs: number, deadlineMs: number): boolean {
  const lastMs = Math.max(healedMs, lastFailureMs);
  return performance.now() - lastMs > deadlineMs + QUIET_MS;
}
