import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "./project.js";
import { until } from "./wait.js";

/** The built executable. */
export const CLI = join(root, "dist", "cli", "bin.js");

export interface CliOptions {
  /** Variables of the environment; nothing of this process's own but what programs need to run. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default the repository's root */
  readonly folder?: string;
  /** @default this process's Node */
  readonly node?: string;
  /** Standard input. @default empty */
  readonly input?: string;
}

export interface CliEnd {
  /** `null` when it had to be killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const LONGEST_MS = 20_000;

function environment(env: CliOptions["env"]): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, TERM: "xterm-256color", LANG: "C.UTF-8", ...env };
}

/** Runs the command line in a pipe, until it ends. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliEnd> {
  return run([options.node ?? process.execPath, CLI, ...args], options);
}

/** Runs a program in a pipe, until it ends. */
export async function run([program = "", ...args]: readonly string[], options: CliOptions = {}): Promise<CliEnd> {
  const { env, folder = root, input = "" } = options;
  const child = spawn(program, args, { cwd: folder, env: environment(env) });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  // It may end before it has read its input.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), LONGEST_MS);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, ...output };
}

export interface TerminalOptions extends CliOptions {
  /** @default 80 */
  readonly columns?: number;
  /** @default 24 */
  readonly rows?: number;
}

/** The command line in a pseudo-terminal. */
export interface Terminal extends AsyncDisposable {
  /** All that it has shown so far, with escape sequences, and with line feeds alone at the ends of lines. */
  shown(): string;
  type(text: string): void;
  /** Waits until it has shown a text. @returns all that it has shown */
  showing(text: string | RegExp): Promise<string>;
  /** Waits for its end. @returns the exit code */
  ended(): Promise<number>;
}

/** Runs the command line in a pseudo-terminal, by `script` of util-linux. */
export function terminal(args: readonly string[], options: TerminalOptions = {}): Terminal {
  const { env, folder = root, node = process.execPath, columns = 80, rows = 24 } = options;
  const line = [node, CLI, ...args].map((part) => `'${part.replaceAll("'", "'\\''")}'`).join(" ");
  const command = `stty cols ${columns} rows ${rows}; exec ${line}`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: folder,
    env: { ...environment(env), SHELL: "/bin/sh" },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  }
  child.stdin.on("error", () => {});
  let code: number | null | undefined;
  child.once("close", (status) => {
    code = status;
  });
  const shown = (): string => text.replaceAll("\r\n", "\n");
  return {
    shown,
    type: (typed) => void child.stdin.write(typed),
    async showing(wanted) {
      const has = () => (typeof wanted === "string" ? shown().includes(wanted) : wanted.test(shown()));
      await until(has, { what: `the terminal to show ${wanted}`, timeoutMs: 10_000 }).catch((error) => {
        throw new Error(`${error.message}\n${JSON.stringify(shown())}`);
      });
      return shown();
    },
    async ended() {
      await until(() => code !== undefined, { what: "the end of the command", timeoutMs: LONGEST_MS }).catch(
        (error) => {
          throw new Error(`${error.message}\n${JSON.stringify(shown())}`);
        },
      );
      return code ?? -1;
    },
    async [Symbol.asyncDispose]() {
      if (code !== undefined) return;
      child.kill("SIGTERM");
      const end = () => until(() => code !== undefined, { what: "the terminal to close", timeoutMs: 2_000 });
      await end().catch(() => child.kill("SIGKILL"));
      await end();
    },
  };
}
