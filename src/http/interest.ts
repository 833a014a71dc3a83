import type { Clock } from "../core/time.js";

/** How long a response may take for the store alone, without a client. */
export const ALONE_MS = 30_000;

/**
 * Whether a response is still needed, as the signal that the origin gets. While the response may be stored, it is needed by
 * the store and by other clients, so it goes on for `ALONE_MS` after its client has left. Otherwise the client decides.
 */
export class Interest {
  readonly #client: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  /** Fires when the response is complete, has failed, or is not to be stored. */
  readonly #completed = new AbortController();
  readonly #abandoned: () => void;

  /**
   * @param client fires when the client has left; `undefined` without a client
   * @param abandoned called when the response is given up while it might still have been stored
   */
  constructor(client: AbortSignal | undefined, clock: Clock, abandoned: () => void = () => {}) {
    this.#client = client;
    this.#clock = clock;
    this.#abandoned = abandoned;
    this.#onClientGone(() => void this.endLater());
  }

  /** Fires when the response is not needed any more. Nothing that is made after that is stored. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The response is complete, or failed. */
  complete(): void {
    this.#completed.abort();
  }

  /** Nothing of the response is stored, or not any more. */
  leaveToClient(): void {
    this.complete();
    this.#onClientGone(() => this.end());
  }

  /** Gives the response up, unless it is complete within `ALONE_MS`. */
  async endLater(): Promise<void> {
    await this.#clock.sleep(ALONE_MS, this.#completed.signal);
    if (this.#completed.signal.aborted) return;
    this.end();
    this.#abandoned();
  }

  /** The response is not wanted any more. */
  end(): void {
    this.#controller.abort(this.#client?.reason);
  }

  #onClientGone(work: () => void): void {
    if (this.#client?.aborted) work();
    else this.#client?.addEventListener("abort", work, { once: true });
  }
}
