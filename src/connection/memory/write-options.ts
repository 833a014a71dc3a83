import type { Args } from "./args.js";
import { deadline, isUnit } from "./deadline.js";
import { refusals } from "./refusals.js";

/** A command's words by kind. Two of one kind exclude each other; the same one twice is fine. */
export type Words = Readonly<Record<string, "condition" | "get" | "lifetime">>;

const LIFETIMES = { EX: "lifetime", PX: "lifetime", EXAT: "lifetime", PXAT: "lifetime" } as const;

export const SET_WORDS: Words = { ...LIFETIMES, KEEPTTL: "lifetime", NX: "condition", XX: "condition", GET: "get" };
export const GETEX_WORDS: Words = { ...LIFETIMES, PERSIST: "lifetime" };

/** What stands after the key, and the value, of SET and GETEX. */
export interface WriteOptions {
  readonly condition: string | undefined;
  readonly get: boolean;
  /** When the entry is to expire; `"keep"` and `"persist"` are the words KEEPTTL and PERSIST. */
  readonly expiry: number | "keep" | "persist" | undefined;
}

/** @throws {ReplyError} on a word that the command does not know, or words that exclude each other */
export function parseWriteOptions(args: Args, start: number, words: Words, nowMs: number): WriteOptions {
  const given: Partial<Record<Words[string], string>> = {};
  let amountIndex = 0;
  for (let index = start; index < args.length; index++) {
    const word = args.word(index);
    const kind = words[word];
    if (kind === undefined || (given[kind] ?? word) !== word) throw refusals.syntax();
    given[kind] = word;
    if (isUnit(word)) amountIndex = ++index;
  }
  if (amountIndex === args.length) throw refusals.syntax();
  const expiry = given.lifetime === undefined ? undefined : expiryOf(args, given.lifetime, amountIndex, nowMs);
  return { condition: given.condition, get: given.get !== undefined, expiry };
}

function expiryOf(args: Args, word: string, amountIndex: number, nowMs: number): WriteOptions["expiry"] {
  if (!isUnit(word)) return word === "KEEPTTL" ? "keep" : "persist";
  const atMs = deadline(args, amountIndex, word, nowMs);
  if (args.integer(amountIndex) <= 0) throw refusals.expireTime(args.name);
  return atMs;
}
