import type { Args } from "./args.js";
import type { Answer, CommandTable, Run } from "./command-table.js";
import { deadline, type Unit } from "./deadline.js";
import { err } from "./refusals.js";
import type { Entry, Store } from "./store.js";

/** Lifetimes. */
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

/** To GT and LT, what never expires does so later than all else. */
function allowed(words: ReadonlySet<string>, { expiresAtMs }: Entry, atMs: number): boolean {
  if (words.has("NX") && expiresAtMs !== Infinity) return false;
  if (words.has("XX") && expiresAtMs === Infinity) return false;
  if (words.has("GT") && atMs <= expiresAtMs) return false;
  return !(words.has("LT") && atMs >= expiresAtMs);
}
