import type { Command, Reply } from "../../core/connection.js";
import { Args, err, refusals } from "./arguments.js";
import { Bulk, toName } from "./bulk.js";
import { hashes } from "./hashes.js";
import { expiry, keyspace, server } from "./keyspace.js";
import { setAlgebra, sets } from "./sets.js";
import { sortedSets } from "./sorted-sets.js";
import type { Answer, CommandTable, Store } from "./store.js";
import { counters, strings } from "./strings.js";

/**
 * The cache sends some of these commands, the others serve users of `cache.connection`. docs/decisions/memory-transport.md
 * has both lists.
 */
const TABLES: readonly CommandTable[] = [
  strings,
  counters,
  expiry,
  keyspace,
  sets,
  setAlgebra,
  hashes,
  sortedSets,
  server,
];
const COMMANDS = new Map(TABLES.flatMap((table) => Object.entries(table)));

/** @throws {ReplyError} when the command is unknown, or has a wrong number of arguments */
export function checkCommand(command: Command): void {
  find(command);
}

/** @throws {ReplyError} OOM when a SET's entry would not fit even alone, which a server checks before it runs a transaction */
export function checkRoom(store: Store, [name, key = "", value = ""]: Command): void {
  if (name.toUpperCase() === "SET") store.checkRoom(toName(key), Bulk.from(value).byteLength);
}

/** Runs one command synchronously. With `text`, bulk strings that are valid UTF-8 are returned as strings. @throws {ReplyError} */
export function run(store: Store, command: Command, text: boolean): Reply {
  const [, execute] = find(command);
  return toReply(execute(store, new Args(command)), text);
}

function find(command: Command): CommandTable[string] {
  const [name] = command;
  const found = COMMANDS.get(name) ?? COMMANDS.get(name.toUpperCase());
  if (found === undefined) {
    const known = [...COMMANDS.keys()].join(", ");
    throw err(
      `unknown command '${name.slice(0, 128)}'; the memory transport supports ${known}; use one of them, or a server`,
    );
  }
  const [arity] = found;
  if (arity < 0 ? command.length < -arity : command.length !== arity) throw refusals.arity(name);
  return found;
}

function toReply(answer: Answer, text: boolean): Reply {
  if (answer instanceof Bulk) return text ? answer.text() : answer.bytes();
  return Array.isArray(answer) ? answer.map((part) => toReply(part, text)) : answer;
}
