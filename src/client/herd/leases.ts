import type { Encoded, Envelope } from "../../codec/envelope.js";
import { readTagged } from "../../codec/tagged.js";
import { notify } from "../../core/async.js";
import { SET_NX_GET, UnavailableError } from "../../core/availability.js";
import { isReplaceable, Lease, type LeaseContext } from "../../lease/lease.js";
import { hasLeases } from "../../lease/read-or-claim.js";
import type { Background } from "../background.js";
import type { ClientContext } from "../client.js";
import { EXPIRE_SOFTLY } from "../entry-scripts.js";
import { type Stored, toStored } from "../key-commands.js";
import type { Loaded } from "../loading.js";
import type { Answer, Sharing } from "../single-flight.js";
import { tagLoaded } from "../tagged-entries.js";
import { hasTags, readEntry, sealed } from "./entry.js";
import type { HerdSettings } from "./options.js";

/** What the leases of one call work with. */
export interface LeaseParts {
  readonly context: ClientContext;
  readonly settings: HerdSettings;
  readonly background: Background;
  /** The cache method that was called, for `onError`. */
  readonly method: string;
}

/** One value that was loaded, with its tags. */
export interface LoadedOne extends Loaded {
  readonly tags?: readonly string[] | undefined;
}

const NOTHING: Pick<Answer, "encoded" | "stored"> = { encoded: undefined };

/** Takes the leases of one cache method, and ends them with what was loaded. */
export class Leases {
  readonly context: LeaseContext;
  readonly #parts: LeaseParts;
  /** For loads without a lease: whether their keys were neither written nor deleted in this process meanwhile. */
  readonly #watches = new Map<Lease, ReturnType<Sharing["watch"]>>();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    const { context, settings, method } = parts;
    this.context = {
      connection: context.connection,
      clock: context.clock,
      leaseMs: settings.leaseMs,
      graceMs: settings.graceMs,
      held: context.events.held,
      onError: (error, key) => context.report(withCost(error), method, key),
      onRenewed: (key, held) => context.events.emit("renew", () => ({ method, key, held })),
      // Errors of the host's own waitUntil are reported by the loads that use it.
      waitUntil: (work) =>
        notify(
          () => context.invocation.waitUntil(work),
          () => {},
        ),
    };
  }

  /**
   * The lease that a lookup has taken.
   * @param token empty where none could be taken
   * @returns `undefined` where none could be taken and this process loads the key already
   */
  claimed(key: string, token: string): Lease | undefined {
    const lease = token === "" ? this.#withoutLease(key) : new Lease(this.context, key, token);
    if (lease) this.#emitClaim(key, true);
    return lease;
  }

  /** Tries to take the lease on an entry that has a value. @param inPause also in the pause after a failed load */
  claim(key: string, { freshUntilMs }: Envelope, inPause = false): Promise<Lease | undefined> {
    return this.#take(key, () => Lease.claim(this.context, key, freshUntilMs, inPause));
  }

  /** Puts an envelope around a value that has none. It is stale then. */
  async enclose(key: string): Promise<void> {
    const { context, settings } = this.#parts;
    const args = [context.codec.mark, String(settings.graceMs)];
    await context.connection.script(EXPIRE_SOFTLY, [key], args, { idempotent: true });
  }

  /** Tries to replace an unreadable entry by a placeholder. @returns `undefined` when the entry is readable or has changed */
  async seize(key: string): Promise<Lease | undefined> {
    // Read as bytes, because bytes that are not text must be compared unchanged.
    const [reply = null] = await this.#parts.context.connection.send([["GET", key]], { readOnly: true });
    const stored = toStored(reply, key);
    if (stored === undefined || (await this.#isReadable(key, stored))) return undefined;
    return this.#take(key, () => Lease.seize(this.context, key, stored));
  }

  /**
   * Ends the lease with what was loaded. A value is stored if the lease is still held. `undefined` deletes the entry; a
   * value that is not to be stored leaves the entry as it is.
   * @returns the encoded value, if it was to be stored, and what was stored
   * @throws {EncodeError}
   */
  async settle(lease: Lease, loaded: LoadedOne): Promise<Pick<Answer, "encoded" | "stored">> {
    try {
      return await this.#settle(lease, loaded);
    } finally {
      this.#endWatch(lease);
    }
  }

  async #settle(
    lease: Lease,
    { value, ttlMs, durationMs, tags, stamp }: LoadedOne,
  ): Promise<Pick<Answer, "encoded" | "stored">> {
    if (value === undefined) {
      await this.#finish(lease, async () => void (this.#isCurrent(lease) && (await lease.drop())));
      return NOTHING;
    }
    if (ttlMs === undefined) {
      await this.yield(lease);
      return NOTHING;
    }
    const { context, settings, method } = this.#parts;
    const { key } = lease;
    let encoded: Encoded;
    let stored: Encoded | undefined;
    let write: Stored;
    try {
      encoded = await context.codec.encode(value, lease.key);
      const tagging = { method, tagsOf: tags && (() => tags), stamp };
      [stored] = (await tagLoaded(context, [[key, value]], [encoded], tagging)) ?? [];
      if (stored === undefined) {
        await this.yield(lease);
        return NOTHING;
      }
      write = sealed(context, settings, stored, ttlMs, durationMs);
    } catch (error) {
      await this.yield(lease);
      throw error;
    }
    await this.#finish(lease, async () => {
      const isStored = this.#isCurrent(lease) && (await lease.publish(write.stored, write.ttlMs));
      if (isStored) context.events.emit("set", () => ({ method, key, count: 1, bytes: encoded.length }));
      else context.events.emit("fenced", () => ({ method, key }));
    });
    return { encoded, stored };
  }

  /** Gives the lease up after a failed load. Never rejects. */
  async yield(lease: Lease): Promise<void> {
    const { background, method } = this.#parts;
    this.#endWatch(lease);
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

  /** Takes a lease, or goes without one where the server refuses a command of leases. */
  async #take(key: string, take: () => Promise<Lease | undefined>): Promise<Lease | undefined> {
    const lease = hasLeases(this.context.connection)
      ? await take().catch((error: unknown) => {
          if (!(error instanceof UnavailableError)) throw error;
          this.context.onError(error, key);
          return this.#withoutLease(key);
        })
      : this.#withoutLease(key);
    this.#emitClaim(key, lease !== undefined);
    return lease;
  }

  #withoutLease(key: string): Lease | undefined {
    const { sharing } = this.#parts.context;
    if (sharing.isLoading(key)) return undefined;
    const lease = new Lease(this.context, key, "", "nothing");
    this.#watches.set(lease, sharing.watch([key]));
    return lease;
  }

  /** Whether no write or delete of this process has overtaken the load. Where there is a lease, the server knows better. */
  #isCurrent(lease: Lease): boolean {
    return this.#watches.get(lease)?.current.has(lease.key) ?? true;
  }

  #release(lease: Lease): Promise<void> {
    return lease.yield(this.#parts.settings.retryAfterMs);
  }

  #endWatch(lease: Lease): void {
    this.#watches.get(lease)?.end();
    this.#watches.delete(lease);
  }

  async #isReadable(key: string, stored: Encoded): Promise<boolean> {
    const { context, settings } = this.#parts;
    const { codec, clock } = context;
    try {
      const read = readEntry(stored, { key, token: "", codec, graceMs: settings.graceMs, nowMs: clock.now() });
      if (read.kind !== "fresh" && read.kind !== "stale") return true;
      await codec.decode(hasTags(read) ? readTagged(read.payload, key).payload : read.payload, key);
      return true;
    } catch (error) {
      if (isReplaceable(error)) return false;
      throw error;
    }
  }

  #emitClaim(key: string, won: boolean): void {
    const { context, method } = this.#parts;
    context.events.emit("claim", () => ({ method, key, won }));
  }
}

/** Adds to a refusal what it costs. */
function withCost(error: unknown): unknown {
  if (!(error instanceof UnavailableError)) return error;
  const cost =
    error.what === SET_NX_GET
      ? "herd() takes its leases by a script meanwhile, at the same number of round trips"
      : "herd() goes without leases meanwhile: each process loads missing values by itself";
  return new UnavailableError(error.what, error, cost);
}
