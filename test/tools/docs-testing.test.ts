import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { type DocsBlock, documented } from "../support/docs.js";
import { nodes } from "../support/project.js";
import { createApp, tools } from "./app.js";

const PAGE = "recipes/testing.md";
const FLAG = "--experimental-vm-modules";
const jest = join(tools, "node_modules", "jest", "bin", "jest.js");

/** The Node programs of this machine that the package supports, by version. */
let programs: Map<string, string>;
beforeAll(async () => {
  programs = await nodes();
});

/** What Jest says of the file that a block is, under each version of Node. */
async function runJest({ code }: DocsBlock, flags: readonly string[], change = (text: string) => text) {
  const name = /^\/\/ (\S+)/.exec(code)?.[1] ?? "";
  const ends = new Map<string, { code: number; output: string }>();
  for (const [version, program] of programs) {
    using app = createApp({ [name]: change(code) });
    const args = [...flags, jest, "--rootDir", app.folder, "--no-cache", "--ci"];
    const { stderr, failed } = await promisify(execFile)(program, args, { cwd: app.folder }).then(
      (end) => ({ ...end, failed: 0 }),
      (error: { stderr: string; code: number }) => ({ ...error, failed: error.code }),
    );
    ends.set(version, { code: failed, output: stderr });
  }
  return ends;
}

/** Whether Jest loads ES modules by `require`. */
function requiresModules(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 9);
}

/** The CommonJS test, with `require` in the place of `import()`. */
const byRequire = (code: string) => code.replace('await import("valkey-edge-cache")', 'require("valkey-edge-cache")');

describe("Jest", () => {
  it.each(["theme.test.mjs", "theme.test.cjs"])("passes %s as printed, with the flag, on each Node", async (name) => {
    for (const [version, { code, output }] of await runJest(documented(PAGE, name), [FLAG])) {
      expect(code, `${version}: ${output}`).toBe(0);
      expect(output).toContain("1 passed");
    }
  });

  it.each(["theme.test.mjs", "theme.test.cjs"])("fails in %s when the clock is moved by less", async (name) => {
    const less = (code: string) => code.replace(/2_000|301_000/, "500");
    for (const { code, output } of (await runJest(documented(PAGE, name), [FLAG], less)).values()) {
      expect(code, output).toBe(1);
      expect(output).toContain("toBeUndefined");
    }
  });

  it("requires the package with the flag on Node 24.9 and later", async () => {
    for (const [version, { code, output }] of await runJest(documented(PAGE, "theme.test.cjs"), [FLAG], byRequire)) {
      expect(code, `${version}: ${output}`).toBe(requiresModules(version) ? 0 : 1);
    }
  });

  it("has the messages of the page without the flag", async () => {
    const block = documented(PAGE, "theme.test.cjs");
    for (const { output } of (await runJest(block, [])).values()) {
      expect(output).toContain("A dynamic import callback was invoked without --experimental-vm-modules");
    }
    for (const { output } of (await runJest(block, [], byRequire)).values()) {
      expect(output).toContain("Must use import to load ES Module");
    }
  });
});
