import type { Command, Reply } from "../../core/connection.js";
import { Args, err, refusals } from "./arguments.js";
import { Bulk, toName } from "./bulk.js";
import type { Answer, CommandTable } from "./command-table.js";
import { hashes } from "./hashes.js";
import { expiry, keyspace, server } from "./keyspace.js";
import { setAlgebra, sets } from "./sets.js";
import type { Store } from "./store.js";
import { counters, strings } from "./strings.js";

const TABLES: readonly CommandTable[] = [strings, counters, expiry, keyspace, sets, setAlgebra, hashes, server];
const COMMANDS = new Map(TABLES.flatMap((table) => Object.entries(table)));

/** @throws {ReplyError} when there is no such command, or when the number of arguments can't be right */
export function checkCommand(command: Command): void {
  find(command);
}

/** @throws {ReplyError} OOM when it is to set what would not fit even alone, which a server finds out before the first one is run */
export function checkRoom(store: Store, [name, key = "", value = ""]: Command): void {
  if (name.toUpperCase() === "SET") store.checkRoom(toName(key), Bulk.from(value).byteLength);
}

/** One command, at once. With `text`, bulk strings that are valid UTF-8 come as strings. @throws {ReplyError} */
export function run(store: Store, command: Command, text: boolean): Reply {
  const [, execute] = find(command);
  return toReply(execute(store, new Args(command)), text);
}

function find(command: Command): CommandTable[string] {
  const [name] = command;
  const found = COMMANDS.get(name) ?? COMMANDS.get(name.toUpperCase());
  if (found === undefined) {
    const known = [...COMMANDS.keys()].join(", ");
    throw err(`unknown command '${name.slice(0, 128)}'; the memory transport knows ${known}`);
  }
  const [arity] = found;
  if (arity < 0 ? command.length < -arity : command.length !== arity) throw refusals.arity(name);
  return found;
}

function toReply(answer: Answer, text: boolean): Reply {
  if (answer instanceof Bulk) return text ? answer.text() : answer.bytes();
  return Array.isArray(answer) ? answer.map((part) => toReply(part, text)) : answer;
}
