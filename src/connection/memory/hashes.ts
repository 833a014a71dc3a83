import type { Args } from "./arguments.js";
import { err, refusals } from "./arguments.js";
import { Bulk, nameForm } from "./bulk.js";
import { checkCursor, parseScanFilter, scanned } from "./collection-scan.js";
import type { Answer, CommandTable, Store } from "./store.js";
import { addInt64 } from "./strings.js";
import { Fields } from "./values.js";

/** Hash commands. A hash without fields does not exist. */
export const hashes: CommandTable = {
  HSET: [-4, hset],
  HGET: [3, (store, args) => fieldsAt(store, args).get(args.nameAt(2)) ?? null],
  HMGET: [-3, hmget],
  HGETALL: [2, (store, args) => [...fieldsAt(store, args)].map(([field, value]) => [Bulk.fromName(field), value])],
  HDEL: [-3, hdel],
  HLEN: [2, (store, args) => fieldsAt(store, args).size],
  HKEYS: [2, (store, args) => [...fieldsAt(store, args)].map(([field]) => Bulk.fromName(field))],
  HVALS: [2, (store, args) => [...fieldsAt(store, args)].map(([, value]) => value)],
  HEXISTS: [3, (store, args) => Number(fieldsAt(store, args).has(args.nameAt(2)))],
  HINCRBY: [4, hincrby],
  HSCAN: [-3, hscan],
};

/** The fields of the key in the first argument; none when the key does not exist. */
function fieldsAt(store: Store, args: Args): Fields {
  return store.find(args.nameAt(1), Fields)?.value ?? new Fields();
}

function hset(store: Store, args: Args): Answer {
  if (args.length % 2 !== 0) throw refusals.arity(args.name);
  const entries: [string, Bulk][] = [];
  for (let index = 2; index < args.length; index += 2) entries.push([args.nameAt(index), args.bulk(index + 1)]);
  return setFields(store, args.nameAt(1), entries);
}

/** @returns the number of new fields */
function setFields(store: Store, key: string, entries: readonly [string, Bulk][]): number {
  const entry = store.find(key, Fields);
  const fields = entry?.value ?? new Fields();
  store.checkRoom(key, fields.byteLength + fields.growth(entries));
  const before = fields.size;
  for (const [field, value] of entries) fields.set(field, value);
  store.put(key, fields, entry?.expiresAtMs);
  return fields.size - before;
}

function hmget(store: Store, args: Args): Answer {
  const fields = fieldsAt(store, args);
  return args.namesFrom(2).map((field) => fields.get(field) ?? null);
}

function hdel(store: Store, args: Args): Answer {
  const key = args.nameAt(1);
  const entry = store.find(key, Fields);
  if (entry === undefined) return 0;
  const deleted = args.namesFrom(2).filter((field) => entry.value.delete(field)).length;
  if (entry.value.size === 0) store.delete(key);
  else store.put(key, entry.value, entry.expiresAtMs);
  return deleted;
}

function hincrby(store: Store, args: Args): Answer {
  const amount = args.int64(3);
  const field = args.nameAt(2);
  const sum = addInt64(fieldsAt(store, args).get(field), amount, () => err("hash value is not an integer"));
  setFields(store, args.nameAt(1), [[field, Bulk.from(String(sum))]]);
  return Number(sum);
}

function hscan(store: Store, args: Args): Answer {
  checkCursor(args);
  const entry = store.find(args.nameAt(1), Fields);
  if (entry === undefined) return scanned([]);
  const { matches, noValues } = parseScanFilter(args);
  const found = [...entry.value].filter(([field]) => matches(nameForm(field)));
  return scanned(
    found.flatMap(([field, value]) => (noValues ? [Bulk.fromName(field)] : [Bulk.fromName(field), value])),
  );
}
