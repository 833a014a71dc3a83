import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../src/cache/cache.js";
import { type Caller, newCaller, STEPS, type StepName } from "./steps.js";

export interface LoadOptions {
  /** Calls under way at once. @default 50 */
  callers?: number;
  /** How long each caller waits between two calls, in milliseconds. @default 2 */
  restMs?: number;
  /** What they do, in turn. @default get, set, incr, getMany, getOrSet */
  steps?: readonly StepName[];
  /** Whether writes that were acknowledged may be gone, as after a failover, which Valkey's replication doesn't wait for. @default false */
  mayForget?: boolean;
}

/** One failed call: when it began and ended, by `performance.now()`. */
export interface Failure {
  readonly step: StepName;
  readonly startMs: number;
  readonly endMs: number;
  readonly error: string;
}

const FEW: readonly StepName[] = ["get", "set", "incr", "getMany", "getOrSet"];

/** Callers that use a cache over and over, and check each answer. Each writes keys of its own. */
export class Load {
  readonly failures: Failure[] = [];
  /** Answers that can't be right. */
  readonly wrong: string[] = [];
  calls = 0;
  longestMs = 0;
  readonly #caches: readonly Cache[];
  readonly #options: Required<LoadOptions>;
  readonly #callers: readonly Caller[];
  readonly #running: readonly Promise<void>[];
  readonly #texts = new Map<string, string>();
  #isEnding = false;

  /** @param caches used by one caller after the other */
  constructor(caches: Cache | readonly Cache[], options: LoadOptions = {}) {
    this.#caches = [caches].flat() as readonly Cache[];
    this.#options = { callers: 50, restMs: 2, steps: FEW, mayForget: false, ...options };
    this.#callers = Array.from({ length: this.#options.callers }, (_, id) => this.#newCaller(id));
    this.#running = this.#callers.map((caller) => this.#run(caller));
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#running);
  }

  /** What was stored may be gone from now on. */
  forget(): void {
    for (const caller of this.#callers) caller.forget();
  }

  failuresOf(step: StepName): Failure[] {
    return this.failures.filter((failure) => failure.step === step);
  }

  /** How long after `sinceMs` the last call ended that failed; 0 when none did. */
  recoveredAfterMs(sinceMs: number): number {
    return this.failures.reduce((latestMs, { endMs }) => Math.max(latestMs, endMs - sinceMs), 0);
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
        this.failures.push({ step, startMs, endMs: performance.now(), error: this.#told(error) });
      }
      this.calls++;
      this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
      await pause(restMs);
    }
  }

  /** The same text for the same error: what is measured is the library's memory, not this one's. */
  #told(error: unknown): string {
    const text = String(error);
    const known = this.#texts.get(text) ?? text;
    this.#texts.set(text, known);
    return known;
  }
}
