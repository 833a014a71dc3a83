import type { Reply } from "../../core/connection.js";
import type { Args } from "./arguments.js";
import type { Bulk } from "./bulk.js";
import type { Store } from "./store.js";

/** A reply whose bulk strings are not converted yet. */
export type Answer = Exclude<Reply, Uint8Array | Reply[]> | Bulk | Answer[];

/** @throws {ReplyError} when the server would reply with an error */
export type Run = (store: Store, args: Args) => Answer;

/** Commands by name. The arity includes the name; a negative arity is a minimum. */
export type CommandTable = Readonly<Record<string, readonly [arity: number, run: Run]>>;
