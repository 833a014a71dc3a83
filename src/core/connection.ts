import type { MaybePromise } from "./async.js";
import type { ReplyError } from "./errors.js";
import type { Location } from "./location.js";
import type { ListenerAccess, NearReads } from "./near.js";

/** A command's name, then its arguments. */
export type Command = readonly [name: string, ...args: Argument[]];

/** An argument of a command: text, or bytes. */
export type Argument = string | Uint8Array;

/**
 * A reply in the same shape on every transport: integers and booleans are numbers, status replies are strings, bulk strings
 * are bytes, sets are arrays, maps are arrays of pairs, and a missing value is `null`. A failed command has a `ReplyError`
 * in its place.
 */
export type Reply = null | number | string | Uint8Array | ReplyError | Reply[];

/** One unit of work of the host: a request, a function call, or the whole process. */
export interface Invocation {
  /** What may outlive it. Nothing of a `request` may, on hosts that forbid it. Everything of the `process` may. */
  readonly scope: "process" | "request";
  /** Keeps the host running until `work` settles, if the host would stop earlier. `work` never rejects. */
  waitUntil(work: Promise<unknown>): void;
  /** Aborted when the result is no longer needed. */
  readonly signal: AbortSignal | undefined;
}

/** The whole process. It keeps running while work is in progress. */
export const PROCESS: Invocation = { scope: "process", waitUntil: () => {}, signal: undefined };

/** Runs one command inside a script. */
export type Call = (...command: Command) => Reply;

/** A script that the server runs atomically. */
export interface Script {
  /** The name in error messages. */
  readonly name: string;
  readonly lua: string;
  /** The reply when it has written nothing. Absent where it always writes, or where that does not matter. */
  readonly unchanged?: number;
  /**
   * The same steps in JavaScript, for the memory transport. That one has those of the scripts of leases, entries and locks,
   * so that programs without it don't carry them.
   */
  readonly twin?: Twin | undefined;
}

/** The steps of a script in JavaScript. */
export type Twin = (call: Call, keys: readonly string[], args: readonly Argument[]) => Reply;

export type Twins = ReadonlyMap<Script, Twin>;

/** How a batch of commands is sent, and when it may be retried. */
export interface SendOptions {
  /** Run all commands as one transaction, or none of them if one can't be queued. @default false */
  atomic?: boolean | undefined;
  /** The deadline in milliseconds from now. A longer one than `commandTimeout` has no effect. @default the factory's `commandTimeout` */
  timeoutMs?: number | undefined;
  /** Running the commands twice in a row has the same result. Then the batch is retried once if the server ended the connection. @default false */
  idempotent?: boolean | undefined;
  /** The commands only read. Then the batch is retried even if the server may still run it. Implies `idempotent`. @default false */
  readOnly?: boolean | undefined;
  /**
   * Bulk strings in the reply are probably UTF-8, and the transport may return them as strings if that is faster. Needs
   * `readOnly` or `idempotent`.
   * @default false
   */
  text?: boolean | undefined;
  /** The primary answers, even where reads go to replicas. @default false */
  primary?: boolean | undefined;
  /** @internal Only to learn whether a command is allowed: a refusal is not remembered, and changes nothing for other callers. @default false */
  probes?: boolean | undefined;
  /** The waiting caller. A script that the server has lost is not retried once this is settled. */
  waiter?: { readonly isSettled: boolean } | undefined;
}

/** Which keys a scan finds. */
export interface ScanOptions {
  /** A glob in the notation of SCAN's MATCH. */
  match: string;
  /** How many keys the server examines for each batch. */
  count: number;
  /** The caller removes what is found. @default false */
  removes?: boolean;
}

/** What a connection knows of itself and its server, as `cache.health()` reports it. */
export interface ConnectionStatus {
  /**
   * The state of the circuit breaker. `"idle"`: no connection is open, as no command was sent or the connection was lost.
   * `"closed"`: commands are sent. `"open"`: the server failed, and commands fail at once. `"half-open"`: the server
   * failed, and the next command is sent as a probe.
   */
  readonly state: "idle" | "closed" | "open" | "half-open";
  /** The last failure; `undefined` once a command was answered. */
  readonly lastError: Error | undefined;
  /** What carries the commands, such as `"valkey-glide"` or `"iovalkey"`. Absent while no connection is open. */
  readonly transport?: string;
  /** The commands that the server or its ACL refused to this user in the last five minutes. Absent when it refused none. */
  readonly unavailable?: readonly string[];
  /** The errors of those commands, but for what was refused while the connection was opened. Absent when there are none. */
  readonly refusals?: readonly (ReplyError & { readonly what: string })[];
  /** How the server was found, where it doesn't know that itself. */
  readonly topology?: "sentinel";
}

/** What happens to a connection to a server. Times are milliseconds. */
export type ConnectionEvent =
  /** One was opened, or could not be opened, after `durationMs`; or one has ended that was open so long. */
  | {
      readonly kind: "connection";
      readonly state: "opened" | "failed" | "ended";
      readonly durationMs: number;
      readonly error: unknown;
    }
  /** The circuit breaker has opened because of `error`, or closed. */
  | { readonly kind: "breaker"; readonly state: "open" | "closed"; readonly error: unknown };

/**
 * Sends commands to Valkey. The first command opens the connection.
 * @throws {ConnectionError} (every method) when the server can't be reached, or the connection was closed
 * @throws {TimeoutError} (every method) when no answer came within the deadline
 */
export interface Connection extends AsyncDisposable {
  /** Sends commands in one round trip. @returns the replies in order; a failed command has a `ReplyError` in its place */
  send(commands: readonly Command[], options?: SendOptions): Promise<Reply[]>;
  /** Runs a script on the server, by its digest if the server has it, else by its source. @throws {ReplyError} */
  script(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply>;
  /** Stored keys in batches, from every primary of a cluster. A key may occur more than once. The iteration can end early. */
  scan(options: ScanOptions): AsyncIterable<string[]>;
  /** The known status, without asking the server; `"closed"` on transports that keep no record. @throws {ConnectionError} once it was closed */
  status(): ConnectionStatus;
  /** Calls `listener`, which is held weakly, on what happens to this connection and those that it shares. @returns a function that ends this */
  watch?(listener: (event: ConnectionEvent) => void): () => void;
  /** The server may be another one by now: later commands go over a new connection, and those in progress end on the old one. */
  replace?(): void;
  /** What this process knows of entries, where the connection has a near cache, and nothing before it is still to be sent. */
  readonly near?: NearReads | undefined;
  /** Closes what this connection does not share. Idempotent. Later commands reject with a `ConnectionError`. */
  close(): Promise<void>;
}

/** A connection that keeps the order of the calls of one cache, also where a call's commands take time to prepare. */
export interface OrderedConnection extends Connection {
  /**
   * Sends commands at once, or when what they are made of is prepared: then commands of later calls are sent after them.
   * @param send makes and sends the commands, over the connection that it is given
   */
  inOrder<T, R>(prepared: MaybePromise<T>, send: (connection: Connection, prepared: T) => Promise<R>): Promise<R>;
}

/** How a factory connects, without secrets. Times are milliseconds. */
export interface ConnectionAbout {
  /** The function that made it, such as `"glideCluster"`. */
  readonly factory: string;
  readonly readFrom: string;
  readonly clientName: string | undefined;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** `Infinity` never. */
  readonly maxIdleMs: number;
}

/** Makes connections, and decides how long they live and which callers share them. */
export interface ConnectionFactory {
  /**
   * Whether one connection serves the whole process, as on hosts where sockets outlive a request. Then all invocations
   * share it, and concurrent calls for one key share one round trip. Otherwise each invocation has its own connection.
   */
  readonly shares: boolean;
  /** The URL that it connects to, for a factory that is made for one. The cache then takes no location. @default none */
  readonly location?: string | undefined;
  /** @internal How it connects. @default not known */
  readonly about?: ConnectionAbout | undefined;
  /**
   * A connection, for the whole process or for one invocation. Does no I/O.
   * @throws {ConfigurationError} when this factory doesn't support the location
   */
  connect(location: Location, invocation: Invocation): Connection;
  /** How a near cache hears of changes at this location. @returns `undefined` where it can't, or a text that says why @default it can't */
  listener?(location: Location): ListenerAccess | string | undefined;
}

/** Whether this connection, or this handle to a shared one, was closed. */
export function isClosed(connection: Connection): boolean {
  try {
    connection.status();
    return false;
  } catch {
    return true;
  }
}
