import type { Encoded } from "../codec/envelope.js";
import { BATCH_SIZE, nextTurn } from "../core/async.js";
import type { Command, Connection } from "../core/connection.js";
import { ReplyError, throwIfError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { ClientContext, WriteOptions } from "./client.js";
import { SET_IF } from "./entry-scripts.js";
import { milliseconds, REPEATABLE, type Stored } from "./key-commands.js";
import { runJudged } from "./tagged-entries.js";

export type Pair = readonly [key: string, value: unknown];

export interface WriteManyOptions {
  readonly ttlMs: number | null;
  readonly method: string;
  /** The form in which a value is stored. */
  readonly wrap: (encoded: Encoded) => Stored;
  /** The keys that may still be written when their turn comes. @default all */
  readonly only?: ReadonlySet<string>;
  readonly call?: CacheCall | undefined;
}

/** Writes entries in batches, records those that were stored, and reports those that the server refuses. @returns their keys */
export async function writeMany(
  { sharing, report }: Pick<ClientContext, "sharing" | "report">,
  connection: Connection,
  pairs: readonly Pair[],
  encoded: readonly Encoded[],
  { wrap, method, only, call }: WriteManyOptions,
): Promise<string[]> {
  const failed: string[] = [];
  let sent = 0;
  call?.carries(encoded);
  for (let start = 0; start < pairs.length; start += BATCH_SIZE) {
    if (start > 0) await nextTurn();
    const commands: Command[] = [];
    const keys: string[] = [];
    for (let i = start; i < Math.min(start + BATCH_SIZE, pairs.length); i++) {
      const key = pairs[i]?.[0] ?? "";
      if (only && !only.has(key)) continue;
      sharing.forget(key);
      keys.push(key);
      commands.push(setCommand(key, wrap(encoded[i] ?? "")));
    }
    sent += keys.length;
    const replies = commands.length === 0 ? [] : await connection.send(commands, REPEATABLE);
    for (const [i, key] of keys.entries()) {
      const reply = replies[i];
      if (!(reply instanceof ReplyError)) continue;
      failed.push(key);
      report(reply, method, key);
    }
  }
  call?.stored(sent - failed.length);
  return failed;
}

/** Writes one entry. @returns `true` @throws {ReplyError} */
export async function writeOne(connection: Connection, key: string, write: Stored): Promise<true> {
  const [reply = null] = await connection.send([setCommand(key, write)], REPEATABLE);
  throwIfError(reply);
  return true;
}

/** Writes one entry where its condition is met: one that was purged is not there. @returns whether it was @throws {ReplyError} */
export async function writeIf(
  context: ClientContext,
  connection: Connection,
  key: string,
  { stored, ttlMs }: Stored,
  condition: NonNullable<WriteOptions["condition"]>,
): Promise<boolean> {
  const args = [stored, milliseconds(ttlMs), condition];
  const decide = (isThere: boolean) => (isThere === (condition === "xx") ? undefined : 0);
  return (await runJudged(context, { connection, script: SET_IF, keys: [key], args, decide })) === 1;
}

export function setCommand(key: string, { stored, ttlMs }: Stored): Command {
  return ttlMs === null ? ["SET", key, stored] : ["SET", key, stored, "PX", String(ttlMs)];
}
