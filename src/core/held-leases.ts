/** A lease that a caller of this process holds. */
export interface HeldLease {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** So many leases are held before one looks for those that have ended unnoticed. */
const SWEEP_FROM = 1_000;

/**
 * The leases that callers of this process hold on entries of one cache, and how many callers wait for a value without a lease.
 * It is kept whether or not it is watched, as a watcher also wants to know what began before it came.
 */
export class HeldLeases {
  /** Callers that wait, beside those that share a load of their own process. */
  waiters = 0;
  readonly #held = new Map<object, HeldLease & { untilMs: number }>();
  #sweepAt = SWEEP_FROM;

  /** A lease was taken, or renewed. @param untilMs when its term ends */
  add(lease: object, key: string, nowMs: number, untilMs: number): void {
    const known = this.#held.get(lease);
    if (known) known.untilMs = untilMs;
    else {
      if (this.#held.size >= this.#sweepAt) this.#sweep(nowMs);
      this.#held.set(lease, { key, sinceMs: nowMs, untilMs });
    }
  }

  delete(lease: object): void {
    this.#held.delete(lease);
  }

  /** Counts a caller as waiting until the promise settles. */
  async waiting<T>(wait: Promise<T>): Promise<T> {
    this.waiters++;
    try {
      return await wait;
    } finally {
      this.waiters--;
    }
  }

  /** The leases whose terms have not ended, the oldest first. */
  list(nowMs = Date.now()): HeldLease[] {
    this.#sweep(nowMs);
    return [...this.#held.values()].map(({ key, sinceMs }) => ({ key, sinceMs }));
  }

  /** A host may drop a request with all that it awaits, so that its leases are never given up. Their terms end nevertheless. */
  #sweep(nowMs: number): void {
    for (const [lease, { untilMs }] of this.#held) if (untilMs < nowMs) this.#held.delete(lease);
    this.#sweepAt = Math.max(SWEEP_FROM, this.#held.size * 2);
  }
}
