import { type Args, deadline, err, refusals, type Unit } from "./arguments.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable, Entry, Run, Store, Value } from "./store.js";
import { Members, Scores } from "./values.js";

/** Commands on keys of any type. */
export const keyspace: CommandTable = {
  DEL: [-2, remove],
  UNLINK: [-2, remove],
  EXISTS: [-2, (store, args) => args.namesFrom(1).filter((key) => store.peek(key)).length],
  TOUCH: [-2, (store, args) => args.namesFrom(1).filter((key) => store.get(key)).length],
  TYPE: [2, (store, args) => typeName(store.peek(args.nameAt(1))?.value)],
  RENAME: [3, rename],
  RENAMENX: [3, (store, args) => move(store, args, false)],
  COPY: [-3, copy],
  DBSIZE: [1, (store) => store.keys().length],
  FLUSHDB: [-1, flush],
  FLUSHALL: [-1, flush],
};

function remove(store: Store, args: Args): Answer {
  return args.namesFrom(1).filter((key) => store.delete(key)).length;
}

function typeName(value: Value | undefined): string {
  if (value === undefined) return "none";
  if (value instanceof Bulk) return "string";
  if (value instanceof Scores) return "zset";
  return value instanceof Members ? "set" : "hash";
}

function rename(store: Store, args: Args): Answer {
  move(store, args, true);
  return "OK";
}

function move(store: Store, args: Args, overwrite: boolean): number {
  const [from, to] = [args.nameAt(1), args.nameAt(2)];
  const entry = store.peek(from);
  if (entry === undefined) throw refusals.noSuchKey();
  if (!overwrite && store.peek(to)) return 0;
  if (from === to) return 1;
  store.checkRoom(to, entry.value.byteLength);
  store.delete(from);
  store.put(to, entry.value, entry.expiresAtMs);
  return 1;
}

function copy(store: Store, args: Args): Answer {
  const [from, to] = [args.nameAt(1), args.nameAt(2)];
  for (let index = 3; index < args.length; index++) if (args.word(index) !== "REPLACE") throw refusals.syntax();
  if (from === to) throw err("source and destination objects are the same");
  const entry = store.peek(from);
  if (entry === undefined || (args.length === 3 && store.peek(to))) return 0;
  store.put(to, entry.value instanceof Bulk ? entry.value : entry.value.copy(), entry.expiresAtMs);
  return 1;
}

function flush(store: Store, args: Args): Answer {
  if (args.length > 2 || (args.length === 2 && !["ASYNC", "SYNC"].includes(args.word(1)))) throw refusals.syntax();
  store.clear();
  return "OK";
}

/** Commands on lifetimes. */
export const expiry: CommandTable = {
  TTL: [2, read((atMs, nowMs) => Math.round((atMs - nowMs) / 1_000))],
  PTTL: [2, read((atMs, nowMs) => atMs - nowMs)],
  EXPIRETIME: [2, read((atMs) => Math.round(atMs / 1_000))],
  PEXPIRETIME: [2, read((atMs) => atMs)],
  PERSIST: [2, persist],
  EXPIRE: [-3, expire("EX")],
  PEXPIRE: [-3, expire("PX")],
  EXPIREAT: [-3, expire("EXAT")],
  PEXPIREAT: [-3, expire("PXAT")],
};

const MISSING = -2;
const PERSISTENT = -1;

function read(show: (expiresAtMs: number, nowMs: number) => number): Run {
  return (store, args) => {
    const entry = store.peek(args.nameAt(1));
    if (entry === undefined) return MISSING;
    return entry.expiresAtMs === Infinity ? PERSISTENT : show(entry.expiresAtMs, store.nowMs);
  };
}

function persist(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const entry = store.peek(key);
  if (entry === undefined || entry.expiresAtMs === Infinity) return 0;
  store.put(key, entry.value);
  return 1;
}

function expire(unit: Unit): Run {
  return (store, args) => {
    const words = conditions(args);
    const atMs = deadline(args, 2, unit, store.nowMs);
    const key = args.nameAt(1);
    const entry = store.peek(key);
    if (entry === undefined || !allowed(words, entry, atMs)) return 0;
    if (atMs <= store.nowMs) store.delete(key);
    else store.put(key, entry.value, atMs);
    return 1;
  };
}

function conditions(args: Args): Set<string> {
  const words = new Set<string>();
  for (let index = 3; index < args.length; index++) {
    const word = args.word(index);
    if (!["NX", "XX", "GT", "LT"].includes(word)) throw err(`Unsupported option ${args.text(index)}`);
    words.add(word);
  }
  if (words.has("NX") && words.size > 1) {
    throw err("NX and XX, GT or LT options at the same time are not compatible");
  }
  if (words.has("GT") && words.has("LT")) throw err("GT and LT options at the same time are not compatible");
  return words;
}

/** GT and LT treat an entry that never expires as expiring last. */
function allowed(words: ReadonlySet<string>, { expiresAtMs }: Entry, atMs: number): boolean {
  if (words.has("NX") && expiresAtMs !== Infinity) return false;
  if (words.has("XX") && expiresAtMs === Infinity) return false;
  if (words.has("GT") && atMs <= expiresAtMs) return false;
  return !(words.has("LT") && atMs >= expiresAtMs);
}

/** Commands without a key. */
export const server: CommandTable = {
  PING: [-1, ping],
  ECHO: [2, (_store, args) => args.bulk(1)],
  TIME: [1, time],
};

function ping(_store: Store, args: Args): Answer {
  if (args.length > 2) throw refusals.arity(args.name);
  return args.length === 1 ? "PONG" : args.bulk(1);
}

/** Seconds, and the remaining microseconds. No two calls in a millisecond have the same, as on a server. */
function time(store: Store): Answer {
  const ms = Math.floor(store.nowMs);
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000 + store.nextMicrosecond()].map((part) =>
    Bulk.from(String(part)),
  );
}
