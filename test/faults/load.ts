import { setTimeout as pause } from "node:timers/promises";
import type { Cache } from "../../src/cache/cache.js";

/** What every stored value is, so that an answer that belongs elsewhere shows. */
export interface Versioned {
  readonly key: string;
  readonly version: number;
}

export interface LoadOptions {
  /** Calls under way at once. @default 50 */
  callers?: number;
  /** How long each caller waits between two calls, in milliseconds. @default 2 */
  restMs?: number;
  /** Whether writes that were acknowledged may be gone, as after a failover, which Valkey's replication doesn't wait for. @default false */
  mayForget?: boolean;
}

/** One failed call: when it began and ended, by `performance.now()`. */
export interface Failure {
  readonly method: Method;
  readonly startMs: number;
  readonly endMs: number;
  readonly error: string;
}

type Method = "get" | "set" | "incr" | "getMany" | "getOrSet";
const METHODS: readonly Method[] = ["get", "set", "incr", "getMany", "getOrSet"];

/** Callers that use a cache over and over, and check each answer. Each writes keys of its own. */
export class Load {
  readonly failures: Failure[] = [];
  /** Answers that can't be right. */
  readonly wrong: string[] = [];
  calls = 0;
  longestMs = 0;
  readonly #cache: Cache;
  readonly #options: Required<LoadOptions>;
  readonly #callers: Promise<void>[] = [];
  readonly #texts = new Map<string, string>();
  #isEnding = false;

  constructor(cache: Cache, options: LoadOptions = {}) {
    this.#cache = cache;
    this.#options = { callers: 50, restMs: 2, mayForget: false, ...options };
    for (let id = 0; id < this.#options.callers; id++) this.#callers.push(this.#caller(id));
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#callers);
  }

  failuresOf(method: Method): Failure[] {
    return this.failures.filter((failure) => failure.method === method);
  }

  /** How long after `sinceMs` the last call ended that failed; 0 when none did. */
  recoveredAfterMs(sinceMs: number): number {
    return Math.max(0, ...this.failures.map(({ endMs }) => endMs - sinceMs));
  }

  async #caller(id: number): Promise<void> {
    const state: Caller = { id, version: 0, acknowledged: 0, counter: 0, counterIsKnown: true };
    for (let turn = id; !this.#isEnding; turn++) {
      const method = METHODS[turn % METHODS.length] as Method;
      const startMs = performance.now();
      try {
        await this.#call(method, state);
      } catch (error) {
        this.failures.push({ method, startMs, endMs: performance.now(), error: this.#told(error) });
      }
      this.calls++;
      this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
      await pause(this.#options.restMs);
    }
  }

  /** The same text for the same error: what is measured is the library's memory, not this one's. */
  #told(error: unknown): string {
    const text = String(error);
    const known = this.#texts.get(text) ?? text;
    this.#texts.set(text, known);
    return known;
  }

  async #call(method: Method, state: Caller): Promise<void> {
    const cache = this.#cache;
    const key = `load:${state.id}`;
    switch (method) {
      case "set": {
        const version = ++state.version;
        await cache.set(key, { key, version });
        state.acknowledged = version;
        return;
      }
      case "get":
        return this.#check(key, await cache.get(key), state.acknowledged, state.version);
      case "getMany": {
        const other = `load:${(state.id + 1) % this.#options.callers}`;
        const found = await cache.getMany([key, other]);
        this.#check(key, found.get(key), state.acknowledged, state.version);
        return this.#check(other, found.get(other), 0, Number.POSITIVE_INFINITY);
      }
      case "getOrSet": {
        const loaded = `loaded:${state.id}:${state.version % 10}`;
        const value = await cache.getOrSet(loaded, () => ({ key: loaded, version: 1 }), { ttl: "1s" });
        return this.#check(loaded, value, 1, 1);
      }
      case "incr":
        return this.#count(state);
    }
  }

  /** A counter that only this caller raises: what is acknowledged is counted once. */
  async #count(state: Caller): Promise<void> {
    const before = state.counter;
    const isKnown = state.counterIsKnown;
    state.counterIsKnown = false;
    const value = Number(await this.#cache.incr(`counter:${state.id}`, 1, { create: true, ttl: null }));
    if (isKnown && value !== before + 1 && !this.#options.mayForget) {
      this.wrong.push(`counter:${state.id} was ${before} and is ${value} after 1 was added`);
    }
    state.counter = value;
    state.counterIsKnown = true;
  }

  #check(key: string, value: unknown, least: number, most: number): void {
    const { mayForget } = this.#options;
    if (value === undefined) {
      if (least > 0 && !mayForget) this.wrong.push(`${key} is gone`);
      return;
    }
    const { key: own, version } = value as Versioned;
    if (own !== key) this.wrong.push(`${key} has what belongs to ${own}`);
    if (version > most || (version < least && !mayForget)) {
      this.wrong.push(`${key} has version ${version}, not ${least} to ${most}`);
    }
  }
}

interface Caller {
  readonly id: number;
  /** Of the last write that was begun, and of the last one that was acknowledged. */
  version: number;
  acknowledged: number;
  counter: number;
  /** Whether no addition failed, which may have been carried out or not. */
  counterIsKnown: boolean;
}
