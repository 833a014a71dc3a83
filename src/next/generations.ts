import type { Lease } from "../lease/lease.js";
import type { Stamp } from "../tags/purge-log.js";

/**
 * One generation of an entry by Next, between the `get` that found none and the `set`. Next reports no failed generation, so
 * it ends at a timeout as well.
 */
export class Generation {
  /** Absent where another process has it for too long, or the server allows none. */
  readonly lease: Lease | undefined;
  /** Where the purge log was before it began: later purges apply to the entry. */
  readonly stamp: Stamp | undefined;
  /** The entry is there, and stale. */
  readonly isRefresh: boolean;
  /** Next has called `set`. */
  isStoring = false;
  readonly startedMs = Date.now();
  /** Resolves when it has ended: with an entry, without one, or at the timeout. */
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(lease: Lease | undefined, stamp: Stamp | undefined, isRefresh: boolean) {
    this.lease = lease;
    this.stamp = stamp;
    this.isRefresh = isRefresh;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Ends it after `ms` from now, by calling `onTimeout`. */
  limit(ms: number, onTimeout: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(onTimeout, ms);
    this.#timer.unref();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#end();
  }
}

/** How many keys are remembered. */
const MAX_KEYS = 1_000;

/** The generations of this process, and the keys whose last one has stored nothing. */
export class Generations {
  readonly #running = new Map<string, Generation>();
  readonly #fruitless = new Set<string>();

  get(key: string): Generation | undefined {
    return this.#running.get(key);
  }

  /** Where the purge log was when the oldest of them began. */
  get oldestStamp(): Stamp | undefined {
    for (const { stamp } of this.#running.values()) if (stamp) return stamp;
    return undefined;
  }

  start(key: string, generation: Generation): void {
    this.#running.set(key, generation);
  }

  /** @param hasStored whether an entry was stored: without one, callers of this key don't wait for each other the next time */
  end(key: string, generation: Generation | undefined, hasStored: boolean): void {
    if (generation && this.#running.get(key) === generation) this.#running.delete(key);
    generation?.end();
    this.#fruitless.delete(key);
    if (hasStored) return;
    if (this.#fruitless.size >= MAX_KEYS)
      for (const oldest of this.#fruitless) if (this.#fruitless.delete(oldest)) break;
    this.#fruitless.add(key);
  }

  /** Whether the last generation has stored nothing: Next stores no errors, and nothing that depends on the request. */
  isFruitless(key: string): boolean {
    return this.#fruitless.has(key);
  }
}
