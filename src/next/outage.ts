import type { Connection } from "../core/connection.js";
import { ConnectionError } from "../core/errors.js";

/** How long after a failed probe the next one is sent. */
const PAUSE_MS = 250;

/**
 * Whether the store fails. A page makes several calls one after another, and only the first of them is to wait for a deadline:
 * until a probe in the background has been answered, the others go on without the store.
 */
export class Outage {
  readonly #connection: Connection;
  #isDown = false;
  #isProbing = false;
  #probeAtMs = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Notes the error of a call. */
  note(error: unknown): void {
    if (error instanceof ConnectionError) this.#isDown = true;
  }

  /** Whether the store has failed, and is not known to be back. Sends probes while it is asked. */
  get lasts(): boolean {
    if (this.#isDown && !this.#isProbing && performance.now() >= this.#probeAtMs) void this.#probe();
    return this.#isDown;
  }

  async #probe(): Promise<void> {
    this.#isProbing = true;
    try {
      await this.#connection.send([["PING"]], { readOnly: true, primary: true });
      this.#isDown = false;
    } catch {
      // The error that has begun the outage was reported.
      this.#probeAtMs = performance.now() + PAUSE_MS;
    }
    this.#isProbing = false;
  }
}
