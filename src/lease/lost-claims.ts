import { UnavailableError } from "../core/availability.js";
import { type Connection, isClosed, type Reply } from "../core/connection.js";
import { ConnectionError, refusesWrites } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { YIELD } from "./scripts.js";

/** Where claims are withdrawn. */
export interface Withdrawals {
  readonly connection: Connection;
  readonly clock: Clock;
  /** Keeps the host running until `work` settles; it never rejects. */
  waitUntil(work: Promise<void>): void;
}

/** How claims on entries are withdrawn. */
export interface WithdrawalContext extends Withdrawals {
  /** How long an entry stays after its expiry, in milliseconds. */
  readonly graceMs: number;
}

/** A claim or a lease on an entry whose end the server has not confirmed. */
export interface LostClaim {
  readonly key: string;
  readonly token: string;
}

/** What the server may hold for a token that no caller has any more: a lease on an entry, or a lock. */
interface Lost {
  readonly token: string;
  /** Ends it, by a script that compares the token. Reply: 1 where it was held. */
  end(): Promise<Reply>;
  /** How many times the server has answered that. */
  answers: number;
}

/** Pauses between two attempts. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 250;
/** A server that is stopped for longer than this may carry out a claim after its withdrawal was given up; it ends with its term. */
const LIMIT_MS = 60_000;
/**
 * A claim may reach the server after its withdrawal, as the two may travel over different connections. So a claim that was
 * not there is withdrawn once more.
 */
const ANSWERS = 2;
/** The most claims of one connection. Those beyond it end with their term. */
const MAX_CLAIMS = 10_000;

/** What each connection has lost, by token. */
const all = new WeakMap<Connection, Map<string, Lost>>();

/**
 * Withdraws claims whose reply was lost: the server may have carried them out, or carry them out when it runs again. Without
 * this, every caller would wait for a lease holder that doesn't exist, until the lease's term is over. Returns at once.
 * @param error of the claim; nothing is done unless the command may have run
 */
export function withdrawLost(context: WithdrawalContext, claims: readonly LostClaim[], error: unknown): void {
  if (!(error instanceof ConnectionError && error.mayHaveRun)) return;
  for (const claim of claims) withdraw(context, claim.token, yielding(context, claim));
}

/**
 * Withdraws a lease whose last script got no reply, or was refused: the holder renews it no more, and other callers would wait until it ends.
 * Returns at once.
 */
export function withdrawHeld(context: WithdrawalContext, lease: LostClaim, error: unknown): void {
  if (mayPass(error)) withdraw(context, lease.token, yielding(context, lease));
}

/**
 * Ends what the server may hold for a token, as soon as it can be reached. Returns at once.
 * @param end a script that compares the token, and replies 1 where it was held
 */
export function withdraw(context: Withdrawals, token: string, end: () => Promise<Reply>): void {
  const known = all.get(context.connection);
  const lost = known ?? new Map<string, Lost>();
  if (lost.size < MAX_CLAIMS) lost.set(token, { token, end, answers: 0 });
  if (known) return;
  all.set(context.connection, lost);
  context.waitUntil(withdrawAll(context, lost).finally(() => all.delete(context.connection)));
}

function yielding({ connection, graceMs }: WithdrawalContext, { key, token }: LostClaim): () => Promise<Reply> {
  return () => connection.script(YIELD, [key], [token, "0", String(graceMs)], { idempotent: true });
}

/** Never rejects. */
async function withdrawAll({ connection, clock }: Withdrawals, lost: Map<string, Lost>): Promise<void> {
  const endMs = clock.now() + LIMIT_MS;
  for (let pauseMs = FIRST_PAUSE_MS; lost.size > 0 && clock.now() < endMs; ) {
    await clock.sleep(pauseMs);
    if (isClosed(connection)) return;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    const attempts = [...lost.values()].map(async (one) => {
      const reply = await one.end();
      one.answers++;
      if (reply === 1 || one.answers >= ANSWERS) lost.delete(one.token);
    });
    const ends = await Promise.allSettled(attempts);
    if (ends.some((end) => end.status === "rejected" && !mayPass(end.reason))) return;
  }
}

/** Whether the same command may succeed later. */
function mayPass(error: unknown): boolean {
  return error instanceof ConnectionError || (refusesWrites(error) && !(error instanceof UnavailableError));
}
