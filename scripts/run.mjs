// @ts-check
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Where the project's own tools are, its Node among them. */
export const bin = join(root, "node_modules", ".bin");

/** Two signals closer than this are one: on Ctrl-C the terminal sends one, and npm passes on another. */
const SAME_SIGNAL_MS = 500;

/** What to say and stop with, instead of a stack trace. */
export class Stop extends Error {}

/** This process was told to end while a program ran. */
export class Interrupted extends Stop {}

/**
 * Runs a program in the project's root, sharing the terminal, and waits for its end.
 * It is told once to end when this process is, and killed when this process is told again.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, stopped: boolean }>} `stopped`: this process was told to end
 */
export function run(command, args) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  // In a process group of its own, the program doesn't also get the terminal's signals.
  const child = spawn(command, args, { cwd: root, env, stdio: "inherit", detached: true });
  let toldAt = 0;
  /** @param {NodeJS.Signals} signal */
  const tell = (signal) => {
    if (toldAt === 0) child.kill(signal);
    else if (Date.now() - toldAt > SAME_SIGNAL_MS) child.kill("SIGKILL");
    toldAt ||= Date.now();
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, tell);
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Stop(`${command} can't be run: ${cause.message}`, { cause })));
    child.once("exit", (code) => {
      for (const each of signals) process.off(each, tell);
      resolve({ code: code ?? 1, stopped: toldAt > 0 });
    });
  });
}

/**
 * As `run`, for a step that has to succeed.
 * @param {string} what
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function mustRun(what, command, args) {
  const { code, stopped } = await run(command, args);
  if (stopped) throw new Interrupted(`${what} was interrupted.`);
  if (code !== 0) throw new Stop(`${what} failed (exit code ${code}): ${[command, ...args].join(" ")}`);
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
