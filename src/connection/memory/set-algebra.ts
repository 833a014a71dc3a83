import { Bulk } from "./bulk.js";
import type { CommandTable, Run } from "./command-table.js";
import { Members } from "./members.js";
import type { Store } from "./store.js";

/** Several sets at once. */
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

/** Whatever the key held is gone, also when nothing comes in its place. */
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
