import { type Args, err, refusals } from "./arguments.js";
import { Bulk, nameForm } from "./bulk.js";
import { checkCursor, parseScanFilter, scanned } from "./collection-scan.js";
import type { Answer, CommandTable, Run, Store } from "./store.js";
import { Members } from "./values.js";

/** Commands on one set, and SMOVE. A set without members does not exist. */
export const sets: CommandTable = {
  SADD: [-3, (store, args) => add(store, args.nameAt(1), args.namesFrom(2))],
  SREM: [-3, (store, args) => remove(store, args.nameAt(1), args.namesFrom(2))],
  SCARD: [2, (store, args) => membersAt(store, args).size],
  SISMEMBER: [3, (store, args) => Number(membersAt(store, args).has(args.nameAt(2)))],
  SMISMEMBER: [-3, smismember],
  SMEMBERS: [2, (store, args) => Array.from(membersAt(store, args), Bulk.fromName)],
  SMOVE: [4, smove],
  SPOP: [-2, spop],
  SRANDMEMBER: [-2, srandmember],
  SSCAN: [-3, sscan],
};

/** The members of the key in the first argument; none when the key does not exist. */
function membersAt(store: Store, args: Args): Members {
  return store.find(args.nameAt(1), Members)?.value ?? new Members();
}

function add(store: Store, key: string, names: readonly string[]): number {
  const entry = store.find(key, Members);
  const members = entry?.value ?? new Members();
  const added = new Set(names.filter((name) => !members.has(name)));
  store.checkRoom(key, members.byteLength + Members.cost(added));
  for (const name of added) members.add(name);
  store.put(key, members, entry?.expiresAtMs);
  return added.size;
}

function remove(store: Store, key: string, names: readonly string[]): number {
  const entry = store.find(key, Members);
  if (entry === undefined) return 0;
  const removed = names.filter((name) => entry.value.delete(name)).length;
  if (entry.value.size === 0) store.delete(key);
  else store.put(key, entry.value, entry.expiresAtMs);
  return removed;
}

function smismember(store: Store, args: Args): Answer {
  const members = membersAt(store, args);
  return args.namesFrom(2).map((name) => Number(members.has(name)));
}

function smove(store: Store, args: Args): Answer {
  const [from, to, name] = [args.nameAt(1), args.nameAt(2), args.nameAt(3)];
  const source = store.find(from, Members);
  if (source === undefined) return 0;
  store.find(to, Members);
  if (!source.value.has(name)) return 0;
  if (from === to) return 1;
  add(store, to, [name]);
  remove(store, from, [name]);
  return 1;
}

function spop(store: Store, args: Args): Answer {
  const count = args.length === 2 ? 1 : popCount(args);
  const names = sample([...membersAt(store, args)], count, () => store.clock.random());
  remove(store, args.nameAt(1), names);
  const popped = names.map(Bulk.fromName);
  return args.length === 2 ? (popped[0] ?? null) : popped;
}

function popCount(args: Args): number {
  if (args.length > 3) throw refusals.syntax();
  const count = args.integer(2, refusals.outOfRange);
  if (count < 0) throw refusals.outOfRange();
  return count;
}

/** A negative count draws that many members, with repetition. */
function srandmember(store: Store, args: Args): Answer {
  if (args.length > 3) throw refusals.syntax();
  const count = args.length === 2 ? 1 : args.integer(2);
  if (count <= -(2 ** 63))
    throw err("value is out of range, value must between -9223372036854775807 and 9223372036854775807");
  const all = [...membersAt(store, args)];
  const random = (): number => store.clock.random();
  const chosen = count >= 0 ? sample(all, count, random) : draw(all, -count, random);
  if (args.length === 2) return chosen[0] === undefined ? null : Bulk.fromName(chosen[0]);
  return chosen.map(Bulk.fromName);
}

/** Up to `count` distinct names: the first steps of a shuffle, in place. */
function sample(names: string[], count: number, random: () => number): string[] {
  const wanted = Math.min(count, names.length);
  for (let index = 0; index < wanted; index++) {
    const other = index + Math.floor(random() * (names.length - index));
    const drawn = names[other] ?? "";
    names[other] = names[index] ?? "";
    names[index] = drawn;
  }
  return names.slice(0, wanted);
}

function draw(names: readonly string[], count: number, random: () => number): string[] {
  if (names.length === 0) return [];
  return Array.from({ length: count }, () => names[Math.floor(random() * names.length)] ?? "");
}

function sscan(store: Store, args: Args): Answer {
  checkCursor(args);
  const entry = store.find(args.nameAt(1), Members);
  if (entry === undefined) return scanned([]);
  const { matches } = parseScanFilter(args);
  return scanned([...entry.value].filter((name) => matches(nameForm(name))).map(Bulk.fromName));
}

/** Commands that combine several sets. */
export const setAlgebra: CommandTable = {
  SDIFF: [-2, answer(difference)],
  SINTER: [-2, answer(intersection)],
  SUNION: [-2, answer(union)],
  SDIFFSTORE: [-3, storeUnder(difference)],
  SINTERSTORE: [-3, storeUnder(intersection)],
  SUNIONSTORE: [-3, storeUnder(union)],
};

type Combine = (first: Members, rest: readonly Members[]) => string[];

function answer(combine: Combine): Run {
  return (store, args) => combineAt(store, args.namesFrom(1), combine).map(Bulk.fromName);
}

/** Replaces the destination; an empty result deletes it. */
function storeUnder(combine: Combine): Run {
  return (store, args) => {
    const result = Members.of(combineAt(store, args.namesFrom(2), combine));
    if (result.size === 0) store.delete(args.nameAt(1));
    else store.put(args.nameAt(1), result);
    return result.size;
  };
}

function combineAt(store: Store, keys: readonly string[], combine: Combine): string[] {
  const [first = new Members(), ...rest] = keys.map((key) => store.find(key, Members)?.value ?? new Members());
  return combine(first, rest);
}

function difference(first: Members, rest: readonly Members[]): string[] {
  return [...first].filter((name) => !rest.some((other) => other.has(name)));
}

function intersection(first: Members, rest: readonly Members[]): string[] {
  return [...first].filter((name) => rest.every((other) => other.has(name)));
}

function union(first: Members, rest: readonly Members[]): string[] {
  return [...new Set([first, ...rest].flatMap((members) => [...members]))];
}
