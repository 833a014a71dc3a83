import type { Reply } from "../../core/connection.js";
import type { Args } from "./arguments.js";
import type { Bulk } from "./bulk.js";
import type { Store } from "./store.js";

/** A reply whose bulk strings are still as stored. */
export type Answer = Exclude<Reply, Uint8Array | Reply[]> | Bulk | Answer[];

/** @throws {ReplyError} when the server would answer with an error */
export type Run = (store: Store, args: Args) => Answer;

/** By name: how many words the command has, its name among them (negative: at least so many), and what it does. */
export type CommandTable = Readonly<Record<string, readonly [arity: number, run: Run]>>;
