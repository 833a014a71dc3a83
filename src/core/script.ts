import type { Argument, Command, Reply } from "./command.js";

/** Runs one command at once, where the script's data is. */
export type Call = (...command: Command) => Reply;

/** What runs inside the server in one step. */
export interface Script {
  /** Named in errors. */
  readonly name: string;
  readonly lua: string;
  /** The same steps in JavaScript, for the memory transport. */
  readonly twin: (call: Call, keys: readonly string[], args: readonly Argument[]) => Reply;
}
