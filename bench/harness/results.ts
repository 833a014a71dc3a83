import { mkdir, readFile, writeFile } from "node:fs/promises";
import { arch, availableParallelism, platform } from "node:os";

const folder = new URL("../results/", import.meta.url);

/** What the numbers depend on. */
export interface Environment {
  readonly node: string;
  /** Absent where no server takes part. */
  readonly valkey?: string;
  readonly system: string;
  readonly cores: number;
  readonly packages: Readonly<Record<string, string>>;
}

/** @param packages those whose speed is measured; each is looked up where the bench finds it */
export async function environment(valkey: string | undefined, packages: readonly string[]): Promise<Environment> {
  const versions = await Promise.all(packages.map(async (name) => [name, await version(name)] as const));
  return {
    node: process.versions.node,
    ...(valkey === undefined ? {} : { valkey }),
    system: `${platform()} ${arch()}`,
    cores: availableParallelism(),
    packages: Object.fromEntries(versions),
  };
}

export async function writeResult(name: string, result: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
}

/** A result of an earlier run; `undefined` when there is none. */
export async function readResult(name: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(new URL(`${name}.json`, folder), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The cases of an earlier run.
 * @param part where the result has them
 * @throws where there is no such run
 */
export async function casesOf<Case>(name: string, part = "cases"): Promise<readonly Case[]> {
  const result = (await readResult(name)) as Partial<Record<string, readonly Case[]>> | undefined;
  const cases = result?.[part];
  if (!cases) throw new Error(`bench/results/${name}.json has no ${part}; run npm run bench ${name}`);
  return cases;
}

async function version(name: string): Promise<string> {
  for (const modules of ["../node_modules/", "../../node_modules/", "../../test/tools/node_modules/"]) {
    try {
      const text = await readFile(new URL(`${modules}${name}/package.json`, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  throw new Error(`${name} is not installed; run the bench through bench/run.ts, which installs it`);
}
