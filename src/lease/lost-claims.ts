import { UnavailableError } from "../core/availability.js";
import { type Connection, isClosed } from "../core/connection.js";
import { ConnectionError, refusesWrites } from "../core/errors.js";
import type { Clock } from "../core/time.js";
import { YIELD } from "./scripts.js";

/** How claims are withdrawn. */
export interface WithdrawalContext {
  readonly connection: Connection;
  readonly clock: Clock;
  /** How long an entry stays after its expiry, in milliseconds. */
  readonly graceMs: number;
  /** Keeps the host running until `work` settles; it never rejects. */
  waitUntil(work: Promise<void>): void;
}

/** A claim or a lease whose end the server has not confirmed. */
export interface LostClaim {
  readonly key: string;
  readonly token: string;
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

/** Lost claims by token, each with the number of its withdrawals that were answered. */
type Lost = Map<string, { readonly claim: LostClaim; answers: number }>;

const all = new WeakMap<Connection, Lost>();

/**
 * Withdraws claims whose reply was lost: the server may have carried them out, or carry them out when it runs again. Without
 * this, every caller would wait for a lease holder that doesn't exist, until the lease's term is over. Returns at once.
 * @param error of the claim; nothing is done unless the command may have run
 */
export function withdrawLost(context: WithdrawalContext, claims: readonly LostClaim[], error: unknown): void {
  if (error instanceof ConnectionError && error.mayHaveRun) withdraw(context, claims);
}

/**
 * Withdraws a lease whose last script got no reply, or was refused: the holder renews it no more, and others would wait for its term.
 * Returns at once.
 */
export function withdrawHeld(context: WithdrawalContext, lease: LostClaim, error: unknown): void {
  if (mayPass(error)) withdraw(context, [lease]);
}

function withdraw(context: WithdrawalContext, claims: readonly LostClaim[]): void {
  const known = all.get(context.connection);
  const lost: Lost = known ?? new Map();
  for (const claim of claims) if (lost.size < MAX_CLAIMS) lost.set(claim.token, { claim, answers: 0 });
  if (known) return;
  all.set(context.connection, lost);
  context.waitUntil(withdrawAll(context, lost).finally(() => all.delete(context.connection)));
}

/** Never rejects. */
async function withdrawAll({ connection, clock, graceMs }: WithdrawalContext, lost: Lost): Promise<void> {
  const endMs = clock.now() + LIMIT_MS;
  for (let pauseMs = FIRST_PAUSE_MS; lost.size > 0 && clock.now() < endMs; ) {
    await clock.sleep(pauseMs);
    if (isClosed(connection)) return;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    const attempts = [...lost.values()].map(async (one) => {
      const { key, token } = one.claim;
      const reply = await connection.script(YIELD, [key], [token, "0", String(graceMs)], { idempotent: true });
      one.answers++;
      if (reply === 1 || one.answers >= ANSWERS) lost.delete(token);
    });
    const ends = await Promise.allSettled(attempts);
    if (ends.some((end) => end.status === "rejected" && !mayPass(end.reason))) return;
  }
}

/** Whether the same command may succeed later. */
function mayPass(error: unknown): boolean {
  return error instanceof ConnectionError || (refusesWrites(error) && !(error instanceof UnavailableError));
}
