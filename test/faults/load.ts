import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../src/cache/cache.js";
import { type Caller, newCaller, STEPS, type StepName } from "./steps.js";

export interface LoadOptions {
  /** Concurrent calls. @default 50 */
  callers?: number;
  /** How long each caller waits between two calls, in milliseconds. @default 2 where figures are kept, else 10 */
  restMs?: number;
  /** The steps of each caller, in turn. @default get, set, incr, getMany, getOrSet */
  steps?: readonly StepName[];
  /** Whether acknowledged writes may be lost, as in a failover with asynchronous replication. @default false */
  mayForget?: boolean;
}

/** Calls that failed in the same way. */
export interface Failure {
  readonly step: StepName;
  readonly error: string;
  times: number;
}

/** 50 callers without rest use a core, which test files beside these need. */
const REST_MS = process.env.FAULT_FIGURES ? 2 : 10;

const FEW: readonly StepName[] = ["get", "set", "incr", "getMany", "getOrSet"];

/** Callers that use a cache repeatedly and check each result. Each caller writes its own keys. */
export class Load {
  /** When the last failed call ended, by `performance.now()`; 0 if none failed. */
  lastFailureMs = 0;
  /** Wrong results. */
  readonly wrong: string[] = [];
  calls = 0;
  longestMs = 0;
  readonly #caches: readonly Cache[];
  readonly #options: Required<LoadOptions>;
  readonly #callers: readonly Caller[];
  readonly #running: readonly Promise<void>[];
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });
  /** Each kind once, so that this list doesn't grow while memory is measured. */
  readonly #failures = new Map<string, Failure>();
  #isEnding = false;

  /** @param caches used by one caller after the other */
  constructor(caches: Cache | readonly Cache[], options: LoadOptions = {}) {
    this.#caches = [caches].flat() as readonly Cache[];
    this.#options = { callers: 50, restMs: REST_MS, steps: FEW, mayForget: false, ...options };
    this.#callers = Array.from({ length: this.#options.callers }, (_, id) => this.#newCaller(id));
    this.#delay.enable();
    this.#running = this.#callers.map((caller) => this.#run(caller));
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#running);
    this.#delay.disable();
  }

  /** The longest time for which the machine or the garbage collector stopped this process, so that no call could end. */
  get stalledMs(): number {
    return this.#delay.max / 1e6;
  }

  /** Stored values may be lost from now on. */
  forget(): void {
    for (const caller of this.#callers) caller.forget();
  }

  get failures(): Failure[] {
    return [...this.#failures.values()];
  }

  /** The number of failed calls, of all kinds or of one. */
  failed(step?: StepName): number {
    const wanted = this.failures.filter((failure) => step === undefined || failure.step === step);
    return wanted.reduce((sum, { times }) => sum + times, 0);
  }

  #newCaller(id: number): Caller {
    const cache = this.#caches[id % this.#caches.length] as Cache;
    return newCaller(id, cache, this.#options.mayForget, (what) => this.wrong.push(what));
  }

  async #run(caller: Caller): Promise<void> {
    const { steps, restMs } = this.#options;
    for (let turn = caller.id; !this.#isEnding; turn++) {
      const step = steps[turn % steps.length] as StepName;
      const startMs = performance.now();
      try {
        await STEPS[step](caller);
      } catch (error) {
        this.#note(step, String(error));
      }
      this.calls++;
      this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
      await pause(restMs);
    }
  }

  #note(step: StepName, error: string): void {
    // Errors that differ only in numbers are of the same kind.
    const key = `${step} ${error.replaceAll(/\d+/g, "#")}`;
    const failure = this.#failures.get(key) ?? { step, error, times: 0 };
    failure.times++;
    this.#failures.set(key, failure);
    this.lastFailureMs = performance.now();
  }
}
