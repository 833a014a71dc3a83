import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly homepage: string;
  readonly repository: { readonly url: string };
  readonly publishConfig: Readonly<Record<string, unknown>>;
  readonly engines: { readonly node: string };
  readonly scripts: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

/** The folder of the project's own tools. */
export const bin = join(root, "node_modules", ".bin");

const runFile = promisify(execFile);

/** Runs a program and returns its output. @throws with the whole output when it fails */
export async function output(program: string, args: readonly string[], folder = root): Promise<string> {
  try {
    const { stdout } = await runFile(program, args, { cwd: folder, timeout: 120_000, maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    // No cause, as its message would repeat the output.
    throw new Error(`${[program, ...args].join(" ")} failed\n${stdout ?? ""}${stderr ?? ""}`);
  }
}

/** Builds dist/ when its sources have changed. */
export async function build(): Promise<void> {
  await output(join(bin, "node"), ["scripts/build.mjs"]);
}

/** The Node programs to test the package on, by version: the pinned one, and the machine's own if it differs and is supported. */
export async function nodes(): Promise<Map<string, string>> {
  const own = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  const found = new Map<string, string>();
  for (const program of [join(bin, "node"), ...own.map((folder) => join(folder, "node"))]) {
    // Most folders of the PATH have no Node.
    const version = await output(program, ["-p", "process.versions.node"]).catch(() => "");
    const [major = 0, minor = 0] = version.split(".").map(Number);
    const isSupported = major > 20 || (major === 20 && minor >= 19);
    if (isSupported && !found.has(version.trim())) found.set(version.trim(), program);
  }
  return found;
}

/**
 * Where a runtime is; `undefined` where its package has none for this platform. The programs themselves come first: the
 * command `bun` only works after a script of its package has run, which an installation may not allow, and the command
 * `deno` starts another process, which doesn't end with it.
 */
export async function runtime(program: string): Promise<string | undefined> {
  const own = globSync([`@oven/*/bin/${program}`, `@deno/*/${program}`], { cwd: join(root, "node_modules") });
  const paths = [...own.map((path) => join(root, "node_modules", path)), join(bin, program)];
  for (const path of paths) {
    const runs = await output(path, ["--version"]).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}
