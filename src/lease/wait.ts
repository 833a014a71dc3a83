import type { Changes } from "../core/near.js";
import type { Clock } from "../core/time.js";

const FIRST_INTERVAL_MS = 5;
const LONGEST_INTERVAL_MS = 250;
/** Each interval is at most this part of the time waited so far, so polling adds at most that to the wait. */
const GROWTH = 0.1;

/**
 * Waits for the lease holder's value: polls at growing, randomised intervals, up to a limit. Where changes of
 * the entry are reported, it polls after each report, and rarely otherwise.
 */
export class Wait {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #startedMs: number;
  /** Time slept. A clock that is set back must not prolong the wait. */
  #sleptMs = 0;
  /** Nothing changed during the last sleep. */
  #isQuiet = false;

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
   * @param changes of the entry end it, too
   */
  async next(signal: AbortSignal, wakeUp?: AbortSignal, changes?: Changes): Promise<boolean> {
    const elapsedMs = Math.max(this.#sleptMs, this.durationMs);
    const leftMs = this.#limitMs - elapsedMs;
    if (leftMs <= 0) return false;
    // The next change may have come before it was listened for: the first poll, and one after a change, are as soon as ever.
    const growth = changes && this.#isQuiet ? Infinity : GROWTH;
    const intervalMs = Math.min(LONGEST_INTERVAL_MS, Math.max(FIRST_INTERVAL_MS, elapsedMs * growth));
    // Timers take whole milliseconds.
    const ms = Math.ceil(Math.min(leftMs, intervalMs * (0.5 + this.#clock.random() / 2)));
    const wakeUps = [wakeUp, changes?.signal].filter((one) => one !== undefined);
    const ended = wakeUps.length > 0 ? AbortSignal.any([signal, ...wakeUps]) : signal;
    await this.#clock.sleep(ms, ended);
    changes?.end();
    signal.throwIfAborted();
    this.#isQuiet = !ended.aborted;
    if (this.#isQuiet) this.#sleptMs += ms;
    return true;
  }
}
