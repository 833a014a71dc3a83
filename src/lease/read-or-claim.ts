import { placeholder } from "../codec/envelope.js";
import { SET_NX_GET, UnavailableError } from "../core/availability.js";
import type { Command, Connection, ConnectionStatus, Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { type LeaseContext, newTokens } from "./lease.js";
import { withdrawLost } from "./lost-claims.js";
import { READ_OR_CLAIM } from "./scripts.js";

/** Commands of the scripts of leases. A user whose ACL lacks one of them can't end a lease, and so must not take one. */
const NEEDED = /^(?:EVAL|TIME|GETRANGE|SETRANGE|PTTL|PEXPIRE(?:AT)?|UNLINK)$/;

/** Refusals for which callers know that there are no leases. */
const reported = new WeakSet<ReplyError>();

/** Whether leases can be taken and ended, as far as it is known what the server refuses. @throws {ConnectionError} once it was closed */
export function hasLeases(connection: Connection): boolean {
  return !refusalOfLeases(connection.status().refusals);
}

function refusalOfLeases(refusals: ConnectionStatus["refusals"]): ReplyError | undefined {
  return refusals?.find(({ what }) => NEEDED.test(what));
}

/** Reads an entry, or takes the lease on it when there is none, in one command. Needs Valkey 7.0 or later. */
export function claimCommand(key: string, token: string, leaseMs: number, nowMs: number): Command {
  return ["SET", key, placeholder(token, nowMs + leaseMs), "NX", "GET", "PX", String(leaseMs)];
}

/** What a lookup of one key has found. */
export interface Read {
  readonly reply: Reply;
  /** Of the lease that was taken if the reply is `null`; empty where none could be taken. */
  readonly token: string;
}

/**
 * Reads entries, or takes the lease on those that are missing, in one round trip. Where the server lacks the command, as
 * those before 7.0, a script does it. Where the server lets this user run no scripts, it only reads.
 * @param send sends commands, with what else belongs into the round trip
 * @throws {ConnectionError}
 */
export async function readOrClaim(
  context: LeaseContext,
  keys: readonly string[],
  send: (commands: readonly Command[]) => Promise<Reply[]>,
): Promise<readonly Read[]> {
  const { connection, clock, leaseMs } = context;
  const { refusals } = connection.status();
  const report = (refusal: ReplyError): void => {
    if (reported.has(refusal)) return;
    reported.add(refusal);
    context.onError(refusal, keys[0] ?? "");
  };
  const known = refusalOfLeases(refusals);
  // Another method may have met it.
  if (known) report(known);
  else {
    const nowMs = clock.now();
    const tokens = newTokens(keys.length);
    const commands = keys.map((key, i) => claimCommand(key, tokens[i] ?? "", leaseMs, nowMs));
    const byCommand = (): Promise<Reply[]> => send(commands);
    const byScript = async (): Promise<Reply[]> => {
      const scripts = commands.map(([, key = "", mark = ""]) =>
        replyOf(connection.script(READ_OR_CLAIM, [String(key)], [mark, String(leaseMs)], { idempotent: true })),
      );
      // What else belongs into the round trip.
      const [replies] = await Promise.all([Promise.all(scripts), send([])]);
      return replies;
    };
    const isOld = refusals?.some(({ what }) => what === SET_NX_GET);
    for (const attempt of isOld ? [byScript] : [byCommand, byScript]) {
      const replies = await attempt().catch((error: unknown) => {
        const claims = keys.map((key, i) => ({ key, token: tokens[i] ?? "" }));
        withdrawLost(context, claims, error);
        throw error;
      });
      // For a user that may not write, each write is an error; it waits for what other clients load.
      const refusal = replies.find(
        (reply): reply is UnavailableError => reply instanceof UnavailableError && reply.what !== "SET",
      );
      if (!refusal) return tokens.map((token, i) => ({ reply: replies[i] ?? null, token }));
      report(refusal);
    }
  }
  const replies = await send(keys.map((key) => ["GET", key]));
  return keys.map((_key, i) => ({ reply: replies[i] ?? null, token: "" }));
}

/** A script's reply, an error reply in its place. @throws {ConnectionError} */
async function replyOf(run: Promise<Reply>): Promise<Reply> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof ReplyError) return error;
    throw error;
  }
}
