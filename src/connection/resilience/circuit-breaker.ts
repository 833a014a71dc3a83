import { ConnectionError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";

/** So many failures in a row, each begun after the one before, and calls are refused. */
const THRESHOLD = 3;
/** How long calls are refused before one is let through to see. */
const FIRST_MS = 100;
/** So many tries come that soon, as most outages are short; from then on the time is doubled each time in vain. */
const SOON = 4;
const LONGEST_MS = 1_000;

/**
 * Turns repeated failures into immediate ones. Closed, it lets every call through; open, it refuses them for a while;
 * then, half-open, it lets one through at a time, whose end decides. Driven by calls alone: it has no timers.
 */
export class Breaker {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #probeMs: number;
  #lastError: ConnectionError | undefined;
  /** In a row. */
  #failures = 0;
  /** Of calls that began in one era only the first failure counts: what else fails then fails for the same reason. */
  #era = 0;
  /** 0 when closed. */
  #windowMs = 0;
  /** In a row. */
  #openings = 0;
  #openedMs = 0;
  /** When the call that finds out was let through. */
  #probedMs: number | undefined;

  /**
   * @param name the server, for messages
   * @param probeMs after so long without an end, the call that finds out is taken for lost: hosts stop, or freeze
   */
  constructor(name: string, clock: Clock, probeMs: number) {
    this.#name = name;
    this.#clock = clock;
    this.#probeMs = probeMs;
  }

  get state(): "closed" | "open" | "half-open" {
    if (this.#windowMs === 0) return "closed";
    return this.#elapsed(this.#openedMs) < this.#windowMs ? "open" : "half-open";
  }

  /** What failed last, until a call succeeds. */
  get lastError(): ConnectionError | undefined {
    return this.#lastError;
  }

  /** Lets a call begin. What it answers is for `failed` and `released`. @throws {ConnectionError} while calls are refused */
  admit(): number {
    return this.#windowMs === 0 ? this.#era : this.#probe();
  }

  /** A call was answered, whatever the answer. */
  succeeded(): void {
    if (this.#lastError === undefined) return;
    this.#lastError = undefined;
    this.#failures = 0;
    this.#windowMs = 0;
    this.#openings = 0;
  }

  /** A call got no answer. Whether it is the one after which calls are refused. */
  failed(era: number, error: ConnectionError): boolean {
    if (era !== this.#era) return false;
    this.#count(error);
    const opens = this.#windowMs > 0 || this.#failures >= THRESHOLD;
    if (opens) this.#open();
    return opens;
  }

  /** No connection could be opened, which says more than a call that failed. */
  dialFailed(error: ConnectionError): void {
    this.#count(error);
    this.#open();
  }

  /** A call ended without a word on the server. */
  released(era: number): void {
    if (era === this.#era) this.#probedMs = undefined;
  }

  /** There is reason to believe that the next call finds a server. */
  expectRecovery(): void {
    if (this.#windowMs === 0) return;
    this.#openings = 0;
    this.#openedMs = this.#clock.now() - this.#windowMs;
    this.#probedMs = undefined;
  }

  #count(error: ConnectionError): void {
    this.#era++;
    this.#failures++;
    this.#lastError = error;
  }

  #probe(): number {
    const isUnderWay = this.#probedMs !== undefined && this.#elapsed(this.#probedMs) < this.#probeMs;
    if (isUnderWay || this.state === "open") throw this.#refusal();
    this.#probedMs = this.#clock.now();
    return ++this.#era;
  }

  #refusal(): ConnectionError {
    const times = this.#failures === 1 ? "" : ` ${this.#failures} times in a row`;
    return new ConnectionError(
      `${this.#name} failed${times}, so calls fail at once until one that is let through succeeds; the last failure: ${this.#lastError?.message}`,
      { cause: this.#lastError },
    );
  }

  #open(): void {
    const longestMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, ++this.#openings - SOON));
    // Those who lost their server together shouldn't come back together.
    this.#windowMs = Math.ceil(longestMs * (0.5 + this.#clock.random() / 2));
    this.#openedMs = this.#clock.now();
    this.#probedMs = undefined;
  }

  /** The distance both ways: a clock set back must not make a window longer. */
  #elapsed(sinceMs: number): number {
    return Math.abs(this.#clock.now() - sinceMs);
  }
}
