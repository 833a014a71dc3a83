import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { run } from "../support/cli.js";
import { type DocsBlock, documented } from "../support/docs.js";
import { bin, build, root } from "../support/project.js";

const PAGE = "recipes/testing.md";

beforeAll(() => build(), 120_000);

/** Writes a block to a project that has the package, runs a test runner there, and returns its exit code and output. */
async function runner(block: DocsBlock, change: (code: string) => string, command: readonly string[]) {
  const parent = join(root, ".cache", "docs");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "testing-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "valkey-edge-cache"));
  writeFileSync(join(folder, "package.json"), '{ "name": "project", "type": "module" }');
  writeFileSync(join(folder, "cache.test.ts"), change(block.code));
  const { code, stdout, stderr } = await run(command, { folder });
  return { code, output: stdout + stderr };
}

const unchanged = (code: string) => code;
/** Moves the clock by too little, so that nothing has expired. */
const tooLittle = (code: string) => code.replace("2_000", "500");

const RUNNERS: readonly (readonly [name: string, text: string, command: readonly string[]])[] = [
  ["vitest", 'from "vitest"', [process.execPath, join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", "."]],
  ["node:test", 'from "node:test"', [join(bin, "node"), "--test", "cache.test.ts"]],
];

it.each(RUNNERS)(
  "the test for %s passes as printed, and fails when the clock is moved by less",
  async (_, text, command) => {
    const block = documented(PAGE, text);
    const passed = await runner(block, unchanged, command);
    expect(passed.code, passed.output).toBe(0);
    const failed = await runner(block, tooLittle, command);
    expect(failed.code, failed.output).toBe(1);
  },
);
