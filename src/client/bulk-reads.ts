import { BATCH_SIZE, inTurns, type MaybePromise, nextTurn } from "../core/async.js";
import type { Reply, SendOptions } from "../core/connection.js";
import { throwIfError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { NearReads } from "../core/near.js";
import type { LogRead } from "../tags/entry-tags.js";
import type { ClientContext } from "./client.js";
import { sendWithLog, untilRead } from "./tagged-entries.js";

export interface ReadManyOptions {
  readonly method: "getMany" | "mget";
  readonly send: SendOptions;
  /** What a reply to a read says. @throws {DecodeError} @throws {ReplyError} */
  readonly decode: (reply: Reply, key: string, nowMs: number, log: LogRead | undefined) => MaybePromise<unknown>;
  readonly call: CacheCall | undefined;
  /** What the process knows of values. */
  readonly near: NearReads | undefined;
}

/** The values of several keys, in their order, `undefined` where there is none: what the process doesn't know, in one MGET for each batch. */
export async function readMany(
  context: Pick<ClientContext, "connection" | "unordered" | "tags" | "codec" | "clock" | "forgive">,
  keys: readonly string[],
  { method, send, decode, call, near }: ReadManyOptions,
): Promise<unknown[]> {
  // A read at one moment is one command, whatever its length.
  const size = send.atomic ? Math.max(1, keys.length) : BATCH_SIZE;
  const values: unknown[] = [];
  for (let start = 0; start < keys.length; start += size) {
    if (start > 0) await nextTurn();
    const batch = size < keys.length ? keys.slice(start, start + size) : keys;
    const known = near?.values(batch, context.codec, call) ?? [];
    if (known.length > 0 && known.every(isReady)) {
      values.push(...known);
      continue;
    }
    const missing = batch.filter((_key, i) => known[i] === undefined);
    const sent = missing.length > 0 ? sendWithLog(context, [["MGET", ...missing]], send) : undefined;
    const [reply = null] = (await sent?.replies) ?? [];
    await untilRead(sent?.log);
    const replies = throwIfError(reply);
    const nowMs = context.clock.now();
    let next = 0;
    for (let i = 0; i < batch.length; i++) {
      const key = batch[i] ?? "";
      if (i > 0 && i % BATCH_SIZE === 0) await nextTurn();
      const found = known[i];
      const asked = found === undefined && Array.isArray(replies) ? (replies[next++] ?? null) : null;
      try {
        const value = found === undefined ? decode(asked, key, nowMs, sent?.log) : found;
        values.push(value instanceof Promise ? await value : value);
      } catch (error) {
        values.push(undefined);
        context.forgive(error, method, key);
      }
    }
  }
  return values;
}

function isReady(value: unknown): boolean {
  return value !== undefined && !(value instanceof Promise);
}

/** Values as callers get them, where they share them. */
export async function settleAll(
  { connection }: Pick<ClientContext, "connection">,
  values: Map<string, unknown>,
): Promise<Map<string, unknown>> {
  const { near } = connection;
  if (near) await inTurns([...values.values()], (value) => void near.settle(value));
  return values;
}
