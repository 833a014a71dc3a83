import { ConnectionError } from "../../core/errors.js";
import type { Clock } from "../../core/time.js";
import { Watchers } from "./watchers.js";

/** The circuit opens after this number of failures in a row, each of a call that began after the failure before. */
const FAILURE_THRESHOLD = 3;
/** How long an open circuit refuses calls before it lets a probe through. */
const FIRST_WINDOW_MS = 100;
/** This number of windows is short, as most outages are. After that each failed probe doubles the window. */
const SHORT_WINDOWS = 4;
const LONGEST_WINDOW_MS = 1_000;

/**
 * Turns repeated failures into immediate ones. Closed, it admits every call. Open, it refuses calls for a while. Then,
 * half-open, it admits one call at a time, the probe, whose outcome closes or opens it. It has no timers: calls drive it.
 */
export class CircuitBreaker {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #probeTimeoutMs: number;
  #lastError: ConnectionError | undefined;
  /** In a row. */
  #failures = 0;
  /** Only the first failure of the calls of one generation counts, as the others have the same reason. */
  #generation = 0;
  /** 0 while the circuit is closed. */
  #windowMs = 0;
  /** In a row. */
  #openings = 0;
  #openedMs = 0;
  /** When the probe began. */
  #probedMs: number | undefined;
  /** Called when it opens or closes. */
  readonly watchers = new Watchers();

  /**
   * @param name the server, for messages
   * @param probeTimeoutMs a probe without an outcome after this time counts as lost, as hosts stop or freeze
   */
  constructor(name: string, clock: Clock, probeTimeoutMs: number) {
    this.#name = name;
    this.#clock = clock;
    this.#probeTimeoutMs = probeTimeoutMs;
  }

  get state(): "closed" | "open" | "half-open" {
    if (this.#windowMs === 0) return "closed";
    return this.#elapsed(this.#openedMs) < this.#windowMs ? "open" : "half-open";
  }

  /** The last failure, until a call succeeds. */
  get lastError(): ConnectionError | undefined {
    return this.#lastError;
  }

  /**
   * Admits a call.
   * @returns the call's generation, which `failed` and `released` take
   * @throws {ConnectionError} while calls are refused
   */
  admit(): number {
    return this.#windowMs === 0 ? this.#generation : this.#probe();
  }

  /** A call was answered, whatever the reply. */
  succeeded(): void {
    if (this.#lastError === undefined) return;
    const wasOpen = this.#windowMs > 0;
    this.#lastError = undefined;
    this.#failures = 0;
    this.#windowMs = 0;
    this.#openings = 0;
    if (wasOpen) this.#notify("closed");
  }

  /** A call got no reply. @returns whether this failure opened the circuit */
  failed(generation: number, error: ConnectionError): boolean {
    if (generation !== this.#generation) return false;
    this.#count(error);
    const opens = this.#windowMs > 0 || this.#failures >= FAILURE_THRESHOLD;
    if (opens) this.#open();
    return opens;
  }

  /** No connection could be opened. This opens the circuit at once, as it says more than a call that failed. */
  dialFailed(error: ConnectionError): void {
    this.#count(error);
    this.#open();
  }

  /** A call ended without an outcome that says anything about the server. */
  released(generation: number): void {
    if (generation === this.#generation) this.#probedMs = undefined;
  }

  /** Admits a probe at once, as the server has probably recovered. */
  expectRecovery(): void {
    if (this.#windowMs === 0) return;
    this.#openings = 0;
    this.#openedMs = this.#clock.now() - this.#windowMs;
    this.#probedMs = undefined;
  }

  #count(error: ConnectionError): void {
    this.#generation++;
    this.#failures++;
    this.#lastError = error;
  }

  #probe(): number {
    const isProbing = this.#probedMs !== undefined && this.#elapsed(this.#probedMs) < this.#probeTimeoutMs;
    if (isProbing || this.state === "open") throw this.#refusal();
    this.#probedMs = this.#clock.now();
    return ++this.#generation;
  }

  #refusal(): ConnectionError {
    const times = this.#failures === 1 ? "" : ` ${this.#failures} times in a row`;
    return new ConnectionError(
      `${this.#name} failed${times}, so calls fail at once until a probe succeeds; the last failure: ${this.#lastError?.message}`,
      { cause: this.#lastError },
    );
  }

  #open(): void {
    const wasOpen = this.#windowMs > 0;
    const longestMs = Math.min(LONGEST_WINDOW_MS, FIRST_WINDOW_MS * 2 ** Math.max(0, ++this.#openings - SHORT_WINDOWS));
    // Jitter keeps clients that lost their server together from returning together.
    this.#windowMs = Math.ceil(longestMs * (0.5 + this.#clock.random() / 2));
    this.#openedMs = this.#clock.now();
    this.#probedMs = undefined;
    if (!wasOpen) this.#notify("open");
  }

  #notify(state: "open" | "closed"): void {
    const event = { kind: "breaker", state, error: this.#lastError } as const;
    this.watchers.notify(event);
  }

  /** The distance in either direction: a clock that is set back must not make a window longer. */
  #elapsed(sinceMs: number): number {
    return Math.abs(this.#clock.now() - sinceMs);
  }
}
