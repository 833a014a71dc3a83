import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { endWith, type HttpContender } from "../http/program.ts";

/** Whose handlers an instance has. */
export interface Handlers {
  readonly name: string;
  /** As next-app/config.mjs knows them. */
  readonly by: string;
  /** @default true */
  readonly isNear?: boolean;
}

export const nextHandlers: Handlers = { name: "Next's own handlers", by: "next" };
export const mapHandlers: Handlers = {
  name: "a Map in handlers of one's own",
  by: "./bench-handlers/use-cache.mjs,./bench-handlers/incremental.mjs",
};
export const packageHandlers: readonly Handlers[] = [
  { name: "valkey-edge-cache, near cache", by: "package" },
  { name: "valkey-edge-cache", by: "package", isNear: false },
];

/** A running instance. */
export interface Instance extends HttpContender {
  readonly pid: number;
}

/** One of the applications that the tests have, built once. */
export interface Application extends Disposable {
  /** Starts an instance with a copy of the build, as on a machine of its own. */
  start(handlers: Handlers, settings: { origin: string; location: string }): Promise<Instance>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = join(root, "test", "tools");
/** In the folder of the tests' applications: Next's packages are in one above it. */
const parent = join(tools, ".apps");
const next = join(tools, "node_modules", "next", "dist", "bin", "next");
const execute = promisify(execFile);

/** Copies and builds an application of test/tools/next-app. */
export async function buildApplication(name: "components" | "incremental"): Promise<Application> {
  const sources = join(tools, "next-app");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const file of globSync("*.*", { cwd: sources })) cpSync(join(sources, file), join(folder, file));
  cpSync(join(sources, name), folder, { recursive: true });
  cpSync(join(root, "bench", "next", "handlers"), join(folder, "bench-handlers"), { recursive: true });
  copyLibrary(folder);
  await execute(process.execPath, [next, "build"], { cwd: folder, env: environment({}), maxBuffer: 16 << 20 });
  return {
    start: (chosen, settings) => start(folder, chosen, settings),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function start(
  build: string,
  { name, by, isNear = true }: Handlers,
  { origin, location }: { origin: string; location: string },
): Promise<Instance> {
  const folder = mkdtempSync(join(parent, "bench-"));
  cpSync(build, folder, { recursive: true, filter: (path) => !path.endsWith("/.next/cache") });
  const env = environment({
    HANDLERS: by,
    ORIGIN_URL: origin,
    VALKEY_URL: location,
    ...(isNear ? {} : { VALKEY_NEAR_CACHE: "0" }),
  });
  const args = [next, "start", "--port", "0", "--hostname", "127.0.0.1"];
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  const end = endWith(child, folder);
  const port = await Promise.race([
    printedPort(child.stdout),
    once(child, "exit").then(() => {
      throw new Error(`${name}: next start has ended; its own messages are above`);
    }),
  ]);
  await answers(port);
  return { name, port, end, pid: child.pid ?? 0 };
}

/** Reads on afterwards, as a full pipe would stop the program. */
function printedPort(output: Readable): Promise<number> {
  return new Promise((resolve) => {
    let text = "";
    output.on("data", (chunk: Buffer) => {
      text += chunk;
      const [, port] = /http:\/\/[^\s:]+:(\d+)/.exec(text) ?? [];
      if (port !== undefined) resolve(Number(port));
      text = text.slice(-1_000);
    });
  });
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (response?.ok) return;
    await sleep(50);
  }
  throw new Error(`next start on port ${port} does not answer`);
}

/** A copy, as Turbopack follows no link out of the folder of the packages. */
function copyLibrary(folder: string): void {
  const copy = join(folder, "node_modules", "valkey-edge-cache");
  for (const part of ["package.json", "dist"]) cpSync(join(root, part), join(copy, part), { recursive: true });
}

function environment(own: Record<string, string>): NodeJS.ProcessEnv {
  const { NODE_ENV: _, ...inherited } = process.env;
  return { ...inherited, NEXT_TELEMETRY_DISABLED: "1", ...own } as NodeJS.ProcessEnv;
}
