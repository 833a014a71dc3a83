import type { Clock } from "../core/time.js";

/** How long a response is made for the store alone, when its client is gone or there never was one. */
export const ALONE_MS = 30_000;

/**
 * Whether a response is still wanted, as the signal that its origin is given. While it may be stored, a client that leaves
 * changes nothing for as long as `ALONE_MS`: other clients and the store want all of it. After that the client alone decides.
 */
export class Interest {
  readonly #client: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  /** Fires when it is known what becomes of the response. */
  readonly #settled = new AbortController();
  readonly #abandoned: () => void;

  /**
   * @param client fires when the client is gone; `undefined` where there is none
   * @param abandoned called when the response is given up while it might still have been stored
   */
  constructor(client: AbortSignal | undefined, clock: Clock, abandoned: () => void = () => {}) {
    this.#client = client;
    this.#clock = clock;
    this.#abandoned = abandoned;
    this.#onceGone(() => void this.endLater());
  }

  /** Fires when the response is not wanted any more. What was made after that is not whole, and is not stored. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The response is complete, or failed. */
  settle(): void {
    this.#settled.abort();
  }

  /** Nothing of the response is stored, or not any more. */
  leaveToClient(): void {
    this.settle();
    this.#onceGone(() => this.end());
  }

  /** Gives the response up, unless it settles within `ALONE_MS`. */
  async endLater(): Promise<void> {
    await this.#clock.sleep(ALONE_MS, this.#settled.signal);
    if (this.#settled.signal.aborted) return;
    this.end();
    this.#abandoned();
  }

  /** The response is not wanted any more. */
  end(): void {
    this.#controller.abort(this.#client?.reason);
  }

  #onceGone(work: () => void): void {
    if (this.#client?.aborted) work();
    else this.#client?.addEventListener("abort", work, { once: true });
  }
}
