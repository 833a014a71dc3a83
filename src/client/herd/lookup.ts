import { type Encoded, type Envelope, NO_TOKEN } from "../../codec/envelope.js";
import type { Command, Reply, SendOptions } from "../../core/connection.js";
import { refusesWrites } from "../../core/errors.js";
import type { NearReads } from "../../core/near.js";
import { isReplaceable, type Lease } from "../../lease/lease.js";
import { type Read, readOrClaim } from "../../lease/read-or-claim.js";
import type { LogRead } from "../../tags/entry-tags.js";
import { tolerate } from "../refusals.js";
import { judged, sendWithLog, untilRead } from "../tagged-entries.js";
import { type EntryRead, ended, hasTags, readEntry, refreshesEarly, type TaggedRead } from "./entry.js";
import type { LeaseParts, Leases } from "./leases.js";
import { next } from "./state.js";

/** A value that is refreshed while it is answered. */
export interface Refreshable {
  readonly kind: "fresh" | "stale";
  readonly payload: Encoded;
  readonly envelope: Envelope;
}

type Valued = Extract<EntryRead, { kind: "fresh" | "stale" }>;

/** The state of a key after its lookup. */
export type Outcome =
  /** `freshUntilMs` is absent for a value without an envelope. */
  | {
      readonly state: "Answered";
      readonly value: unknown;
      readonly encoded: Encoded;
      readonly stored: Encoded | undefined;
      readonly freshUntilMs: number | undefined;
      readonly savedMs: number;
    }
  | {
      readonly state: "Refreshing";
      readonly value: unknown;
      readonly encoded: Encoded;
      readonly stored: Encoded | undefined;
      readonly old: Refreshable;
    }
  /** `old` is absent where there was no value, or it may not be answered. */
  | { readonly state: "Loading"; readonly lease: Lease; readonly old?: Refreshable | undefined }
  | { readonly state: "Waiting" }
  | { readonly state: "LoadingAlone" };

/** The keys of a call that loads in any case for whose load by another caller it waits. What that one stores is answered. */
export type Forced = Set<string>;

/** What a lookup has found. */
export interface LookedUp {
  readonly reply?: Reply | undefined;
  /** Of the claim; empty after a plain GET. */
  readonly token?: string | undefined;
  /** The read of the purge log that began with the lookup. */
  readonly log: LogRead | undefined;
}

/** Looks keys up: reads or claims entries, and judges each reply. */
export class Lookup {
  readonly #parts: LeaseParts;
  readonly #leases: Leases;
  readonly #reads: SendOptions;
  /** A retried claim recognises its own token. */
  readonly #claims: SendOptions;

  constructor(parts: LeaseParts, leases: Leases, reads: SendOptions) {
    this.#parts = parts;
    this.#leases = leases;
    this.#reads = reads;
    this.#claims = { idempotent: true, text: parts.context.codec.text };
  }

  /**
   * Reads or claims keys in one round trip. Entries of a server that refuses writes take a second one.
   * @returns a reply and a token for each key, in order
   * @throws {ConnectionError}
   */
  readOrClaim(keys: readonly string[]): Promise<readonly Read[]> {
    const { near } = this.#parts.context.connection;
    return near ? this.#recallOrAsk(keys, near) : this.#askServer(keys);
  }

  /** What this process knows is not asked for, and not claimed. */
  async #recallOrAsk(keys: readonly string[], near: NearReads): Promise<readonly Read[]> {
    const known = keys.map((key) => near.recall(key)?.stored);
    const missing = keys.filter((_key, i) => known[i] === undefined);
    const reads = missing.length > 0 ? await this.#askServer(missing) : [];
    let next = 0;
    return known.map((stored) => {
      if (stored === undefined) return reads[next++] ?? { reply: null, token: "" };
      return { reply: typeof stored === "string" ? stored : stored.slice(), token: "" };
    });
  }

  async #askServer(keys: readonly string[]): Promise<readonly Read[]> {
    const { connection } = this.#parts.context;
    const send = (commands: readonly Command[]) => connection.send(commands, this.#claims);
    const reads = await readOrClaim(this.#leases.context, keys, send);
    const refused = keys.filter((_key, i) => refusesWrites(reads[i]?.reply));
    if (refused.length === 0) return reads;
    const gets = refused.map((key) => ["GET", key] as const);
    const stored = await connection.send(gets, this.#reads);
    let next = 0;
    // A missing entry keeps the refusal as its reply.
    return reads.map((read) => (refusesWrites(read.reply) ? { ...read, reply: stored[next++] ?? read.reply } : read));
  }

  /** Reads one key with a plain GET, and the purge log in the same round trip. @throws {ConnectionError} */
  async read(key: string): Promise<LookedUp> {
    const { replies, log } = sendWithLog(this.#parts.context, [["GET", key]], this.#reads);
    const [reply = null] = await replies;
    const reading = untilRead(log);
    if (reading) await reading;
    return { reply, log };
  }

  /**
   * The outcome for one key. A store error or an unreadable entry is reported and is an outcome.
   * @param looked what was read, and the read of the purge log that began with it
   * @param forced of a call that loads in any case
   * @throws {ConfigurationError}
   */
  async judge(key: string, looked: LookedUp, forced?: Forced): Promise<Outcome> {
    const { reply = null, token = "", log } = looked;
    const { context, settings } = this.#parts;
    const { codec, clock } = context;
    try {
      const bare = readEntry(reply, { key, token, codec, graceMs: settings.graceMs, nowMs: clock.now() });
      const stored = hasTags(bare) ? bare.payload : undefined;
      const read = hasTags(bare) ? await this.#withoutTags(bare, key, log) : bare;
      switch (read.kind) {
        case "claimed": {
          const lease = this.#leases.claimed(key, token);
          return lease ? { state: next("Lookup", read.kind), lease } : { state: next("Lookup", "leased") };
        }
        case "leased":
          forced?.add(key);
          return { state: next("Lookup", read.kind) };
        case "expired":
          return toOutcome(next("Lookup", read.kind), await this.#leases.claim(key, read.envelope, true));
      }
      const { kind, payload, envelope } = read;
      // No lease, and no pause after a failed load: what is there was stored since the wait began.
      const isAwaited = forced?.has(key) && envelope?.leaseUntilMs === 0;
      if (forced && !isAwaited) return await this.#force(read, key, forced);
      const decoded = codec.decode(payload, key);
      const value = decoded instanceof Promise ? await decoded : decoded;
      const isEarly = kind === "fresh" && envelope && refreshesEarly(envelope, settings.beta, clock);
      const state = next("Lookup", isEarly ? "early" : kind);
      if (state === "Answered" || !envelope) {
        const { freshUntilMs, deltaMs = 0 } = envelope ?? {};
        return { state: "Answered", value, encoded: payload, stored, freshUntilMs, savedMs: deltaMs };
      }
      return { state, value, encoded: payload, stored, old: { kind, payload, envelope } };
    } catch (error) {
      this.tolerate(error, key);
      if (!isReplaceable(error)) return { state: next("Lookup", "unavailable") };
      return this.#seize(next("Lookup", "unreadable"), key);
    }
  }

  /** Takes the lease on an entry that has a value, or has the call wait for the lease holder. */
  async #force({ kind, payload, envelope }: Valued, key: string, forced: Forced): Promise<Outcome> {
    if (!envelope) {
      // Only an envelope can hold a lease.
      await this.#leases.enclose(key);
      return this.judge(key, await this.read(key), forced);
    }
    const lease = await this.#leases.claim(key, envelope, true);
    if (!lease && envelope.token !== NO_TOKEN) forced.add(key);
    const outcome = toOutcome(next("Lookup", "forced"), lease);
    return outcome.state === "Loading" ? { ...outcome, old: { kind, payload, envelope } } : outcome;
  }

  /** An entry with tags, as it counts after purges of them: a hard one ends it as its grace does. */
  async #withoutTags(read: TaggedRead, key: string, log: LogRead | undefined): Promise<EntryRead> {
    const { context } = this.#parts;
    const { envelope } = read;
    const { payload, verdict } = await judged(context, read.payload, key, log);
    if (verdict === "hard") return ended(envelope, context.clock.now(), true);
    return { kind: verdict === "soft" ? "stale" : read.kind, payload, envelope };
  }

  /** Reports a store error that the caller is answered in spite of. @throws {ConfigurationError} */
  tolerate(error: unknown, key: string): void {
    tolerate(this.#parts.context, error, this.#parts.method, key);
  }

  async #seize(state: "Seizing", key: string): Promise<Outcome> {
    try {
      return toOutcome(state, await this.#leases.seize(key));
    } catch (error) {
      this.tolerate(error, key);
      return { state: next(state, "unavailable") };
    }
  }
}

function toOutcome(state: "Claiming" | "Seizing", lease: Lease | undefined): Outcome {
  return lease ? { state: next(state, "won"), lease } : { state: next(state, "lost") };
}
