import { type Codec, decodeNumber } from "../codec/codec.js";
import {
  type Encoded,
  type Envelope,
  FOREVER,
  HEADER_LENGTH,
  isEnvelope,
  isSoftlyExpired,
  NO_TOKEN,
  PEEK_END,
  readEnvelope,
  seal,
} from "../codec/envelope.js";
import { isTagged, MAX_TAGGED_HEAD, TAGGED_CODE } from "../codec/tagged.js";
import { inBatches, nextTurn } from "../core/async.js";
import { UnavailableError } from "../core/availability.js";
import type { Argument, Command, Reply, Script, SendOptions } from "../core/connection.js";
import { DecodeError, ReplyError, show, throwIfError } from "../core/errors.js";
import type { CacheCall } from "../core/events.js";
import type { LogRead } from "../tags/entry-tags.js";
import type { ClientContext, DeleteOptions } from "./client.js";
import { EXPIRE, EXPIRE_SOFTLY, INCREMENT, MOVE } from "./entry-scripts.js";
import { countsNoTags, notAnInteger, sameSlot } from "./refusals.js";
import type { Answer, Coalesced } from "./single-flight.js";
import { type JudgedScript, judged, runJudged, sendWithLog } from "./tagged-entries.js";

/** What the decoding of a reply goes with: its call, and the read of the purge log that began with its read. */
export interface DecodeOptions {
  /** The record of the call for its events; absent without listeners. */
  readonly call?: CacheCall | undefined;
  /** The read of the purge log that began with the read of the value; absent where no entries have tags. */
  readonly log?: LogRead | undefined;
  /** Is given the payloads of stale values. */
  readonly stale?: Map<string, Encoded> | undefined;
}

/** The stored form in a reply to a read; `undefined` when there is none. @throws {ReplyError} */
export function toStored(reply: Reply, key: string): Encoded | undefined {
  if (reply === null) return undefined;
  if (typeof reply === "string" || reply instanceof Uint8Array) return reply;
  if (reply instanceof ReplyError) throw reply;
  throw new DecodeError(
    `key ${show(key)}: the server answered with no value; read it over cache.connection, or delete it`,
  );
}

/** An entry whose value may be answered. */
export interface Found {
  readonly payload: Encoded;
  /** As `Answer.stored`. */
  readonly stored: Encoded | undefined;
  /** It was expired softly, or a tag of it was purged softly: it is answered while it is loaded again. */
  readonly isStale: boolean;
  /** How long its load took, in milliseconds, as far as its envelope says so. */
  readonly deltaMs: number;
}

/** The entry in a reply to a read, if it is fresh, or was expired softly. @throws {DecodeError} @throws {ReplyError} */
export function foundIn(codec: Codec, reply: Reply, key: string, nowMs: number): Found | undefined {
  const stored = toStored(reply, key);
  if (stored === undefined) return undefined;
  if (!isEnvelope(stored)) return { payload: stored, stored: undefined, isStale: false, deltaMs: 0 };
  const envelope = readEnvelope(stored, key);
  const isStale = isSoftlyExpired(envelope);
  if (!isStale && envelope.freshUntilMs <= nowMs) return undefined;
  const payload = payloadOf(codec, envelope, key);
  return payload === undefined ? undefined : { payload, stored: undefined, isStale, deltaMs: envelope.deltaMs };
}

/** The encoded value in an envelope, `undefined` in a placeholder. @throws {DecodeError} when another serializer wrote it */
export function payloadOf(codec: Codec, envelope: Envelope, key: string): Encoded | undefined {
  const { payload } = envelope;
  if (payload !== undefined && envelope.mark !== codec.mark) {
    throw new DecodeError(
      `key ${show(key)}: what is stored there was written by another serializer than ${codec.name}; delete the key, or use that serializer`,
    );
  }
  return payload;
}

/** Whether there is an entry, by the reply to a peek at its beginning. @throws {DecodeError} @throws {ReplyError} */
export function isThere(peek: Reply, key: string, nowMs: number): boolean {
  // GETRANGE refuses sets and hashes, which exist.
  if (peek instanceof ReplyError && peek.code === "WRONGTYPE") return true;
  const stored = toStored(peek, key);
  if (stored === undefined || stored.length === 0) return false;
  if (!isEnvelope(stored)) return true;
  const envelope = readEnvelope(stored, key);
  return envelope.payload !== undefined && envelope.freshUntilMs > nowMs;
}

/** Milliseconds until the logical expiry in an entry's header, `null` when it never expires; `undefined` without a header. */
export function logicalTtl(peek: Reply, key: string, nowMs: number): number | null | undefined {
  const stored = peek instanceof ReplyError ? undefined : toStored(peek, key);
  if (stored === undefined || !isEnvelope(stored)) return undefined;
  const { freshUntilMs } = readEnvelope(stored, key);
  return freshUntilMs === FOREVER ? null : freshUntilMs - nowMs;
}

/** A value in its stored form, and its lifetime in milliseconds; `null` never expires. */
export interface Stored {
  readonly stored: Encoded;
  readonly ttlMs: number | null;
}

export const READ: SendOptions = { readOnly: true };
export const REPEATABLE: SendOptions = { idempotent: true };

/**
 * Commands that read and write no values: existence, lifetimes, names, scans. They work the same for plain entries and for
 * entries in an envelope.
 */
export abstract class KeyCommands {
  protected readonly context: ClientContext;
  protected readonly running: Coalesced<Answer>;

  constructor(context: ClientContext) {
    this.context = context;
    this.running = context.sharing.running;
  }

  async delete(keys: readonly string[]): Promise<number> {
    let deleted = 0;
    await inBatches(keys, async (batch) => {
      deleted += await this.#deleteBatch(batch);
    });
    return deleted;
  }

  async has(key: string): Promise<boolean> {
    const { replies, log } = sendWithLog(this.context, [peek(key)], READ);
    const [start = null] = await replies;
    return this.#isValid(start, key, log);
  }

  async incr(
    key: string,
    delta: bigint,
    create: { readonly ttlMs: number | null } | undefined,
  ): Promise<number | bigint | undefined> {
    this.context.sharing.forget(key);
    const empty = create && this.wrap("", create.ttlMs);
    const created = empty ? ["create", milliseconds(empty.ttlMs), empty.stored] : ["", "", ""];
    const args = [String(delta), ...created];
    const decide = (isThere: boolean): undefined => {
      if (isThere) throw countsNoTags(key);
    };
    const reply = await this.#judged({ script: INCREMENT, keys: [key], args, decide }).catch((error: unknown) => {
      throw notAnInteger(error, key, delta);
    });
    if (typeof reply === "string") return decodeNumber(reply);
    // An integer of 64 bits is shorter than this, and other values need not be text.
    return reply instanceof Uint8Array ? decodeNumber(String.fromCharCode(...reply.subarray(0, 32))) : undefined;
  }

  async rename(from: string, to: string): Promise<boolean> {
    this.context.sharing.forget(from);
    this.context.sharing.forget(to);
    const keys: [string, string] = [from, to];
    const decide = (isThere: boolean) => (isThere ? undefined : 0);
    return (await sameSlot(keys, this.#judged({ script: MOVE, keys, args: [], decide }))) === 1;
  }

  async pttl(key: string): Promise<number | null | undefined> {
    const { replies, log } = sendWithLog(this.context, [["PTTL", key], peek(key)], READ);
    const [left = null, start = null] = await replies;
    const ms = Number(throwIfError(left));
    if (ms === -2 || !(await this.#isValid(start, key, log))) return undefined;
    const nowMs = this.context.clock.now();
    const logicalMs = logicalTtl(start, key, nowMs);
    return logicalMs !== undefined ? logicalMs : ms === -1 ? null : ms;
  }

  async touch(key: string, ttlMs: number | null): Promise<boolean> {
    if (ttlMs !== null && ttlMs <= 0) this.context.sharing.forget(key);
    return (await this.#expire(key, ttlMs === null ? "never" : "in", ttlMs)) > 0;
  }

  async expireSoft(keys: readonly string[]): Promise<number> {
    let expired = 0;
    await inBatches(keys, async (batch) => {
      const args = [this.context.codec.mark, String(this.graceMs ?? "")];
      for (const key of batch) this.context.sharing.forget(key);
      const expire = (key: string) => this.#change(EXPIRE_SOFTLY, key, args, REPEATABLE);
      for (const was of await Promise.all(batch.map(expire))) expired += was;
    });
    return expired;
  }

  async expireAt(key: string, atMs: number): Promise<boolean> {
    if (atMs <= this.context.clock.now()) this.context.sharing.forget(key);
    return (await this.#expire(key, "at", atMs)) > 0;
  }

  async persist(key: string): Promise<boolean> {
    return (await this.#expire(key, "never", null)) === 1;
  }

  async *scan(pattern: string, count: number): AsyncIterable<string[]> {
    for await (const keys of this.context.connection.scan({ match: pattern, count })) {
      if (keys.length === 0) continue;
      const peeks = await this.context.connection.send(keys.map(peek), READ);
      const nowMs = this.context.clock.now();
      yield keys.filter((key, i) => this.#wasThere(peeks[i] ?? null, key, nowMs));
    }
  }

  async deletePattern(pattern: string, { count, owns, onProgress, signal, last }: DeleteOptions): Promise<number> {
    // Before the scan: a load under way must not store its value behind it.
    this.context.sharing.forgetAll();
    let deleted = 0;
    for await (const batch of this.context.connection.scan({ match: pattern, count, removes: true })) {
      signal?.throwIfAborted();
      const keys = batch.filter(owns);
      if (keys.length === 0) continue;
      deleted += await this.delete(keys);
      onProgress?.(deleted);
      // In memory nothing else would run before the end.
      await nextTurn();
    }
    await this.delete(last);
    return deleted;
  }

  async flush(): Promise<void> {
    this.context.sharing.forgetAll();
    throwIfError(await this.one(["FLUSHDB"], REPEATABLE));
  }

  async close(): Promise<void> {}

  /** How long an entry stays after its expiry, in milliseconds; `undefined` where entries have no grace. */
  protected get graceMs(): number | undefined {
    return undefined;
  }

  /** The form in which a value is stored. */
  protected wrap(encoded: Encoded, ttlMs: number | null): Stored {
    if (!isTagged(encoded)) return { stored: encoded, ttlMs };
    const { clock, codec } = this.context;
    const freshUntilMs = ttlMs === null ? FOREVER : Math.min(FOREVER, clock.now() + Math.ceil(ttlMs));
    const header = { freshUntilMs, deltaMs: 0, token: NO_TOKEN, leaseUntilMs: 0 };
    return { stored: seal(header, codec.mark, encoded), ttlMs };
  }

  /** Sends one command. */
  protected async one(command: Command, options?: SendOptions): Promise<Reply> {
    const replies = await this.context.connection.send([command], options);
    return replies[0] ?? null;
  }

  #expire(key: string, mode: "in" | "at" | "never", ms: number | null): Promise<number> {
    const args = [mode, milliseconds(ms), String(this.graceMs ?? 0)];
    return this.#change(EXPIRE, key, args, mode === "never" ? undefined : REPEATABLE);
  }

  /** What a script replies that changes an entry; 0 for one that was purged. */
  async #change(script: Script, key: string, args: readonly Argument[], options?: SendOptions): Promise<number> {
    const decide = (isThere: boolean, reply: Reply) => (isThere ? reply : 0);
    return Number(await this.#judged({ script, keys: [key], args, options, decide }));
  }

  #judged(script: Omit<JudgedScript, "connection">): Promise<Reply> {
    const { connection } = this.context;
    return runJudged(this.context, { connection, ...script });
  }

  /** Whether there is an entry, and none of its tags was purged. @param log the read of the log that began with the peek */
  async #isValid(start: Reply, key: string, log: LogRead | undefined): Promise<boolean> {
    if (!isThere(start, key, this.context.clock.now())) return false;
    if (!hasTags(start)) return true;
    const end = HEADER_LENGTH + MAX_TAGGED_HEAD - 1;
    const head = toStored(await this.one(["GETRANGE", key, String(HEADER_LENGTH), String(end)], READ), key);
    // It may have been deleted since the peek, or written without tags.
    if (head === undefined || !isTagged(head)) return head !== undefined && head.length > 0;
    return (await judged(this.context, head, key, log)).verdict === "good";
  }

  async #deleteBatch(keys: readonly string[]): Promise<number> {
    for (const key of keys) this.context.sharing.forget(key);
    const { connection } = this.context;
    const send = (unlink: string) => connection.send(keys.flatMap((key): Command[] => [peek(key), [unlink, key]]));
    let replies = await send("UNLINK");
    if (replies.some((reply) => reply instanceof UnavailableError && reply.what === "UNLINK"))
      replies = await send("DEL");
    const nowMs = this.context.clock.now();
    const wasDeleted = (key: string, i: number): boolean =>
      throwIfError(replies[2 * i + 1] ?? null) === 1 && this.#wasThere(replies[2 * i] ?? null, key, nowMs);
    return keys.filter(wasDeleted).length;
  }

  /** As `isThere`, for deleting and listing, where an entry that can't be decoded counts, too. */
  #wasThere(start: Reply, key: string, nowMs: number): boolean {
    try {
      return isThere(start, key, nowMs);
    } catch (error) {
      if (error instanceof DecodeError) return true;
      throw error;
    }
  }
}

/** Whether a peek at an entry shows tags. */
function hasTags(start: Reply): boolean {
  const isText = typeof start === "string";
  if (!isText && !(start instanceof Uint8Array)) return false;
  return isEnvelope(start) && (isText ? start.charCodeAt(HEADER_LENGTH) : start[HEADER_LENGTH]) === TAGGED_CODE;
}

function peek(key: string): Command {
  return ["GETRANGE", key, "0", PEEK_END];
}

/** A lifetime as a script's argument; empty never expires. */
export function milliseconds(ttlMs: number | null): string {
  return ttlMs === null ? "" : String(ttlMs);
}
