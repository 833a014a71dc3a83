import { NewerFormatError, placeholder } from "../codec/envelope.js";
import { inBatches } from "../core/async.js";
import { UnavailableError } from "../core/availability.js";
import {
  type Argument,
  type Command,
  isClosed,
  type Reply,
  type Script,
  type SendOptions,
} from "../core/connection.js";
import { DecodeError, throwIfError } from "../core/errors.js";
import type { HeldLeases } from "../core/held-leases.js";
import { randomText } from "../core/text.js";
import { type WithdrawalContext, withdrawHeld, withdrawLost } from "./lost-claims.js";
import { CLAIM, DROP, PUBLISH, RENEW, SEIZE, YIELD } from "./scripts.js";
import { digits, text } from "./state.js";

/** Scripts that compare the token first may run twice: the second run finds the token gone, or does the same again. */
const IDEMPOTENT: SendOptions = { idempotent: true };

/** Why a renewal stops. A reason of its own would be an error with a stack for each lease. */
const ENDED = "the lease has ended";

const TOKEN_LENGTH = 12;

/** A token that identifies one lease: 72 random bits in 12 characters. */
export function newToken(): string {
  return randomText(TOKEN_LENGTH);
}

/**
 * A token for each of several leases, drawn at once, which takes a tenth of the time. None is kept for later, since a process
 * that is restored from a snapshot would use the same ones as its twins.
 */
export function newTokens(count: number): string[] {
  const text = randomText(TOKEN_LENGTH * count);
  return Array.from({ length: count }, (_, i) => text.slice(i * TOKEN_LENGTH, (i + 1) * TOKEN_LENGTH));
}

/** Whether an entry that could not be decoded may be overwritten. An entry of a newer version may not. */
export function isReplaceable(error: unknown): boolean {
  return error instanceof DecodeError && !(error instanceof NewerFormatError);
}

export interface LeaseContext extends WithdrawalContext {
  /** Lease duration; the holder renews it while it loads. */
  readonly leaseMs: number;
  /**
   * Called when a renewal fails, which doesn't end the lease, as a later one may succeed; and with an `UnavailableError`
   * when the server refuses a command of leases.
   */
  onError(error: unknown, key: string): void;
  /** Where leases count while they are held. @default they are not counted */
  readonly held?: HeldLeases | undefined;
  /** Called after each renewal. @param held whether the lease is still this caller's */
  onRenewed?(key: string, held: boolean): void;
}

/**
 * The right to compute one entry, proved to the server by a token that stands in the entry. Deleting, overwriting, purging
 * or evicting the entry ends the lease, so a value loaded before that is never stored after it.
 */
export class Lease {
  readonly key: string;
  readonly token: string;
  /**
   * What the lease is on: a placeholder, a stored value, or a marker whose token every reader has and may use; `"nothing"`
   * for a user that can take none, whose last step is then a plain command.
   */
  readonly on: "placeholder" | "value" | "marker" | "nothing";
  /** A renewal has found the lease lost. */
  isLost = false;
  readonly #context: LeaseContext;
  /** It was given up, or its last script was sent. */
  #isEnded = false;
  /** Made when they are needed: a call may hold very many leases. */
  #lost: AbortController | undefined;
  #renewing: AbortController | undefined;
  /** Renewals end at this age. @default never */
  #renewUntilMs: number | undefined;

  constructor(context: LeaseContext, key: string, token: string, on: Lease["on"] = "placeholder") {
    this.#context = context;
    this.key = key;
    this.token = token;
    this.on = on;
    this.#count();
  }

  /**
   * Tries to take the lease on an entry that has a value.
   * @param freshUntilMs the entry's, as it was read: an entry that changed since is not claimed
   * @param inPause also in the pause after a failed load
   * @returns `undefined` when another caller holds the lease, or the entry has changed
   */
  static async claim(
    context: LeaseContext,
    key: string,
    freshUntilMs: number,
    inPause = false,
  ): Promise<Lease | undefined> {
    const token = newToken();
    const args = [digits(freshUntilMs), token, String(context.leaseMs), inPause ? "1" : ""];
    const reply = await claim(context, CLAIM, key, token, args);
    return reply === 1 ? new Lease(context, key, token, "value") : undefined;
  }

  /** Replaces an unreadable entry by a placeholder. @returns `undefined` when the entry has changed since it was read */
  static async seize(context: LeaseContext, key: string, unreadable: Argument): Promise<Lease | undefined> {
    const { clock, leaseMs } = context;
    const token = newToken();
    const args = [unreadable, placeholder(token, clock.now() + leaseMs), String(leaseMs)];
    const reply = await claim(context, SEIZE, key, token, args);
    return reply === 1 ? new Lease(context, key, token) : undefined;
  }

  /** Fires when a renewal finds the lease lost. */
  get lost(): AbortSignal {
    this.#lost ??= new AbortController();
    if (this.isLost) this.#lost.abort(this.#lostError());
    return this.#lost.signal;
  }

  /**
   * Renews the lease three times in each of its terms, until it ends or is lost, or for `limitMs` in all. A marker is not
   * renewed, because no caller waits for it. Never rejects.
   */
  async renew(limitMs = Infinity): Promise<void> {
    if (this.on === "marker" || this.on === "nothing" || this.#isEnded) return;
    this.renewFor(limitMs);
    this.#renewing = new AbortController();
    await Lease.renewAll([this], this.#renewing.signal);
  }

  /**
   * As `renew` for the leases of one call, with one timer for all of them, in batches. Never rejects.
   * @param ended fires when the last of them has ended
   * @param onAllLost called when all of them are lost
   */
  static async renewAll(
    leases: readonly Lease[],
    ended: AbortSignal,
    onAllLost: (reason: Error) => void = () => {},
  ): Promise<void> {
    const [first] = leases;
    if (!first) return;
    const { clock, leaseMs } = first.#context;
    const everyMs = leaseMs / 3;
    for (let renewedMs = 0, tookMs = 0; renewedMs < (first.#renewUntilMs ?? Infinity); renewedMs += everyMs) {
      await clock.sleep(Math.max(0, everyMs - tookMs), ended);
      const startedMs = clock.now();
      await inBatches(leases, (batch) => Promise.all(ended.aborted ? [] : batch.map((lease) => lease.#renewOnce())));
      if (ended.aborted) return;
      tookMs = Math.max(0, clock.now() - startedMs);
      if (leases.every(({ isLost }) => isLost)) return onAllLost(first.#lostError());
    }
  }

  /** Raises the limit of `renew` to `limitMs` in all. */
  renewFor(limitMs: number): void {
    this.#renewUntilMs = Math.max(this.#renewUntilMs ?? 0, limitMs);
  }

  /** Stores a value in place of the entry. @returns `false` when the lease was lost @param ttlMs `null` never expires */
  async publish(value: Argument, ttlMs: number | null): Promise<boolean> {
    const px = ttlMs === null ? [] : ["PX", String(ttlMs)];
    const script = () => this.finish(PUBLISH, [], [value, ttlMs === null ? "" : String(ttlMs)]);
    return this.#orPlainly(script, ["SET", this.key, value, ...px]);
  }

  /** Deletes the entry, unless the lease was lost. */
  async drop(): Promise<void> {
    await this.#orPlainly(() => this.finish(DROP, [], []), ["UNLINK", this.key]);
  }

  /**
   * Gives the lease up. A placeholder is deleted, so that waiters can claim at once. A value stays until its grace ends.
   * @param pauseMs how long no caller may claim the value
   */
  async yield(pauseMs: number): Promise<void> {
    this.#end();
    if (this.on === "marker" || this.on === "nothing") return;
    const script = () => this.#orWithdraw(this.#run(YIELD, String(pauseMs), String(this.#context.graceMs)));
    await this.#orPlainly(script, this.on === "placeholder" ? ["UNLINK", this.key] : undefined);
  }

  /** Stops renewing and runs a script that compares the token first. It gets the lease's key and token before its own. */
  finish(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    this.#end();
    const { connection } = this.#context;
    return this.#orWithdraw(connection.script(script, [this.key, ...keys], [this.token, ...args], IDEMPOTENT));
  }

  /**
   * The last step of the lease. Where the server refuses the script, a plain command takes its place, after a look at the
   * token: the first refusal may come when the lease was taken already, and callers would wait for its end.
   */
  async #orPlainly(script: () => Promise<Reply>, command: Command | undefined): Promise<boolean> {
    const { connection } = this.#context;
    if (this.on !== "nothing") {
      try {
        return (await script()) === 1;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
      }
      const [token = null] = await connection.send([["GETRANGE", this.key, "29", "40"]], { readOnly: true });
      if (text(token) !== this.token) return false;
    }
    const [reply = null] = command ? await connection.send([command], IDEMPOTENT) : [];
    throwIfError(reply);
    return true;
  }

  async #renewOnce(): Promise<void> {
    if (this.#isEnded || this.isLost || this.on === "nothing") return;
    const { connection, leaseMs, onError, onRenewed } = this.#context;
    try {
      const reply = await this.#run(RENEW, String(leaseMs));
      if (reply === 1) {
        onRenewed?.(this.key, true);
        if (!this.#isEnded) this.#count();
      }
      if (reply === 1 || this.#isEnded) return;
    } catch (error) {
      // A closed connection ends the lease with its term.
      if (isClosed(connection)) return this.#end();
      // The next renewal may succeed before the term is over.
      return onError(error, this.key);
    }
    this.isLost = true;
    this.#context.held?.delete(this);
    onRenewed?.(this.key, false);
    this.#lost?.abort(this.#lostError());
  }

  /** Every reader has a marker, and a user without leases has none. */
  #count(): void {
    const { held, clock, leaseMs } = this.#context;
    if (!held || this.on === "marker" || this.on === "nothing") return;
    const nowMs = clock.now();
    held.add(this, this.key, nowMs, nowMs + leaseMs);
  }

  #end(): void {
    this.#isEnded = true;
    this.#context.held?.delete(this);
    this.#renewing?.abort(ENDED);
  }

  #lostError(): Error {
    return new DOMException(`the lease on ${this.key} was lost`, "AbortError");
  }

  /** A lease whose last script gets no reply would otherwise be held for the rest of its term. */
  async #orWithdraw(lastScript: Promise<Reply>): Promise<Reply> {
    try {
      return await lastScript;
    } catch (error) {
      if (error instanceof UnavailableError) this.#context.onError(error, this.key);
      else if (this.on !== "marker") withdrawHeld(this.#context, this, error);
      throw error;
    }
  }

  #run(script: Script, ...args: readonly Argument[]): Promise<Reply> {
    return this.#context.connection.script(script, [this.key], [this.token, ...args], IDEMPOTENT);
  }
}

/** Runs a script that takes a lease. A claim whose reply is lost is withdrawn. */
async function claim(
  context: LeaseContext,
  script: Script,
  key: string,
  token: string,
  args: readonly Argument[],
): Promise<Reply> {
  try {
    return await context.connection.script(script, [key], args);
  } catch (error) {
    withdrawLost(context, [{ key, token }], error);
    throw error;
  }
}
