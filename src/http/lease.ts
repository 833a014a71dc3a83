import { placeholder } from "../codec/envelope.js";
import type { Command, Connection, Reply } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { DROP, RENEW } from "../lease/scripts.js";
import { randomText } from "./keys.js";
import { type Entry, type Index, readRecord } from "./record.js";
import { CLAIM, PUBLISH, YIELD } from "./scripts.js";

const TOKEN = 12;
const REPEATABLE = { idempotent: true };

export interface LeaseContext {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly leaseMs: number;
}

/** Where and what to store. */
export interface Publication {
  /** The URL's own key. */
  readonly base: string;
  /** What the URL's key must hold still, where the lease is not on that; empty otherwise. */
  readonly seen: Uint8Array | "";
  /** The new index of the URL's variants, where it changes. */
  readonly index: Uint8Array | "";
  readonly target: string;
  readonly record: Uint8Array;
  readonly ttlMs: number;
  /** Keys of variants that go. */
  readonly evicted: readonly string[];
  /** Called when it is on its way. */
  readonly onSent?: (() => void) | undefined;
}

export function newToken(): string {
  return randomText(TOKEN);
}

/** Reads what is stored under a key, or takes the lease on it when there is nothing: one command. Needs Valkey 7.0. */
export function readOrClaim(key: string, token: string, { clock, leaseMs }: LeaseContext): Command {
  return ["SET", key, placeholder(token, clock.now() + leaseMs), "NX", "GET", "PX", String(leaseMs)];
}

/**
 * The right to store a response: proved to the server by its token, and lost when what it is on is purged, written or
 * deleted, so that a response computed before a purge is never stored after it.
 */
export class Lease {
  readonly key: string;
  readonly token: string;
  /** What the lease is on: nothing yet, a response, or a mark that several callers may replace. */
  readonly on: "nothing" | "response" | "mark";
  readonly #context: LeaseContext;
  readonly #ended = new AbortController();
  #keepMs = 0;

  constructor(context: LeaseContext, key: string, token: string, on: Lease["on"]) {
    this.#context = context;
    this.key = key;
    this.token = token;
    this.on = on;
  }

  /** Takes the lease on a stored response, unless somebody holds it. @param force also in the pause after a failure */
  static async claim(context: LeaseContext, entry: Entry, force: boolean): Promise<Lease | undefined> {
    const token = newToken();
    const args = [String(entry.expiresMs).padStart(15, "0"), token, String(context.leaseMs), force ? "1" : ""];
    const reply = await context.connection.script(CLAIM, [entry.key], args);
    return reply === 1 ? new Lease(context, entry.key, token, "response") : undefined;
  }

  /** Renews the lease, three times in each of its terms, until it ends or is lost, and for no longer than `limitMs`. */
  async keep(limitMs: number): Promise<void> {
    this.#keepMs = limitMs;
    // Nobody waits for a mark to be replaced.
    if (this.on === "mark") return;
    const { clock, connection, leaseMs } = this.#context;
    for (let keptMs = 0; keptMs < this.#keepMs; keptMs += leaseMs / 3) {
      await clock.sleep(leaseMs / 3, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      // A renewal that doesn't get through says nothing yet: the next one may, before the term is over.
      const args = [this.token, String(leaseMs)];
      const renewed = await connection.script(RENEW, [this.key], args, REPEATABLE).catch(() => 1);
      if (renewed !== 1) return;
    }
  }

  /** The lease is renewed for so long in all. */
  prolong(limitMs: number): void {
    this.#keepMs = Math.max(this.#keepMs, limitMs);
  }

  /**
   * Stores. `true` when it did, `false` when the lease was lost; the URL's index, when that changed since it was read, or
   * `undefined` when there is none any more. @throws {ConnectionError} @throws {ReplyError} @throws {DecodeError}
   */
  async publish(publication: Publication): Promise<boolean | { index: Index; bytes: Uint8Array } | undefined> {
    const { base, seen, index, target, record, ttlMs, evicted, onSent } = publication;
    this.#ended.abort();
    const args = [this.token, seen, index, record, String(Math.max(1, Math.ceil(ttlMs)))];
    const keys = [this.key, base, target, ...evicted];
    const flight = this.#context.connection.script(PUBLISH, keys, args, REPEATABLE);
    onSent?.();
    const reply: Reply = throwIfError(await flight);
    if (reply === 1 || reply === 0) return reply === 1;
    if (!(reply instanceof Uint8Array)) return undefined;
    const stored = readRecord(reply, base);
    return stored.kind === "index" ? stored : undefined;
  }

  /** Gives up. What is stored stays, and is not refreshed in the background for `pauseMs`. */
  async yield(pauseMs: number): Promise<void> {
    this.#ended.abort();
    if (this.on === "mark") return;
    await this.#context.connection.script(YIELD, [this.key], [this.token, String(pauseMs)], REPEATABLE);
  }

  /** Deletes what the lease is on. */
  async drop(): Promise<void> {
    this.#ended.abort();
    await this.#context.connection.script(DROP, [this.key], [this.token], REPEATABLE);
  }
}
