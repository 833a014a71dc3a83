import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, inject } from "vitest";
import { command } from "../support/command.js";
import { bin, root } from "../support/project.js";

export const tools = join(root, "test", "tools");
/** Applications are built in the project, as the tools look for packages in the folders above. */
export const apps = join(tools, ".apps");

/** Loads a value once, says how often its loader ran and what carried the commands, and ends. */
export const PROGRAM = `
  import { createCache, herd } from "valkey-edge-cache";

  async function main() {
    const { VALKEY_URL: location, KEY_PREFIX: keyPrefix } = process.env;
    const cache = createCache({ location, keyPrefix, client: herd(), ttl: "1m" });
    let loads = 0;
    const value = await cache.getOrSet("city", () => {
      loads++;
      return { name: "Bern" };
    });
    const { transport } = await cache.health();
    await cache.close();
    console.log(JSON.stringify({ value, loads, transport }));
  }

  main();
`;

export interface App extends Disposable {
  readonly folder: string;
  /** Runs a tool in the application's folder, and returns its output. */
  run(program: string, ...args: string[]): Promise<string>;
}

/** An application in a folder of its own. Its packages are those of the tools, and the packed package. */
export function createApp(files: Readonly<Record<string, string>>, parent = apps): App {
  const folder = mkdtempSync(join(parent, "app-"));
  for (const [name, text] of Object.entries({ "package.json": '{ "private": true }', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return openApp(folder);
}

/** The application in a folder, which is removed with it. */
export function openApp(folder: string): App {
  return {
    folder,
    run: (program, ...args) => run(folder, program, args),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The application as on another machine: in a folder without packages, and without the paths of this project. */
export function moved({ folder }: App): App {
  const copy = createApp({}, tmpdir());
  cpSync(folder, copy.folder, { recursive: true });
  for (const file of globSync("**/*.{js,cjs,mjs}", { cwd: copy.folder })) {
    const path = join(copy.folder, file);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(root, "/elsewhere/"));
  }
  return copy;
}

interface Printed {
  value: unknown;
  loads: number;
  transport: string;
}

/** Runs a program in two processes: the first one stores a value, the second one finds it. */
export async function expectHit(app: App, transport: string, program: string, ...args: string[]): Promise<void> {
  const answers: Printed[] = [];
  for (let i = 0; i < 2; i++) answers.push(JSON.parse(await app.run(program, ...args)));
  const value = { name: "Bern" };
  expect(answers).toEqual([
    { value, loads: 1, transport },
    { value, loads: 0, transport },
  ]);
  expect(await storedKeys(app)).toHaveLength(1);
}

/** The keys that an application has stored. */
export async function storedKeys({ folder }: Pick<App, "folder">): Promise<unknown> {
  const { port } = new URL(inject("valkeyUrl"));
  return command(Number(port), ["KEYS", `${basename(folder)}:*`]);
}

const execute = promisify(execFile);

/** The environment of an application and its tools, without what vitest has set. */
export function environment(folder: string): Record<string, string | undefined> {
  const { NODE_ENV: _, VITEST: _1, ...inherited } = process.env;
  return {
    ...inherited,
    PATH: [join(tools, "node_modules", ".bin"), bin, process.env.PATH].join(delimiter),
    VALKEY_URL: inject("valkeyUrl"),
    KEY_PREFIX: basename(folder),
  };
}

async function run(folder: string, program: string, args: readonly string[]): Promise<string> {
  const options = { cwd: folder, env: environment(folder), timeout: 150_000, maxBuffer: 64 << 20 };
  try {
    return (await execute(program, [...args], options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[program, ...args].join(" ")} failed\n${stdout ?? ""}${stderr ?? ""}`);
  }
}
