// @ts-check
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The folder of the project's own tools, Node included. */
export const bin = join(root, "node_modules", ".bin");

/** Signals within this time count as one: on Ctrl-C the terminal sends one and npm forwards another. */
const SAME_SIGNAL_MS = 500;

/** How much output of a failed program its error repeats, in lines, as the program may have printed it long before. */
const REPEATED_LINES = 8;

/** An error whose message ends the script without a stack trace. */
export class Stop extends Error {}

/** This process received a signal to end while a program ran. */
export class Interrupted extends Stop {}

/**
 * Runs a program in the project's root with this terminal, and waits for its end.
 * It gets the first signal that this process receives, and SIGKILL at the second.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ keep?: boolean }} [options] `keep`: returns its output, too, unless a terminal shows it
 * @returns {Promise<{ code: number, stopped: boolean, output: string }>} `stopped`: this process received a signal to end
 */
export function run(command, args, { keep = false } = {}) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const io = keep && !process.stdout.isTTY ? "pipe" : "inherit";
  // A process group of its own keeps the terminal's signals away from the program.
  const child = spawn(command, args, { cwd: root, env, stdio: ["inherit", io, io], detached: true });
  let output = "";
  child.stdout?.on("data", (bytes) => {
    process.stdout.write(bytes);
    output += bytes;
  });
  child.stderr?.on("data", (bytes) => {
    process.stderr.write(bytes);
    output += bytes;
  });
  let signalledAt = 0;
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    if (signalledAt === 0) child.kill(signal);
    else if (Date.now() - signalledAt > SAME_SIGNAL_MS) child.kill("SIGKILL");
    signalledAt ||= Date.now();
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Stop(`${command} can't be run: ${cause.message}`, { cause })));
    child.once("close", (code) => {
      for (const each of signals) process.off(each, forward);
      resolve({ code: code ?? 1, stopped: signalledAt > 0, output });
    });
  });
}

/**
 * Like `run`, but throws when the program fails.
 * @param {string} what
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function mustRun(what, command, args) {
  const { code, stopped, output } = await run(command, args, { keep: true });
  if (stopped) throw new Interrupted(`${what} was interrupted.`);
  if (code === 0) return;
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const message = `${what} failed (exit code ${code}): ${[command, ...args].join(" ")}`;
  throw new Stop([message, ...lines.slice(0, REPEATED_LINES)].join("\n"));
}

/**
 * Runs a script's main function; its result is the exit code.
 * @param {() => Promise<number>} main
 */
export async function script(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`\n${error.message}`);
    process.exitCode = 1;
  }
}
