import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../support/wait.js";
/** Starts the Node entry on a free port and waits until it listens, or ends. */
export async function startService(env = {}) {
  const entry = fileURLToPath(new URL("../../examples/hono-app/node.ts", import.meta.url));
  const child = spawn(process.execPath, [entry], { env: { PATH: process.env.PATH, PORT: "0", ...env } });
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => chunks.push(String(chunk)));
  const output = () => chunks.join("");
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  const findUrl = () => /http:\/\/localhost:\d+/.exec(output())?.[0];
  const kill = (signal) => void child.kill(signal);
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
