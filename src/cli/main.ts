import type { Cache } from "../cache/cache.js";
import type { Reply } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import { toText } from "../core/text.js";
import { EXIT, Exit, Interrupted, ReaderGone } from "./exit-codes.js";
import type { Context, Environment, Io } from "./io.js";
import { type Parsed, parse } from "./program.js";
import { Secrets } from "./secrets.js";
import { Output } from "./terminal/output.js";
import { printableLines, safeJson } from "./terminal/printable.js";
import { wrap } from "./terminal/width.js";

/** How long a cache may take to close, as a module's own may have work that never ends. */
const CLOSE_MS = 2_000;

/**
 * Runs a command line.
 * @param argv the arguments, without the program
 * @returns the exit code
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const out = new Output(io.stdout, io.env);
  const err = new Output(io.stderr, io.env);
  const secrets = secretsOf(argv, io.env);
  const json = argv.includes("--json");
  try {
    const parsed = parse(argv, out);
    if ("text" in parsed) {
      await out.text(parsed.text);
      return EXIT.ok;
    }
    return await runCommand(parsed, { argv, io, out, err, secrets });
  } catch (error) {
    return await report(error, { out, err, secrets, json }).catch(() => EXIT.failed);
  }
}

interface Setting {
  readonly argv: readonly string[];
  readonly io: Io;
  readonly out: Output;
  readonly err: Output;
  readonly secrets: Secrets;
}

async function runCommand({ command, args, options }: Parsed, setting: Setting): Promise<number> {
  const { argv, io, out, err, secrets } = setting;
  const run = await command.load();
  const { openCache } = await import("./cache-source.js");
  const warn = (message: string): void =>
    void err.text(`${safeLines(secrets.hide(message)).join("\n")}\n`).catch(() => {});
  const cache = await openCache(options, io.env, { warn });
  const interrupted = rejected(io.signal);
  try {
    const work = async (): Promise<number> => {
      // Doctor says why there is no connection; all others have nothing to say without one.
      const clockOffsetMs = command.name === "doctor" ? 0 : await reach(cache);
      const commandLine = `valkey-edge-cache ${argv.map(quoted).join(" ")}`;
      const json = options.flag("json");
      const context: Context = {
        ...{ cache, args, options, io, out, err, json, signal: io.signal, secrets, clockOffsetMs },
        commandLine: secrets.hide(commandLine),
      };
      return run(context);
    };
    return await (command.stopsItself ? work() : Promise.race([work(), interrupted.promise]));
  } finally {
    interrupted.forget();
    await closed(cache);
  }
}

/** Opens the connection. @returns how far the server's clock is ahead, in milliseconds @throws {ConnectionError} */
async function reach(cache: Cache): Promise<number> {
  const startMs = Date.now();
  const [time] = await cache.connection.send([["TIME"]], { readOnly: true });
  const middleMs = (startMs + Date.now()) / 2;
  const serverMs = timeOf(time);
  // Within the duration of the round trip, the difference says nothing.
  if (serverMs === undefined || Math.abs(serverMs - middleMs) <= (Date.now() - startMs) / 2) return 0;
  return serverMs - middleMs;
}

/** `undefined` where an ACL refuses TIME. */
function timeOf(reply: Reply | undefined): number | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [seconds, micros] = reply.map((part) => Number(part instanceof Uint8Array ? toText(part) : part));
  const ms = (seconds ?? Number.NaN) * 1_000 + (micros ?? 0) / 1_000;
  return Number.isFinite(ms) ? ms : undefined;
}

/** A promise that rejects when the process is asked to end. */
function rejected(signal: AbortSignal): { readonly promise: Promise<never>; forget(): void } {
  let forget = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    forget = () => signal.removeEventListener("abort", stop);
  });
  // It is raced, or not waited for at all.
  promise.catch(() => {});
  return { promise, forget };
}

async function closed(cache: Cache): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  // What the command has found or done stays true, whatever becomes of the connection.
  await Promise.race([cache.close().catch(() => {}), late]);
  clearTimeout(timer);
}

type Streams = Pick<Setting, "out" | "err" | "secrets"> & { readonly json: boolean };

/** Writes an error as a message, and with `--json` as a document, too. @returns the exit code */
async function report(error: unknown, { out, err, secrets, json }: Streams): Promise<number> {
  if (error instanceof ReaderGone) return EXIT.ok;
  const code = codeOf(error);
  const message = secrets.hide(messageOf(error));
  const lines = safeLines(message);
  const text = error instanceof Interrupted ? lines : [`${err.style.red("error:")} ${lines[0]}`, ...lines.slice(1)];
  await err.lines(...text.flatMap((line) => wrap(line, err.columns)));
  if (json) await out.lines(safeJson({ error: { message, exitCode: code } }));
  return code;
}

function codeOf(error: unknown): number {
  if (error instanceof Exit || error instanceof Interrupted) return error.code;
  // Wrong keys and names are a TypeError, whose message names the argument.
  const isWrongArgument = error instanceof TypeError && /^[a-z]\w*: /.test(error.message);
  return error instanceof ConfigurationError || isWrongArgument ? EXIT.usage : EXIT.failed;
}

function messageOf(error: unknown): string {
  if (error instanceof Interrupted) return "Interrupted.";
  return error instanceof Error ? error.message : String(error);
}

function safeLines(text: string): string[] {
  return printableLines(text);
}

/** What must not be in any message. */
function secretsOf(argv: readonly string[], env: Environment): Secrets {
  const { VALKEY_PASSWORD, VALKEY_SENTINEL_PASSWORD, VALKEY_TOKEN, VALKEY_URL } = env;
  const secrets = new Secrets([VALKEY_PASSWORD, VALKEY_SENTINEL_PASSWORD, VALKEY_TOKEN]);
  for (const text of [...argv, VALKEY_URL]) secrets.addUrls(text);
  return secrets;
}

/** An argument as a shell reads it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
