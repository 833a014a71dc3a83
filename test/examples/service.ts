import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../support/wait.js";

/** The example as a process of its own. */
export interface Service extends AsyncDisposable {
  url: string;
  /** Everything that it has printed so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code once it has ended; the signal's name when that ended it. */
  ended: Promise<number | NodeJS.Signals>;
}

/** Starts the Node entry on a free port and waits until it listens, or ends. */
export async function startService(env: Record<string, string> = {}): Promise<Service> {
  const entry = fileURLToPath(new URL("../../examples/hono-app/node.ts", import.meta.url));
  const child = spawn(process.execPath, [entry], { env: { PATH: process.env.PATH, PORT: "0", ...env } });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const output = () => chunks.join("");
  const ended = once(child, "close").then(([code, signal]): number | NodeJS.Signals => code ?? signal);
  const findUrl = () => /http:\/\/localhost:\d+/.exec(output())?.[0];
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);
  await until(() => findUrl() ?? child.exitCode !== null, { what: "the example to listen", timeoutMs: 10_000 });
  return {
    url: findUrl() ?? "",
    output,
    kill,
    ended,
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await ended;
    },
  };
}
