import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startProgram } from "../program.ts";
import { sendMix } from "./clients.ts";
import type { Memory } from "./memory.ts";

/** Memory of one process over many requests. */
export interface GrowthCase {
  readonly name: string;
  readonly steps: readonly ({ readonly requests: number } & Memory)[];
}

/** Measures an Express application while clients request it. */
export async function measureServer(
  { name, by }: { readonly name: string; readonly by: string },
  url: string,
  steps: readonly number[],
): Promise<GrowthCase> {
  const program = { name, file: "soak/express.ts", args: [by, url], execArgv: ["--expose-gc"] };
  const { port, end } = await startProgram(program);
  try {
    return await grow(name, steps, async (requests) => {
      await sendMix(port, requests);
      return (await (await fetch(`http://127.0.0.1:${port}/measured`)).json()) as Memory;
    });
  } finally {
    end();
  }
}

/** Measures a process that sends outgoing calls. */
export async function measureCaller(
  name: string,
  { origin, url }: { readonly origin: string; readonly url: string },
  steps: readonly number[],
): Promise<GrowthCase> {
  const program = fileURLToPath(new URL("caller.ts", import.meta.url));
  const child = fork(program, [name, url, origin], { execArgv: ["--expose-gc"] });
  try {
    return await grow(name, steps, async (requests) => {
      child.send(requests);
      return (await answer(child)) as Memory;
    });
  } finally {
    child.kill("SIGKILL");
  }
}

/** @param send sends so many requests, and measures */
async function grow(
  name: string,
  steps: readonly number[],
  send: (requests: number) => Promise<Memory>,
): Promise<GrowthCase> {
  const measured: ({ readonly requests: number } & Memory)[] = [];
  let requests = 0;
  for (const step of steps) {
    measured.push({ requests: step, ...(await send(step - requests)) });
    requests = step;
    console.log(`${name}, ${step} requests: ${JSON.stringify(measured.at(-1))}`);
  }
  return { name, steps: measured };
}

async function answer(child: ChildProcess): Promise<unknown> {
  const ended = once(child, "exit").then(() => {
    throw new Error("a process has ended; its own messages are above");
  });
  ended.catch(() => {});
  const [message] = await Promise.race([once(child, "message"), ended]);
  return message;
}
