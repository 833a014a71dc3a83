import type { ReadStream } from "node:tty";
import type { Cache } from "../cache/cache.js";
import type { Options } from "./options.js";
import type { Secrets } from "./secrets.js";
import type { Output, TextStream } from "./terminal/output.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a run of the command line has of its process. */
export interface Io {
  readonly stdin: NodeJS.ReadStream | ReadStream;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: Environment;
  /** Aborted with an `Interrupted` when the process is asked to end. */
  readonly signal: AbortSignal;
}

/** What a command works with. */
export interface Context {
  readonly cache: Cache;
  /** The arguments, without options. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly io: Io;
  /** Results. */
  readonly out: Output;
  /** Progress, questions and warnings. */
  readonly err: Output;
  /** Results are JSON. */
  readonly json: boolean;
  /** Fires when the process is asked to end, or when the reader of the results has left. */
  readonly signal: AbortSignal;
  readonly secrets: Secrets;
  /** What the server's clock is ahead of this process's, in milliseconds. */
  readonly clockOffsetMs: number;
  /** How to name this invocation in a message, such as `valkey-edge-cache purge --tag a`. */
  readonly commandLine: string;
}

/** Runs a command. @returns the exit code */
export type Run = (context: Context) => Promise<number>;
