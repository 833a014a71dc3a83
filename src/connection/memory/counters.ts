import type { ReplyError } from "../../core/errors.js";
import { type Args, inInt64, parseInt64 } from "./args.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable } from "./command-table.js";
import { err, refusals } from "./refusals.js";
import type { Store } from "./store.js";

const INT64_MIN = -(2n ** 63n);
const MAX_DIGITS = String(INT64_MIN).length;

/** Strings that hold a 64-bit integer. Exact as stored; a reply beyond 2^53 is the nearest number. */
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

/** @throws what `refusal` makes when `value` is no integer, and {ReplyError} when the sum does not fit */
export function addInt64(value: Bulk | undefined, amount: bigint, refusal: () => ReplyError): bigint {
  const sum = (value === undefined ? 0n : parseInt64(digits(value), refusal)) + amount;
  if (!inInt64(sum)) throw refusals.overflow();
  return sum;
}

/** Its text, when it is short enough for an integer. */
function digits(value: Bulk): string {
  const text = value.byteLength <= MAX_DIGITS ? value.text() : "";
  return typeof text === "string" ? text : "";
}
