import type { ReplyError } from "../../core/errors.js";
import {
  type Args,
  err,
  GETEX_WORDS,
  inInt64,
  parseInt64,
  parseWriteOptions,
  refusals,
  SET_WORDS,
} from "./arguments.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable, Store } from "./store.js";

/** The longest string in bytes: a server's default limit. */
const MAX_LENGTH = 512 * 1024 * 1024;

/** String commands. */
export const strings: CommandTable = {
  GET: [2, (store, args) => store.find(args.nameAt(1), Bulk)?.value ?? null],
  SET: [-3, set],
  SETNX: [3, (store, args) => setAll(store, pairs(args), true)],
  MSET: [-3, mset],
  MSETNX: [-3, (store, args) => setAll(store, pairs(args), true)],
  MGET: [-2, (store, args) => args.namesFrom(1).map((key) => stringOrNull(store, key))],
  GETDEL: [2, getDel],
  GETEX: [-2, getEx],
  STRLEN: [2, (store, args) => store.find(args.nameAt(1), Bulk)?.value.byteLength ?? 0],
  APPEND: [3, append],
  GETRANGE: [4, getRange],
  SETRANGE: [4, setRange],
};

function set(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const { condition, get, expiry } = parseWriteOptions(args, 3, SET_WORDS, store.nowMs);
  const before = get ? store.find(key, Bulk) : condition || expiry === "keep" ? store.peek(key) : undefined;
  const old = get && before?.value instanceof Bulk ? before.value : null;
  if (condition === "NX" ? before : condition === "XX" && !before) return old;
  if (typeof expiry === "number" && expiry <= store.nowMs) store.delete(key);
  else store.put(key, args.bulk(2), expiry === "keep" ? before?.expiresAtMs : Number(expiry ?? Infinity));
  return get ? old : "OK";
}

function mset(store: Store, args: Args): Answer {
  setAll(store, pairs(args), false);
  return "OK";
}

function pairs(args: Args): [string, Bulk][] {
  if (args.length % 2 === 0) throw refusals.arity(args.name);
  const entries: [string, Bulk][] = [];
  for (let index = 1; index < args.length; index += 2) entries.push([args.nameAt(index), args.bulk(index + 1)]);
  return entries;
}

/** Sets all entries or none. None are set when one can't fit, or when one exists and `onlyNew` is set. */
function setAll(store: Store, entries: readonly [string, Bulk][], onlyNew: boolean): number {
  if (onlyNew && entries.some(([key]) => store.peek(key))) return 0;
  for (const [key, value] of entries) store.checkRoom(key, value.byteLength);
  for (const [key, value] of entries) store.put(key, value);
  return 1;
}

function stringOrNull(store: Store, key: string): Bulk | null {
  const value = store.get(key)?.value;
  return value instanceof Bulk ? value : null;
}

function getDel(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const entry = store.find(key, Bulk);
  store.delete(key);
  return entry?.value ?? null;
}

function getEx(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const { expiry } = parseWriteOptions(args, 2, GETEX_WORDS, store.nowMs);
  const entry = store.find(key, Bulk);
  if (entry === undefined) return null;
  if (typeof expiry === "number" && expiry <= store.nowMs) store.delete(key);
  else if (expiry !== undefined) store.put(key, entry.value, expiry === "persist" ? Infinity : Number(expiry));
  return entry.value;
}

function append(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const entry = store.find(key, Bulk);
  const added = args.bulk(2);
  const length = (entry?.value.byteLength ?? 0) + added.byteLength;
  checkLength(store, key, length);
  store.put(key, entry === undefined ? added : entry.value.concat(added), entry?.expiresAtMs);
  return length;
}

/** Negative positions count from the end. Both ends are inclusive. */
function getRange(store: Store, args: Args): Answer {
  const [start, end] = [args.integer(2), args.integer(3)];
  const value = store.find(args.nameAt(1), Bulk)?.value ?? Bulk.from("");
  if (start < 0 && end < 0 && start > end) return Bulk.from("");
  const position = (index: number): number => Math.max(index < 0 ? value.byteLength + index : index, 0);
  return value.slice(position(start), position(end) + 1);
}

function setRange(store: Store, args: Args): Answer {
  const offset = args.integer(2);
  if (offset < 0) throw err("offset is out of range");
  const key = args.nameAt(1);
  const entry = store.find(key, Bulk);
  const [value, part] = [entry?.value ?? Bulk.from(""), args.bulk(3)];
  if (part.byteLength === 0) return value.byteLength;
  checkLength(store, key, offset + part.byteLength);
  const patched = value.patch(offset, part);
  store.put(key, patched, entry?.expiresAtMs);
  return patched.byteLength;
}

/** Checks a length before that much memory is allocated. */
function checkLength(store: Store, key: string, length: number): void {
  if (length > MAX_LENGTH) throw err("string exceeds maximum allowed size (proto-max-bulk-len)");
  store.checkRoom(key, length);
}

const INT64_MIN = -(2n ** 63n);
const MAX_DIGITS = String(INT64_MIN).length;

/** Counter commands on 64-bit integers. Stored values are exact; a reply beyond 2^53 is the nearest number. */
export const counters: CommandTable = {
  INCR: [2, (store, args) => add(store, args, 1n)],
  DECR: [2, (store, args) => add(store, args, -1n)],
  INCRBY: [3, (store, args) => add(store, args, args.int64(2))],
  DECRBY: [3, (store, args) => add(store, args, -decrement(args))],
};

function decrement(args: Args): bigint {
  const amount = args.int64(2);
  if (amount === INT64_MIN) throw err("decrement would overflow");
  return amount;
}

function add(store: Store, args: Args, amount: bigint): Answer {
  const key = args.nameAt(1);
  const entry = store.find(key, Bulk);
  const sum = addInt64(entry?.value, amount, refusals.notAnInteger);
  store.put(key, Bulk.from(String(sum)), entry?.expiresAtMs);
  return Number(sum);
}

/** @throws the error from `refusal` when `value` is not an integer, and {ReplyError} when the sum exceeds 64 bits */
export function addInt64(value: Bulk | undefined, amount: bigint, refusal: () => ReplyError): bigint {
  const sum = (value === undefined ? 0n : parseInt64(digits(value), refusal)) + amount;
  if (!inInt64(sum)) throw refusals.overflow();
  return sum;
}

/** The value's text, when it is short enough for an integer; else an empty string. */
function digits(value: Bulk): string {
  const text = value.byteLength <= MAX_DIGITS ? value.text() : "";
  return typeof text === "string" ? text : "";
}
