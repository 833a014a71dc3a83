import type { Encoded } from "../../codec/encoded.js";
import type { Envelope } from "../../codec/envelope.js";
import type { SendOptions } from "../../core/connection.js";
import type { ClientContext } from "../client.js";
import { CLAIM, PUBLISH, RENEW, YIELD } from "../scripts/leases.js";
import type { HerdSettings } from "./options.js";

const REPEATABLE: SendOptions = { idempotent: true };

/** A token that no other holder has: 72 random bits in 12 characters. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes));
}

/** The right to compute one entry. It is proved to the server by its token, and lost when the entry is written or deleted. */
export class Lease {
  readonly key: string;
  readonly #token: string;
  readonly #context: ClientContext;
  readonly #settings: HerdSettings;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();

  constructor(context: ClientContext, settings: HerdSettings, key: string, token: string) {
    this.#context = context;
    this.#settings = settings;
    this.key = key;
    this.#token = token;
  }

  /** Tries to take the lease on an entry that has a value. */
  static async claim(
    context: ClientContext,
    settings: HerdSettings,
    key: string,
    seen: Envelope,
  ): Promise<Lease | undefined> {
    const token = newToken();
    const args = [String(seen.freshUntilMs).padStart(15, "0"), token, String(settings.leaseMs)];
    const won = (await context.connection.script(CLAIM, [key], args)) === 1;
    context.events.emit("claim", () => ({ key, won }));
    return won ? new Lease(context, settings, key, token) : undefined;
  }

  /** Fires when the lease is found to be lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Renews the lease, three times in each of its terms, until it is ended or lost. */
  async keep(): Promise<void> {
    const { clock, connection } = this.#context;
    const { leaseMs } = this.#settings;
    for (;;) {
      await clock.sleep(leaseMs / 3, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      const args = [this.#token, String(leaseMs)];
      // A renewal that does not get through says nothing yet: the next one may, before the term is over.
      const renewed = await connection.script(RENEW, [this.key], args, REPEATABLE).catch(() => 1);
      if (this.#ended.signal.aborted) return;
      if (renewed !== 1) {
        this.#lost.abort(new DOMException(`the lease on ${this.key} was lost`, "AbortError"));
        return;
      }
    }
  }

  /** No more renewals. */
  end(): void {
    this.#ended.abort();
  }

  /** Stores the value while the lease is held. Whether it was. */
  async publish(stored: Encoded, ttlMs: number | null): Promise<boolean> {
    const args = [this.#token, stored, ttlMs === null ? "" : String(ttlMs)];
    const published = (await this.#context.connection.script(PUBLISH, [this.key], args, REPEATABLE)) === 1;
    if (!published) this.#context.events.emit("fenced", () => ({ key: this.key }));
    return published;
  }

  /** Gives up: a placeholder goes; a value stays until its grace ends, and nobody claims it for `pauseMs`. */
  async yield(pauseMs: number): Promise<void> {
    const args = [this.#token, String(pauseMs), String(this.#settings.graceMs)];
    await this.#context.connection.script(YIELD, [this.key], args, REPEATABLE);
  }
}
