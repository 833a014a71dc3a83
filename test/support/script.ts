import { spawn } from "node:child_process";
import { once } from "node:events";

export interface ScriptEnd {
  /** `null` when it had to be killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Lets Node run the sources, which import each other by the names of the compiled files. */
const SOURCES = `data:text/javascript,
  import { registerHooks } from "node:module";
  const toSource = (name, parent = "") => (name[0] === "." && parent.endsWith(".ts") ? name.replace(/js$/, "ts") : name);
  registerHooks({ resolve: (name, context, next) => next(toSource(name, context.parentURL), context) });
`;
/** The process that started this one was killed. */
const ORPHAN = "setInterval(() => process.ppid === 1 && process.exit(1), 1_000).unref();";
const FLAGS = ["--experimental-transform-types", "--disable-warning=ExperimentalWarning", "--import", SOURCES];
const INDEX = JSON.stringify(new URL("../../src/index.ts", import.meta.url));

/**
 * Runs a module in a separate Node process, with the package's exports as `lib`, until it ends or the time is up.
 * @param launcher a program with arguments that runs the program given after them
 */
export async function runScript(
  source: string,
  timeoutMs = 25_000,
  launcher: readonly string[] = [],
): Promise<ScriptEnd> {
  const module = `${ORPHAN}\nconst lib = await import(${INDEX});\n${source}`;
  const [program = "", ...args] = [...launcher, process.execPath, ...FLAGS, "--input-type=module", "--eval", module];
  const child = spawn(program, args);
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, ...output };
}
