import type { Argument, Command, Reply } from "../core/connection.js";
import { toText } from "../core/text.js";

/** Commands that change no entry. What is not listed counts as a write, so that a new command is at worst a needless one. */
const READS = /* @__PURE__ */ (() =>
  new Set(
    `AUTH BITCOUNT BITPOS CLIENT CLUSTER COMMAND CONFIG DBSIZE DUMP ECHO EXISTS EXPIRETIME GET GETBIT GETRANGE HELLO HEXISTS
  HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS INFO KEYS LASTSAVE LCS LINDEX
  LLEN LPOS LRANGE MEMORY MGET OBJECT PEXPIRETIME PING PTTL PUBLISH RANDOMKEY ROLE SCAN SCARD SCRIPT SDIFF SINTER SINTERCARD
  SISMEMBER SMEMBERS SMISMEMBER SPUBLISH SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME TTL TYPE WAIT XLEN XRANGE XREAD ZCARD ZCOUNT
  ZMSCORE ZRANGE ZRANGEBYSCORE ZRANK ZREVRANGEBYSCORE ZSCAN ZSCORE`.split(/\s+/),
  ))();

/** Commands that change entries which they don't name. */
const OF_ALL: ReadonlySet<string> = new Set(["FLUSHALL", "FLUSHDB", "SWAPDB"]);

/** Commands whose first argument is their only key, as far as a cache sends them. The others' arguments all count as keys. */
const OF_FIRST: ReadonlySet<string> = new Set([
  "APPEND",
  "DECRBY",
  "EXPIRE",
  "GETDEL",
  "GETEX",
  "GETSET",
  "HDEL",
  "HINCRBY",
  "HSET",
  "INCR",
  "INCRBY",
  "PERSIST",
  "PEXPIRE",
  "PEXPIREAT",
  "PSETEX",
  "SADD",
  "SET",
  "SETEX",
  "SETNX",
  "SETRANGE",
  "SREM",
]);

/** What commands write: some keys, any key, or nothing. */
export interface Writes {
  readonly keys: readonly string[];
  readonly all: boolean;
}

const NOTHING: Writes = { keys: [], all: false };
/** Any key. */
export const ALL: Writes = { keys: [], all: true };

/** Whether a near cache of this process keeps entries of a key. */
type Keeps = (key: string) => boolean;

/** The keys that commands may change, of those that near caches keep. */
export function writesOf(commands: readonly Command[], keeps: Keeps): Writes {
  let keys: string[] | undefined;
  for (const [given, ...args] of commands) {
    const name = given.toUpperCase();
    if (READS.has(name)) continue;
    if (OF_ALL.has(name)) return ALL;
    keys ??= [];
    addKeys(keys, OF_FIRST.has(name) ? args.slice(0, 1) : args, keeps);
  }
  return keys ? { keys, all: false } : NOTHING;
}

/** Of a script's keys, those that near caches keep. */
export function keysOf(args: readonly Argument[], keeps: Keeps): Writes {
  const keys: string[] = [];
  addKeys(keys, args, keeps);
  return { keys, all: false };
}

function addKeys(keys: string[], args: readonly Argument[], keeps: Keeps): void {
  for (const arg of args) {
    const key = typeof arg === "string" ? arg : arg.length <= LONGEST_KEY ? toText(arg) : "";
    if (keeps(key)) keys.push(key);
  }
}

/** In bytes. Longer arguments are values. */
const LONGEST_KEY = 65_536;

/** The keys that a command reads whole, where that is all it does; `undefined` for other commands. */
export function readKeys([name, ...args]: Command): readonly string[] | undefined {
  if (name !== "GET" && name !== "MGET") return undefined;
  return args.every((arg) => typeof arg === "string") ? (args as string[]) : undefined;
}

/** The key of a command that reads an entry, or creates it where there is none; `undefined` for other commands. */
export function claimedKey([name, key, , ...options]: Command): string | undefined {
  const isClaim = name === "SET" && options.includes("NX") && options.includes("GET");
  return isClaim && typeof key === "string" ? key : undefined;
}

/** Whether a reply to HELLO is that of a primary, flat or in pairs. A server or a proxy without the command names no role. */
export function isOfPrimary(hello: Reply): boolean {
  const fields = Array.isArray(hello) ? hello.flat(1).map(textOf) : [];
  const role = fields[fields.indexOf("role") + 1];
  return !fields.includes("role") || role === "master" || role === "primary";
}

function textOf(reply: Reply): string {
  return reply instanceof Uint8Array ? toText(reply) : String(reply);
}
