import type { Args } from "./args.js";
import { Bulk } from "./bulk.js";
import type { Answer, CommandTable } from "./command-table.js";
import { Members } from "./members.js";
import { err, refusals } from "./refusals.js";
import type { Store, Value } from "./store.js";

/** Keys, whatever they hold. */
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
