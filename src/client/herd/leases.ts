import type { Encoded, Envelope } from "../../codec/envelope.js";
import { notify } from "../../core/async.js";
import { isReplaceable, Lease, type LeaseContext } from "../../lease/lease.js";
import { type LostClaim, withdrawLost } from "../../lease/lost-claims.js";
import type { ClientContext } from "../client.js";
import { type Stored, toStored } from "../key-commands.js";
import type { Loaded } from "../loading.js";
import type { Background } from "./background.js";
import { readEntry, sealed } from "./entry.js";
import type { HerdSettings } from "./options.js";

/** What the leases of one call work with. */
export interface LeaseParts {
  readonly context: ClientContext;
  readonly settings: HerdSettings;
  readonly background: Background;
  /** The cache method that was called, for `onError`. */
  readonly method: string;
}

/** Takes the leases of one cache method, and ends them with what was loaded. */
export class Leases {
  readonly #parts: LeaseParts;
  readonly #lease: LeaseContext;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    const { context, settings, method } = parts;
    this.#lease = {
      connection: context.connection,
      clock: context.clock,
      leaseMs: settings.leaseMs,
      graceMs: settings.graceMs,
      onRenewalError: (error, key) => context.report(error, method, key),
      // Errors of the host's own waitUntil are reported by the loads that use it.
      waitUntil: (work) =>
        notify(
          () => context.invocation.waitUntil(work),
          () => {},
        ),
    };
  }

  /** Withdraws `readOrClaim` commands whose reply was lost. */
  withdraw(claims: readonly LostClaim[], error: unknown): void {
    withdrawLost(this.#lease, claims, error);
  }

  /** The lease that a `readOrClaim` command has taken. */
  claimed(key: string, token: string): Lease {
    this.#emitClaim(key, true);
    return new Lease(this.#lease, key, token);
  }

  /** Tries to take the lease on an entry that has a value. */
  async claim(key: string, { freshUntilMs }: Envelope): Promise<Lease | undefined> {
    const lease = await Lease.claim(this.#lease, key, freshUntilMs);
    this.#emitClaim(key, lease !== undefined);
    return lease;
  }

  /** Tries to replace an unreadable entry by a placeholder. @returns `undefined` when the entry is readable or has changed */
  async seize(key: string): Promise<Lease | undefined> {
    // Read as bytes, because bytes that are not text must be compared unchanged.
    const [reply = null] = await this.#parts.context.connection.send([["GET", key]], { readOnly: true });
    const stored = toStored(reply, key);
    if (stored === undefined || (await this.#isReadable(key, stored))) return undefined;
    const lease = await Lease.seize(this.#lease, key, stored);
    this.#emitClaim(key, lease !== undefined);
    return lease;
  }

  /**
   * Ends the lease with what was loaded. A value is stored if the lease is still held. `undefined` deletes the entry; a
   * value that is not to be stored leaves the entry as it is.
   * @returns the encoded value, if it was to be stored
   * @throws {EncodeError}
   */
  async settle(lease: Lease, { value, ttlMs, durationMs }: Loaded): Promise<Encoded | undefined> {
    if (value === undefined) {
      await this.#finish(lease, () => lease.drop());
      return undefined;
    }
    if (ttlMs === undefined) {
      await this.yield(lease);
      return undefined;
    }
    const { context, settings } = this.#parts;
    let encoded: Encoded;
    let write: Stored;
    try {
      encoded = await context.codec.encode(value, lease.key);
      write = sealed(context, settings, encoded, ttlMs, durationMs);
    } catch (error) {
      await this.yield(lease);
      throw error;
    }
    await this.#finish(lease, async () => {
      const isStored = await lease.publish(write.stored, write.ttlMs);
      if (!isStored) context.events.emit("fenced", () => ({ key: lease.key }));
    });
    return encoded;
  }

  /** Gives the lease up after a failed load. Never rejects. */
  async yield(lease: Lease): Promise<void> {
    const { background, method } = this.#parts;
    await background.attempt(() => this.#release(lease), { method, key: lease.key });
  }

  /** Runs the lease's last script. A store error neither fails the caller nor keeps the key leased. */
  async #finish(lease: Lease, lastScript: () => Promise<unknown>): Promise<void> {
    const { context, background, method } = this.#parts;
    const { key } = lease;
    try {
      await lastScript();
    } catch (error) {
      context.report(error, method, key);
      // A second error has the same cause as the one just reported. The lease then ends with its term.
      void background.run(() => this.#release(lease).catch(() => {}), { method, key });
    }
  }

  #release(lease: Lease): Promise<void> {
    return lease.yield(this.#parts.settings.retryAfterMs);
  }

  async #isReadable(key: string, stored: Encoded): Promise<boolean> {
    const { context, settings } = this.#parts;
    const { codec, clock } = context;
    try {
      const read = readEntry(stored, { key, token: "", codec, graceMs: settings.graceMs, nowMs: clock.now() });
      if (read.kind === "fresh" || read.kind === "stale") await codec.decode(read.payload, key);
      return true;
    } catch (error) {
      if (isReplaceable(error)) return false;
      throw error;
    }
  }

  #emitClaim(key: string, won: boolean): void {
    this.#parts.context.events.emit("claim", () => ({ key, won }));
  }
}
