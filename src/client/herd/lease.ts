import type { Encoded } from "../../codec/envelope.js";
import { type Envelope, placeholder } from "../../codec/envelope.js";
import type { Argument, Reply, Script, SendOptions } from "../../core/connection.js";
import { CLAIM, DROP, PUBLISH, RENEW, SEIZE, YIELD } from "../../lease/scripts.js";
import type { ClientContext } from "../client.js";
import { milliseconds, type Stored, toStored } from "../key-commands.js";
import type { Loaded } from "../loading.js";
import type { Background, Origin } from "./background.js";
import { isRubbish, sealed, toFound } from "./entry.js";
import type { HerdSettings } from "./options.js";

const REPEATABLE: SendOptions = { idempotent: true };

/** A token that no other holder has: 72 random bits in 12 characters. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes));
}

/** What the leases of one call work with. */
export interface LeaseParts {
  readonly context: ClientContext;
  readonly settings: HerdSettings;
  readonly background: Background;
  /** The cache method that is called, for `onError`. */
  readonly method: string;
}

/** The right to compute one entry. It is proved to the server by its token, and lost when the entry is written or deleted. */
export class Lease {
  readonly key: string;
  readonly #token: string;
  readonly #parts: LeaseParts;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();

  constructor(parts: LeaseParts, key: string, token: string) {
    this.#parts = parts;
    this.key = key;
    this.#token = token;
  }

  /** Tries to take the lease on an entry that has a value. */
  static async claim(parts: LeaseParts, key: string, seen: Envelope): Promise<Lease | undefined> {
    const { context, settings } = parts;
    const token = newToken();
    const args = [String(seen.freshUntilMs).padStart(15, "0"), token, String(settings.leaseMs)];
    const won = (await context.connection.script(CLAIM, [key], args)) === 1;
    context.events.emit("claim", () => ({ key, won }));
    return won ? new Lease(parts, key, token) : undefined;
  }

  /** Tries to take the lease on an entry that can't be read, which is gone then; in vain when something else is there by now. */
  static async seize(parts: LeaseParts, key: string): Promise<Lease | undefined> {
    const { context, settings } = parts;
    // As bytes: what is no text must come back as it is.
    const [reply = null] = await context.connection.send([["GET", key]], { readOnly: true });
    const stored = toStored(reply, key);
    if (stored === undefined || (await isReadable(parts, key, stored))) return undefined;
    const token = newToken();
    const args = [stored, placeholder(token, context.clock.now() + settings.leaseMs), String(settings.leaseMs)];
    const won = (await context.connection.script(SEIZE, [key], args)) === 1;
    context.events.emit("claim", () => ({ key, won }));
    return won ? new Lease(parts, key, token) : undefined;
  }

  /** Fires when the lease is found to be lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Renews the lease, three times in each of its terms, until it ends or is lost. Never rejects. */
  async keep(): Promise<void> {
    const { context, settings, background } = this.#parts;
    const { leaseMs } = settings;
    for (;;) {
      await context.clock.sleep(leaseMs / 3, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      const renewed = await background.attempt(() => this.#script(RENEW, String(leaseMs)), this.#origin);
      if (this.#ended.signal.aborted) return;
      // A renewal that does not get through says nothing yet: the next one may, before the term is over.
      if (renewed !== undefined && renewed !== 1) {
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
      await this.#finish(() => this.#script(DROP));
      return undefined;
    }
    if (ttlMs === undefined) {
      await this.yield();
      return undefined;
    }
    const { context, settings } = this.#parts;
    let encoded: Encoded;
    let write: Stored;
    try {
      encoded = await context.codec.encode(value, this.key);
      write = sealed(context, settings, encoded, ttlMs, durationMs);
    } catch (error) {
      await this.yield();
      throw error;
    }
    await this.#finish(() => this.#publish(write));
    return encoded;
  }

  /** Gives up: a placeholder goes; a value stays until its grace ends, and no caller claims it for a while. Never rejects. */
  async yield(): Promise<void> {
    this.#ended.abort();
    await this.#parts.background.attempt(() => this.#release(), this.#origin);
  }

  /** Ends the lease with its last step. A store that fails there keeps no caller from the answer, and no other from the key. */
  async #finish(lastStep: () => Promise<unknown>): Promise<void> {
    const { context, background, method } = this.#parts;
    this.#ended.abort();
    try {
      await lastStep();
    } catch (error) {
      context.report(error, method, this.key);
      // When the store fails here, too, that is the failure just reported, and the lease ends with its term.
      void background.run(() => this.#release().catch(() => {}), this.#origin);
    }
  }

  async #publish({ stored, ttlMs }: Stored): Promise<void> {
    const published = (await this.#script(PUBLISH, stored, milliseconds(ttlMs))) === 1;
    if (!published) this.#parts.context.events.emit("fenced", () => ({ key: this.key }));
  }

  async #release(): Promise<void> {
    const { retryAfterMs, graceMs } = this.#parts.settings;
    await this.#script(YIELD, String(retryAfterMs), String(graceMs));
  }

  /** Runs a script that begins with proving the lease by its token. */
  #script(script: Script, ...args: readonly Argument[]): Promise<Reply> {
    return this.#parts.context.connection.script(script, [this.key], [this.#token, ...args], REPEATABLE);
  }

  get #origin(): Origin {
    return { method: this.#parts.method, key: this.key };
  }
}

async function isReadable({ context, settings }: LeaseParts, key: string, stored: Encoded): Promise<boolean> {
  const { codec, clock } = context;
  const { graceMs } = settings;
  try {
    const found = toFound(stored, { key, token: "", codec, graceMs, nowMs: clock.now() });
    if (found.kind === "fresh" || found.kind === "stale") await codec.decode(found.payload, key);
    return true;
  } catch (error) {
    if (isRubbish(error)) return false;
    throw error;
  }
}
