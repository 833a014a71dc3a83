import type { Cache } from "../cache/cache.js";
import type { Command, Reply } from "../core/connection.js";
import { ReplyError } from "../core/errors.js";
import { systemClock } from "../core/time.js";
import { text } from "../lease/state.js";
import { type LogRead, type PurgeLog, purgeLogOf, readLog, withRead } from "../tags/purge-log.js";

const READ = { readOnly: true, primary: true } as const;

/** A stored key as the server has it, not decoded. What the server refuses to say is `undefined`. */
export interface RawEntry {
  readonly storedKey: string;
  readonly type: string;
  /** Milliseconds until the server deletes it; `null`: it never does. */
  readonly leftMs: number | null | undefined;
  /** Bytes of a string. */
  readonly length: number | undefined;
  /** The first bytes of a string, or all of them; `undefined` where it is none, or can't be read. */
  readonly bytes: Uint8Array | undefined;
  readonly isWhole: boolean;
  /** Why the bytes could not be read. */
  readonly refusal: ReplyError | undefined;
  /** The server's time, and this process's. */
  readonly atMs: number;
  readonly nowMs: number;
  readonly idleMs: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Sends commands, and reads what was added to the purge log in the same round trip. */
export async function sendWithLog(
  { connection, purges }: Pick<Cache, "connection" | "purges">,
  commands: readonly Command[],
): Promise<Reply[]> {
  const reading = beginRead(connection, purges);
  if (!reading) return connection.send(commands, READ);
  const { log, read } = reading;
  const replies = await connection.send([...commands, read.command], withRead(read, READ));
  // A key that holds something else is no log: the verdicts on tags say so.
  if (replies[commands.length] instanceof ReplyError) return replies.slice(0, commands.length);
  if (!log.apply(read, replies[commands.length] ?? null)) await readLog(connection, log);
  return replies.slice(0, commands.length);
}

/** `undefined` where the cache's key function has no key for a log. */
function beginRead(
  connection: Cache["connection"],
  purges: Cache["purges"],
): { log: PurgeLog; read: LogRead } | undefined {
  try {
    const log = purgeLogOf(purges);
    return { log, read: log.read(connection.near) };
  } catch {
    return undefined;
  }
}

/** The commands that read one key. The last two count as a use of it, so what the server knows of its last use is asked for first. */
function commandsFor(key: string, maxBytes: number, isDetailed: boolean): Command[] {
  // Without samples, the server would look at all members of a collection.
  const details: Command[] = [
    ["OBJECT", "IDLETIME", key],
    ["MEMORY", "USAGE", key, "SAMPLES", "16"],
  ];
  return [
    ["TYPE", key],
    ["PTTL", key],
    ...(isDetailed ? details : []),
    ["STRLEN", key],
    ["GETRANGE", key, "0", String(maxBytes - 1)],
  ];
}

/**
 * Reads keys in one round trip. A key that can't be read is no error.
 * @param maxBytes of each value
 * @param isDetailed with the time since their last use, and their memory
 * @throws {ConnectionError}
 */
export async function readRaw(
  cache: Pick<Cache, "connection" | "purges">,
  keys: readonly string[],
  { maxBytes, isDetailed = false }: { readonly maxBytes: number; readonly isDetailed?: boolean },
): Promise<RawEntry[]> {
  if (keys.length === 0) return [];
  const each = keys.map((key) => commandsFor(key, maxBytes, isDetailed));
  const replies = await sendWithLog(cache, [["TIME"], ...each.flat()]);
  const nowMs = systemClock.now();
  const atMs = serverTime(replies[0] ?? null) ?? nowMs;
  const width = each[0]?.length ?? 0;
  return Promise.all(
    keys.map(async (storedKey, i) => {
      const own = replies.slice(1 + i * width, 1 + (i + 1) * width);
      const raw = toRaw(storedKey, own, { maxBytes, atMs, nowMs });
      return isUnread(raw, maxBytes) ? readByGet(cache, raw) : raw;
    }),
  );
}

function toRaw(
  storedKey: string,
  replies: readonly Reply[],
  { maxBytes, atMs, nowMs }: { readonly maxBytes: number; readonly atMs: number; readonly nowMs: number },
): RawEntry {
  const [type = null, pttl = null] = replies;
  const [idle = null, memory = null] = replies.slice(2, -2);
  const [strlen = null, range = null] = replies.slice(-2);
  const left = numberIn(pttl);
  const bytes =
    range instanceof Uint8Array ? range : typeof range === "string" ? new TextEncoder().encode(range) : undefined;
  const length = numberIn(strlen) ?? (bytes && bytes.length < maxBytes ? bytes.length : undefined);
  const refusal = range instanceof ReplyError && range.code !== "WRONGTYPE" ? range : undefined;
  const isThere = left !== -2 && (bytes === undefined || bytes.length > 0);
  const seen = range instanceof ReplyError && !refusal ? "unknown" : isThere ? "string" : "none";
  return {
    storedKey,
    type: type === null || type instanceof ReplyError ? seen : text(type),
    leftMs: left === undefined || left === -2 ? undefined : left === -1 ? null : left,
    length,
    bytes: bytes && bytes.length > 0 ? bytes : undefined,
    isWhole: length === undefined || length <= (bytes?.length ?? 0),
    refusal,
    atMs,
    nowMs,
    idleMs: times(numberIn(idle), 1_000),
    memoryBytes: numberIn(memory),
  };
}

/** Whether a string could not be read by GETRANGE, and is small enough to be read as a whole. */
function isUnread({ type, refusal, length }: RawEntry, maxBytes: number): boolean {
  return refusal !== undefined && type !== "none" && (length === undefined || length <= maxBytes);
}

/** For a user that may run GET and not GETRANGE. */
async function readByGet({ connection }: Pick<Cache, "connection">, raw: RawEntry): Promise<RawEntry> {
  const [reply = null] = await connection.send([["GET", raw.storedKey]], READ);
  if (reply === null) return { ...raw, type: "none", refusal: undefined };
  if (!(reply instanceof Uint8Array)) return raw;
  return { ...raw, type: "string", bytes: reply, length: reply.length, isWhole: true, refusal: undefined };
}

/** The server's time in milliseconds. */
export function serverTime(reply: Reply): number | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [seconds, micros] = reply.map((part) => Number(text(part)));
  return seconds === undefined || micros === undefined ? undefined : seconds * 1_000 + Math.floor(micros / 1_000);
}

/** A number in a reply; `undefined` for an error, or nothing. */
export function numberIn(reply: Reply): number | undefined {
  if (reply === null || reply instanceof ReplyError || Array.isArray(reply)) return undefined;
  const value = Number(text(reply));
  return Number.isFinite(value) ? value : undefined;
}

function times(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
