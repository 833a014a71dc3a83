import type { Clock } from "../../core/time.js";

const FIRST_MS = 5;
const LONGEST_MS = 250;
/** A poll comes at the latest when another tenth of the time has passed: a waiter adds at most that to what it waits for. */
const PART = 0.1;

/** What `work` gives, or `otherwise` when it takes longer than `ms`; without `ms` it may take as long as it does. */
export async function within<T>(clock: Clock, ms: number | undefined, work: Promise<T>, otherwise: T): Promise<T> {
  if (ms === undefined) return work;
  const done = new AbortController();
  const late = clock.sleep(ms, done.signal).then(() => otherwise);
  return Promise.race([work, late]).finally(() => done.abort());
}

/** The wait for another caller's value: polls that grow rarer, up to a limit. */
export class Wait {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #startedMs: number;
  /** Time slept, so that a clock set back can't prolong the wait. */
  #sleptMs = 0;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#startedMs = clock.now();
  }

  get durationMs(): number {
    return Math.max(0, this.#clock.now() - this.#startedMs);
  }

  /** Sleeps until it is time to look again; `false` when the limit is reached. @throws the signal's reason */
  async next(signal: AbortSignal): Promise<boolean> {
    const elapsedMs = Math.max(this.#sleptMs, this.durationMs);
    const leftMs = this.#limitMs - elapsedMs;
    if (leftMs <= 0) return false;
    const evenMs = Math.min(LONGEST_MS, Math.max(FIRST_MS, elapsedMs * PART));
    // Whole milliseconds, as timers have no others.
    const ms = Math.ceil(Math.min(leftMs, evenMs * (0.5 + this.#clock.random() / 2)));
    await this.#clock.sleep(ms, signal);
    signal.throwIfAborted();
    this.#sleptMs += ms;
    return true;
  }
}
