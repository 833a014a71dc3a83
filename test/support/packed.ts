import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { manifest, output, root } from "./project.js";

export interface Consumer extends Disposable {
  readonly folder: string;
  /** Writes a file of the project and returns its path. */
  write(name: string, text: string): string;
}

/** A project in a temporary folder with the packed package, its dependencies, and `others` of this project's packages. */
export async function consumerOfPacked(...others: string[]): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), "consumer-"));
  const installed = join(folder, "node_modules", manifest.name);
  mkdirSync(installed, { recursive: true });
  await output("npm", ["pack", "--silent", "--pack-destination", folder]);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "none";
  await output("tar", ["-xzf", join(folder, tarball), "--strip-components=1", "-C", installed]);
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
