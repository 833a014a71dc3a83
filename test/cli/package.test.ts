import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { run } from "../support/cli.js";
import { pack, unpack } from "../support/packed.js";
import { build, manifest, nodes, root } from "../support/project.js";

const folder = mkdtempSync(join(tmpdir(), "cli-package-"));
const programs = [...(await nodes())];

/** The files that are loaded when one is imported: by static imports, and by dynamic ones if asked for. */
function loadedBy(entry: string, { lazily }: { lazily: boolean }): { files: Set<string>; packages: Set<string> } {
  const files = new Set([entry]);
  const packages = new Set<string>();
  const pattern = lazily
    ? /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g
    : /(?:^|\n)\s*(?:import|export)\b[^"'()]*?["']([^"']+)["']/g;
  for (const file of files) {
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(pattern)) {
      if (name.startsWith(".")) files.add(join(dirname(file), name));
      else packages.add(name);
    }
  }
  return { files, packages };
}

describe("the executable", () => {
  beforeAll(build, 120_000);

  it("is no part of what an entry point of the library loads, early or late", () => {
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "string" ? [] : Object.values(target).filter((path) => path.endsWith(".js")),
    );
    expect(targets.length).toBeGreaterThan(20);
    for (const target of new Set(targets)) {
      const { files, packages } = loadedBy(join(root, target), { lazily: true });
      expect(packages, target).not.toContain("commander");
      expect(
        [...files].filter((file) => /[/\\](cli|program|exit-codes)\b/.test(file.slice(root.length))),
        target,
      ).toEqual([]);
    }
    // The same search finds it where it is.
    expect(loadedBy(join(root, "dist/cli/bin.js"), { lazily: true }).packages).toContain("commander");
  });

  it("loads neither a transport nor a command before one is asked for", () => {
    const { files, packages } = loadedBy(join(root, "dist/cli/bin.js"), { lazily: false });
    expect([...packages].filter((name) => !name.startsWith("node:"))).toContain("commander");
    expect([...packages]).not.toContain("@valkey/valkey-glide");
    expect(files.size).toBeLessThanOrEqual(6);
  });

  it("begins with a line that names Node, and may be executed", () => {
    const file = join(root, "dist/cli/bin.js");
    expect(readFileSync(file, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(statSync(file).mode & 0o111).toBe(0o111);
  });
});

describe("the packed package", () => {
  const consumer = join(folder, "consumer");

  beforeAll(async () => {
    const tarball = await pack(folder);
    // As npm and pnpm lay it out: the package in a store, where it finds its own dependencies and no other ones.
    const store = join(folder, "store", "node_modules");
    await unpack(tarball, join(store, manifest.name));
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(store, name)), { recursive: true });
      symlinkSync(join(root, "node_modules", name), join(store, name));
    }
    mkdirSync(join(consumer, "node_modules", ".bin"), { recursive: true });
    symlinkSync(join(store, manifest.name), join(consumer, "node_modules", manifest.name));
    symlinkSync(`../${manifest.name}/dist/cli/bin.js`, join(consumer, "node_modules", ".bin", manifest.name));
    writeFileSync(join(consumer, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
    writeFileSync(
      join(consumer, "cache.js"),
      `import { createCache } from "${manifest.name}"; export const cache = createCache({ location: process.env.WHERE, keyPrefix: "packed" });`,
    );
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has the executable", () => {
    expect(readdirSync(join(consumer, "node_modules", manifest.name, "dist", "cli"))).toContain("bin.js");
  });

  it("runs by npx, with the cache of a project that has the package in a strict layout", async () => {
    const env = { WHERE: inject("valkeyUrl"), npm_config_offline: "true", npm_config_update_notifier: "false" };
    const set = `import { cache } from "./cache.js"; await cache.set("a", 7); await cache.close();`;
    await run([process.execPath, "--input-type=module", "--eval", set], { folder: consumer, env });
    const end = await run(["npx", manifest.name, "get", "a", "--raw", "-c", "cache.js"], { folder: consumer, env });
    expect(end).toEqual({ code: 0, stdout: "7\n", stderr: "" });
    const deleted = await run(["npx", manifest.name, "delete", "a", "--yes", "--json", "-c", "cache.js"], {
      folder: consumer,
      env,
    });
    expect(JSON.parse(deleted.stdout)).toMatchObject({ done: { matched: 1 } });
  }, 30_000);

  it.each(programs)("runs on Node %s", async (_version, node) => {
    const file = join(consumer, "node_modules", ".bin", manifest.name);
    const env = { VALKEY_URL: inject("valkeyUrl") };
    const end = await run([node, file, "doctor", "--json"], { folder: consumer, env });
    expect(end.stderr).toBe("");
    expect(JSON.parse(end.stdout).findings.length).toBeGreaterThan(10);
  });
});
