import type { Clock } from "../../core/clock.js";

/** How long a response is made for the store alone, when its client is gone. */
export const ALONE_MS = 30_000;

/**
 * Whether a response is still wanted, as the signal that its origin is given. While it may be stored, a client that leaves
 * changes nothing for as long as `ALONE_MS`: other clients and the store want all of it. After that the client alone decides.
 */
export class Interest {
  readonly #client: AbortSignal | undefined;
  readonly #controller = new AbortController();
  /** Fires when it is known what becomes of the response. */
  readonly #settled = new AbortController();

  constructor(client: AbortSignal | undefined, clock: Clock) {
    this.#client = client;
    this.#onceGone(() => {
      if (this.#settled.signal.aborted) return;
      clock.sleep(ALONE_MS, this.#settled.signal).then(() => {
        if (!this.#settled.signal.aborted) this.end();
      });
    });
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

  end(): void {
    this.#controller.abort(this.#client?.reason);
  }

  #onceGone(work: () => void): void {
    if (this.#client?.aborted) work();
    else this.#client?.addEventListener("abort", work, { once: true });
  }
}
