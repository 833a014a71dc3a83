import type { ReplyError } from "./errors.js";
import type { Location } from "./location.js";

/** A command's name, then its arguments. */
export type Command = readonly [name: string, ...args: Argument[]];

export type Argument = string | Uint8Array;

/**
 * One shape on every transport: integers and booleans are numbers, status replies are strings, bulk strings are bytes,
 * sets are arrays, maps are arrays of pairs, absence is `null`. A command that failed has a `ReplyError` in its place.
 */
export type Reply = null | number | string | Uint8Array | ReplyError | Reply[];

/** One unit of work of the host: a request, a function call, or the whole process. */
export interface Invocation {
  /** What may outlive it: nothing of a `request`'s, where the host forbids that; all of the `process`'s. */
  readonly scope: "process" | "request";
  /** Keeps the host running until `work` settles, where the host would stop earlier. `work` never rejects. */
  waitUntil(work: Promise<unknown>): void;
  /** Fires when nobody wants the answer any more. */
  readonly signal: AbortSignal | undefined;
}

/** The whole process: it stays while anything runs in it. */
export const PROCESS: Invocation = { scope: "process", waitUntil: () => {}, signal: undefined };

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

export interface SendOptions {
  /** Run all commands or, when one of them can't be queued, none, with nobody's commands in between. @default false */
  atomic?: boolean;
  /** When to give up, in milliseconds from now. @default the factory's `commandTimeout` */
  timeoutMs?: number;
  /** Running the commands twice in a row does no harm, so a flight whose connection the server ended may be repeated once. @default false */
  idempotent?: boolean;
  /** The commands change nothing, so a flight may be repeated even while the server may still carry it out. Implies `idempotent`. @default false */
  readOnly?: boolean;
  /**
   * Bulk strings in the reply are likely UTF-8 and wanted as text: they may come as strings. The reply is the same
   * without the option, only slower where a transport makes text faster than bytes. Needs `readOnly` or `idempotent`. @default false
   */
  text?: boolean;
  /** Who waits for the reply. A script that the server has lost is not sent again once nobody does. */
  waiter?: { readonly isSettled: boolean };
}

export interface ScanOptions {
  /** A glob, as SCAN's MATCH takes it. */
  match: string;
  /** How many keys the server looks at for each batch. */
  count: number;
}

export interface ConnectionStatus {
  /**
   * `"idle"`: nothing is open, as nothing was sent yet, or what was open is lost. `"closed"`: as an electric circuit is,
   * so commands go through. `"open"`: the server failed, and commands fail at once. `"half-open"`: it failed, and the next
   * command is let through to see.
   */
  readonly state: "idle" | "closed" | "open" | "half-open";
  /** What failed last; `undefined` once a command was answered. */
  readonly lastError: Error | undefined;
}

/**
 * Sends commands to Valkey. It dials with the first command, not before.
 * @throws {ConnectionError} (every method) when the server can't be reached, or the connection was closed
 * @throws {TimeoutError} (every method) when no answer came within the deadline
 */
export interface Connection extends AsyncDisposable {
  /** One flight. Replies in order; a command that failed has a `ReplyError` in its place. */
  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]>;
  /** Runs a script on the server, by digest where the server has it, else by source. @throws {ReplyError} */
  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply>;
  /** Made keys in batches, from every primary of a cluster; a key may come more than once. Can be left early. */
  scan(options: ScanOptions): AsyncIterable<string[]>;
  /** How it is, as far as it knows without asking: `"closed"` where no record is kept. @throws {ConnectionError} once it was closed */
  status(): ConnectionStatus;
  /** Ends what this connection holds alone. Idempotent; a command after it is a `ConnectionError`. */
  close(): Promise<void>;
}

/** Gives connections, and decides how long each lives and who shares it. */
export interface ConnectionFactory {
  /**
   * Whether one connection may serve the whole process, as where sockets outlive a request: then all invocations share
   * it, and callers of one key share what is in flight. Else each invocation has its own.
   */
  readonly shares: boolean;
  /**
   * A connection, for the whole process or for one invocation. Does no I/O.
   * @throws {ConfigurationError} when this factory can't serve the location
   */
  connect(location: Location, invocation: Invocation): Connection;
}
