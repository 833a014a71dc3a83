import type { Encoded } from "../../codec/encoded.js";
import { type Envelope, placeholder } from "../../codec/envelope.js";
import type { SendOptions } from "../../core/connection.js";
import type { ClientContext } from "../client.js";
import { toStored } from "../entry.js";
import type { Loaded } from "../loading.js";
import { CLAIM, DROP, PUBLISH, RENEW, SEIZE, YIELD } from "../scripts/leases.js";
import { isRubbish, toFound } from "./found.js";
import type { HerdSettings } from "./options.js";
import { sealed } from "./sealed.js";

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

  /** Tries to take the lease on an entry that can't be read, which is gone then; in vain when something else is there by now. */
  static async seize(context: ClientContext, settings: HerdSettings, key: string): Promise<Lease | undefined> {
    // As bytes: what is no text must come back as it is.
    const [reply = null] = await context.connection.send([["GET", key]], { readOnly: true });
    const stored = toStored(reply, key);
    if (stored === undefined || (await isReadable(context, settings, key, stored))) return undefined;
    const token = newToken();
    const args = [stored, placeholder(token, context.clock.now() + settings.leaseMs), String(settings.leaseMs)];
    const won = (await context.connection.script(SEIZE, [key], args)) === 1;
    context.events.emit("claim", () => ({ key, won }));
    return won ? new Lease(context, settings, key, token) : undefined;
  }

  /** Fires when the lease is found to be lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Renews the lease, three times in each of its terms, until it ends or is lost. */
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

  /**
   * Stores what was loaded, where it is to be stored and the lease is still held. A loader that has nothing to give ends
   * the entry; one that does not want its value stored leaves it. That is the end of the lease.
   * @returns the stored form, where it was to be stored
   * @throws {EncodeError}
   */
  async settle({ value, ttlMs, durationMs }: Loaded): Promise<Encoded | undefined> {
    if (value === undefined) {
      await this.#end(this.#context.connection.script(DROP, [this.key], [this.#token], REPEATABLE));
      return undefined;
    }
    if (ttlMs === undefined) {
      await this.yield();
      return undefined;
    }
    let encoded: Encoded;
    try {
      encoded = await this.#context.codec.encode(value, this.key);
    } catch (error) {
      await this.yield();
      throw error;
    }
    const write = sealed(this.#context, this.#settings, encoded, ttlMs, durationMs);
    await this.#end(this.#publish(write.stored, write.ttlMs));
    return encoded;
  }

  /** Gives up: a placeholder goes; a value stays until its grace ends, and nobody claims it for a while. */
  async yield(): Promise<void> {
    const { retryAfterMs, graceMs } = this.#settings;
    const args = [this.#token, String(retryAfterMs), String(graceMs)];
    await this.#end(this.#context.connection.script(YIELD, [this.key], args, REPEATABLE));
  }

  async #publish(stored: Encoded, ttlMs: number | null): Promise<void> {
    const args = [this.#token, stored, ttlMs === null ? "" : String(ttlMs)];
    const published = (await this.#context.connection.script(PUBLISH, [this.key], args, REPEATABLE)) === 1;
    if (!published) this.#context.events.emit("fenced", () => ({ key: this.key }));
  }

  /** No more renewals. A store that fails at the last step keeps nobody from the answer. */
  async #end(lastStep: Promise<unknown>): Promise<void> {
    this.#ended.abort();
    try {
      await lastStep;
    } catch (error) {
      this.#context.report(error, "getOrSet", this.key);
    }
  }
}

async function isReadable(
  { codec, clock }: ClientContext,
  { graceMs }: HerdSettings,
  key: string,
  stored: Encoded,
): Promise<boolean> {
  try {
    const found = toFound(stored, { key, token: "", codec, graceMs, nowMs: clock.now() });
    if (found.kind === "fresh" || found.kind === "stale") await codec.decode(found.payload, key);
    return true;
  } catch (error) {
    if (isRubbish(error)) return false;
    throw error;
  }
}
