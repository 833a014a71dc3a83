import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What answers requests on a port. */
export interface HttpContender {
  readonly name: string;
  readonly port: number;
  end(): void;
}

/** A Node program in this folder that prints the port it listens on. */
export interface Program {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Options of Node itself. @default none */
  readonly execArgv?: readonly string[];
}

/** Starts a program, which runs as it would in production, and waits until it listens. */
export async function startProgram({ name, file, args, execArgv = [] }: Program): Promise<HttpContender> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const env = { ...process.env, NODE_ENV: "production" };
  const child = spawn(process.execPath, [...execArgv, path, ...args], { stdio: ["ignore", "pipe", "inherit"], env });
  const end = endWith(child);
  const ended = once(child, "exit").then(() => {
    throw new Error(`${name}: the program ${file} has ended; its own messages are above`);
  });
  ended.catch(() => {});
  const [port] = await Promise.race([once(child.stdout, "data"), ended]);
  return { name, port: Number(String(port)), end };
}

const children = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of children) child.kill();
});

/** Ends a child process with this one. @returns ends it earlier */
export function endWith(child: ChildProcess, folder?: string): () => void {
  children.add(child);
  child.once("exit", () => {
    children.delete(child);
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  return () => void child.kill();
}
