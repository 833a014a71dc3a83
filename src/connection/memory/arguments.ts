import type { Argument, Command } from "../../core/connection.js";
import { ReplyError } from "../../core/errors.js";
import { argumentText, Bulk, toName } from "./bulk.js";

/** The server's error messages, so that all transports report the same errors. */
export const refusals = {
  wrongType: () => new ReplyError("WRONGTYPE", "Operation against a key holding the wrong kind of value"),
  syntax: () => err("syntax error"),
  arity: (name: string) => err(`wrong number of arguments for '${name.toLowerCase()}' command`),
  notAnInteger: () => err("value is not an integer or out of range"),
  overflow: () => err("increment or decrement would overflow"),
  expireTime: (name: string) => err(`invalid expire time in '${name.toLowerCase()}' command`),
  noSuchKey: () => err("no such key"),
  outOfRange: () => err("value is out of range, must be positive"),
};

/** An error without a code of its own. */
export function err(detail: string): ReplyError {
  return new ReplyError("ERR", detail);
}

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const SAFE_DIGITS = 15;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Parses a command's arguments. Index 0 is the command's name, so arguments count from 1. */
export class Args {
  readonly #command: Command;

  constructor(command: Command) {
    this.#command = command;
  }

  get name(): string {
    return this.#command[0];
  }

  /** Including the name. */
  get length(): number {
    return this.#command.length;
  }

  /** A key, member or field. */
  nameAt(index: number): string {
    return toName(this.#at(index));
  }

  namesFrom(index: number): string[] {
    return this.#command.slice(index).map(toName);
  }

  bulk(index: number): Bulk {
    return Bulk.from(this.#at(index));
  }

  text(index: number): string {
    return argumentText(this.#at(index));
  }

  /** An option's name, in upper case. */
  word(index: number): string {
    return this.text(index).toUpperCase();
  }

  /** A 64-bit integer, rounded to the nearest number beyond 2^53. */
  integer(index: number, refusal = refusals.notAnInteger): number {
    const text = this.text(index);
    if (!isInt64(text)) throw refusal();
    return Number(text);
  }

  int64(index: number): bigint {
    return parseInt64(this.text(index), refusals.notAnInteger);
  }

  #at(index: number): Argument {
    const argument = this.#command[index];
    if (argument === undefined) throw refusals.syntax();
    return argument;
  }
}

/** @throws the error from `refusal` when `text` is not a 64-bit integer in the server's notation */
export function parseInt64(text: string, refusal: () => ReplyError): bigint {
  if (!isInt64(text)) throw refusal();
  return BigInt(text);
}

export function inInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

function isInt64(text: string): boolean {
  return INTEGER.test(text) && (text.length <= SAFE_DIGITS || inInt64(BigInt(text)));
}

/** A command's option words by kind. Different words of one kind exclude each other; a repeated word is allowed. */
export type Words = Readonly<Record<string, "condition" | "get" | "lifetime">>;

const LIFETIMES = { EX: "lifetime", PX: "lifetime", EXAT: "lifetime", PXAT: "lifetime" } as const;

export const SET_WORDS: Words = { ...LIFETIMES, KEEPTTL: "lifetime", NX: "condition", XX: "condition", GET: "get" };
export const GETEX_WORDS: Words = { ...LIFETIMES, PERSIST: "lifetime" };

/** The options of SET and GETEX. */
export interface WriteOptions {
  readonly condition: string | undefined;
  readonly get: boolean;
  /** In milliseconds since the epoch; `"keep"` for KEEPTTL and `"persist"` for PERSIST. */
  readonly expiry: number | "keep" | "persist" | undefined;
}

/** @throws {ReplyError} on an unknown word, or words that exclude each other */
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

/** The units of times in commands: relative or since the epoch, in seconds or milliseconds. */
const UNITS = {
  EX: { scaleMs: 1_000, relative: true },
  PX: { scaleMs: 1, relative: true },
  EXAT: { scaleMs: 1_000, relative: false },
  PXAT: { scaleMs: 1, relative: false },
} as const;

export type Unit = keyof typeof UNITS;

export function isUnit(word: string): word is Unit {
  return Object.hasOwn(UNITS, word);
}

/**
 * The time in an argument, in milliseconds since the epoch.
 * @throws {ReplyError} when it is not an integer, or exceeds 64 bits
 */
export function deadline(args: Args, index: number, unit: Unit, nowMs: number): number {
  const { scaleMs, relative } = UNITS[unit];
  const sinceMs = args.integer(index) * scaleMs;
  const atMs = relative ? sinceMs + nowMs : sinceMs;
  if (Math.abs(sinceMs) > 2 ** 63 || atMs > 2 ** 63) throw refusals.expireTime(args.name);
  return atMs;
}
