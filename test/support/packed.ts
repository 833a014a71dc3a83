import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { manifest, output, root } from "./project.js";

export interface Consumer extends Disposable {
  readonly folder: string;
  /** Writes a file of the project and returns its path. */
  write(name: string, text: string): string;
}

/** Packs the package into a folder, and returns the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  await output("npm", ["pack", "--silent", "--pack-destination", folder]);
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "none");
}

/** Installs the packed package in a folder, without its dependencies. */
export async function unpack(tarball: string, folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await output("tar", ["-xzf", tarball, "--strip-components=1", "-C", folder]);
}

/** A project in a temporary folder with the packed package, its dependencies, and `others` of this project's packages. */
export async function consumerOfPacked(...others: string[]): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), "consumer-"));
  const installed = join(folder, "node_modules", manifest.name);
  await unpack(await pack(folder), installed);
  for (const name of [...Object.keys(manifest.dependencies), ...others]) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  write("package.json", '{ "name": "consumer", "private": true, "type": "module" }');
  return { folder, write, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
