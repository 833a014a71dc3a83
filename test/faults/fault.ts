import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../src/cache/cache.js";
import { until } from "../support/wait.js";
import { collectedHeap } from "./heap.js";
import { Load, type LoadOptions } from "./load.js";

/** A fault of servers or of the network, with its effect on users. */
export interface Fault {
  readonly name: string;
  /** Starts servers and a cache, which end with `stack`. */
  prepare(stack: AsyncDisposableStack): Promise<Scene>;
}

export interface Scene {
  readonly cache: Cache;
  readonly load?: LoadOptions;
  /** The longest duration of a call, in milliseconds. */
  readonly deadlineMs: number;
  /** Causes the fault while the load runs. @param healed to be called when the fault has ended, from which recovery is measured */
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
/** A cache has recovered when no call fails for this long and for the longest duration of a call. */
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
