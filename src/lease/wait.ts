import type { Clock } from "../core/time.js";

const FIRST_INTERVAL_MS = 5;
const LONGEST_INTERVAL_MS = 250;
/** Each interval is at most this part of the time waited so far, so polling adds at most that to the wait. */
const GROWTH = 0.1;

/** Waits for the lease holder's value: polls at growing, randomised intervals, up to a limit. */
export class Wait {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #startedMs: number;
  /** Time slept. A clock that is set back must not prolong the wait. */
  #sleptMs = 0;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#startedMs = clock.now();
  }

  get durationMs(): number {
    return Math.max(0, this.#clock.now() - this.#startedMs);
  }

  /**
   * Sleeps until the next poll. @returns `false` when the limit is reached @throws the signal's reason
   * @param wakeUp ends the sleep early
   */
  async next(signal: AbortSignal, wakeUp?: AbortSignal): Promise<boolean> {
    const elapsedMs = Math.max(this.#sleptMs, this.durationMs);
    const leftMs = this.#limitMs - elapsedMs;
    if (leftMs <= 0) return false;
    const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(FIRST_INTERVAL_MS, elapsedMs * GROWTH));
    // Timers take whole milliseconds.
    const ms = Math.ceil(Math.min(leftMs, intervalMs * (0.5 + this.#clock.random() / 2)));
    await this.#clock.sleep(ms, wakeUp ? AbortSignal.any([signal, wakeUp]) : signal);
    signal.throwIfAborted();
    this.#sleptMs += ms;
    return true;
  }
}
