/**
 * Whether a response is still wanted, as the signal that its origin is given. While it may be stored, a client that leaves
 * changes nothing: other clients and the store want all of it. After that the client alone decides.
 */
export class Interest {
  readonly #client: AbortSignal | undefined;
  readonly #controller = new AbortController();

  constructor(client: AbortSignal | undefined) {
    this.#client = client;
  }

  /** Fires when the response is not wanted any more. What was made after that is not whole, and is not stored. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Nothing of the response is stored, or not any more. */
  leaveToClient(): void {
    const client = this.#client;
    if (!client) return;
    if (client.aborted) this.end(client.reason);
    else client.addEventListener("abort", () => this.end(client.reason), { once: true });
  }

  end(reason?: unknown): void {
    this.#controller.abort(reason);
  }
}
