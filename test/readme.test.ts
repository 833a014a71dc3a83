import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { unknownCommand } from "./support/commands.js";
import { type Block, blocksOf } from "./support/markdown.js";
import { freePort } from "./support/ports.js";
import { bin, build, manifest, nodes, output, root } from "./support/project.js";

const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));
const inLanguage = (language: string) => blocks.filter((block) => block.language === language);

/** Inside the repository, so that imports find the package by its own name, and its peers. */
const folder = join(root, ".cache", "readme");

const KNOWN_LANGUAGES = ["ts", "sh", "json", "text"];

/** Ends after the block has run, even with open handles. An unhandled rejection fails it. */
const RUNNER = "await import(process.argv[1]); setImmediate(() => process.exit(0));";

it("README.md has code blocks only in languages that are checked", () => {
  const unknown = blocks.filter(({ language }) => !KNOWN_LANGUAGES.includes(language));
  expect(unknown.map(({ language, line }) => `line ${line}: ${language}`)).toEqual([]);
});

it("README.md names the commands npm start and npm test", () => {
  const lines = inLanguage("sh").flatMap(({ code }) => code.split("\n"));
  expect(lines).toContain("npm start");
  expect(lines).toContain("npm test");
});

it("README.md has only commands that exist", () => {
  const packages = ["hono", ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })];
  const lines = inLanguage("sh").flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"));
  expect(lines.flatMap((line) => unknownCommand(line, { ...manifest, packages }) ?? [])).toEqual([]);
});

it.each(inLanguage("json"))("README.md has valid JSON in line $line", ({ code }) => {
  expect(() => JSON.parse(code)).not.toThrow();
});

describe("the TypeScript of README.md", () => {
  beforeAll(async () => {
    await build();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const block of inLanguage("ts")) writeFileSync(fileOf(block), sourceOf(block));
    // Types come from dist/, as for users, not from the sources.
    const compilerOptions = { rootDir: "../..", paths: {} };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] }),
    );
  }, 120_000);

  it("type-checks", async () => {
    await expect(output(join(bin, "tsc"), ["-p", folder])).resolves.toBe("");
  }, 60_000);

  it.each(inLanguage("ts"))("runs without an error: the block in line $line", async (block) => {
    const args = ["--input-type=module", "--eval", RUNNER, pathToFileURL(fileOf(block)).href];
    await expect(output(join(bin, "node"), args)).resolves.toBeTypeOf("string");
  });
});

describe("the first example of README.md, without a server", async () => {
  it.each([...(await nodes())])(
    "answers, and prints one warning that names the remedy: on Node %s",
    async (version, node) => {
      await build();
      mkdirSync(folder, { recursive: true });
      const url = `valkey://127.0.0.1:${await freePort()}`;
      const code = inLanguage("ts")[0]?.code.replace("valkey://localhost:6379", url);
      const file = join(folder, `node-${version}.mjs`);
      writeFileSync(file, `${code}\nconsole.log(JSON.stringify(city));\n`);
      const { stdout, stderr } = await promisify(execFile)(node, [file], { timeout: 25_000 });
      expect(stdout).toBe('{"name":"Bern"}\n');
      const warnings = stderr.trim().split("\n");
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(`${url} could not be reached`);
      expect(warnings[0]).toMatch(/check that it is running/);
    },
  );
});

function fileOf({ line }: Block): string {
  return join(folder, `line-${line}.ts`);
}

/** Replaces the usual address of a server with that of the shared one. */
function sourceOf({ before, code }: Block): string {
  const source = `${before}\n${code}\nexport {};\n`;
  return source.replaceAll("valkey://localhost:6379", inject("valkeyUrl"));
}
