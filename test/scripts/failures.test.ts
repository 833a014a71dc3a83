import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { failures } from "../../scripts/failures.mjs";
import { mustRun, root } from "../../scripts/run.mjs";

const passed = { status: "passed", ancestorTitles: [], title: "adds", failureMessages: [] };
const stack = [
  "AssertionError: expected 1 to be 2 // Object.is equality",
  "    at expect (/project/node_modules/vitest/dist/index.js:3:4)",
  "    at /project/test/sums.test.ts:12:7",
  "    at /project/test/other.test.ts:1:1",
].join("\n");
const failing = {
  status: "failed",
  ancestorTitles: ["", "a sum", "of two"],
  title: "is right",
  failureMessages: [stack],
};
const file = (assertionResults: (typeof failing)[], message = "", status = "failed") => ({
  name: "/project/test/sums.test.ts",
  message,
  status,
  assertionResults,
});
const listed = (testResults: ReturnType<typeof file>[]) => failures({ results: { testResults }, root: "/project/" });

describe("the list of failures", () => {
  it("is empty where all passed", () => {
    expect(listed([file([passed], "", "passed")])).toBe("");
    expect(failures({ root: "/project/" })).toBe("");
  });

  it("names the file and the full name of a test, with its error and the place in the project", () => {
    expect(listed([file([passed, failing])])).toBe(
      [
        "Failed:",
        "  test/sums.test.ts > a sum > of two > is right",
        "    AssertionError: expected 1 to be 2 // Object.is equality",
        "    at test/sums.test.ts:12:7",
      ].join("\n"),
    );
  });

  it("names a file that could not be loaded, and one that did not end", () => {
    expect(listed([file([], "Cannot find module './sum.js'"), file([passed])])).toBe(
      [
        "Failed:",
        "  test/sums.test.ts",
        "    Cannot find module './sum.js'",
        "  test/sums.test.ts",
        "    a hook of it failed, or it did not end",
      ].join("\n"),
    );
  });

  it("has the steps before the tests and the errors outside of them", () => {
    const steps = ["Type-checking failed (exit code 1): tsc\nsrc/a.ts(1,2): error TS2322: Type"];
    expect(failures({ steps, unhandled: ["Error: late\n    at /project/src/a.ts:1:2"], root: "/project/" })).toBe(
      [
        "Failed:",
        "  a step before the tests",
        "    Type-checking failed (exit code 1): tsc",
        "    src/a.ts(1,2): error TS2322: Type",
        "  an error outside of tests",
        "    Error: late",
        "    at src/a.ts:1:2",
      ].join("\n"),
    );
  });

  it("is short: with colours removed, the first lines of long errors, and a number in place of further failures", () => {
    const long = Array.from({ length: 50 }, () => `\u001B[31m${"x".repeat(500)}\u001B[39m`).join("\n");
    const lines = listed([file(Array.from({ length: 40 }, () => ({ ...failing, failureMessages: [long] })))]).split(
      "\n",
    );
    expect(lines.length).toBeLessThan(125);
    expect(lines.every((line) => line.length <= 204 && !line.includes("\u001B"))).toBe(true);
    expect(lines.at(-1)).toBe("  and 28 more");
  });
});

it("the error of a step that failed repeats the first lines of its output", async () => {
  const program = 'for (let line = 1; line < 20; line += 1) console.log("error %d\\n", line); process.exit(3);';
  const error = await mustRun("Checking", process.execPath, ["-e", program]).catch((reason: unknown) => String(reason));
  expect(error).toMatch(/^Error: Checking failed \(exit code 3\): .*\nerror 1\nerror 2\n/);
  expect(String(error).split("\n").at(-1)).toBe("error 8");
});

describe(".ci/run ends with", () => {
  const run = async (scripts: Record<string, string>) => {
    const folder = await mkdtemp(join(tmpdir(), "ci-"));
    try {
      await cp(join(root, ".ci"), join(folder, ".ci"), { recursive: true });
      await writeFile(join(folder, "package.json"), JSON.stringify({ scripts }));
      const child = spawn(join(folder, ".ci", "run"), { stdio: ["ignore", "pipe", "ignore"] });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
      const [code]: unknown[] = await once(child, "close");
      return { code, lines: output.trimEnd().split("\n") };
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const print = (code: number, ...lines: string[]) =>
    `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}; exit ${code}`;

  it("the sum of all counts where all passed", async () => {
    const { code, lines } = await run({
      test: print(0, "a test", "7 cases written, 5 executed", "5 passed, 0 failed, 2 skipped"),
      "test:ui": print(0, "4 passed, 0 failed"),
      "test:tools": print(0, "3 passed, 0 failed"),
    });
    expect(code).toBe(0);
    expect(lines.slice(-2)).toEqual(["3 passed, 0 failed", "12 passed, 0 failed, 2 skipped"]);
  });

  it("the failures of all scripts, and the sum of their counts", async () => {
    const many = Array.from({ length: 200 }, (_, line) => `line ${line}`);
    const { code, lines } = await run({
      test: print(
        1,
        "Failed:",
        "  test/a.test.ts > adds",
        "    Error: 3",
        "7 cases written, 5 executed",
        "5 passed, 1 failed",
      ),
      "test:ui": print(0, "4 passed, 0 failed"),
      "test:tools": print(1, ...many, "Failed:", "  test/tools/b.test.ts > builds", "3 passed, 1 failed"),
    });
    expect(code).toBe(1);
    expect(lines.slice(-8)).toEqual([
      "test:",
      "Failed:",
      "  test/a.test.ts > adds",
      "    Error: 3",
      "test:tools:",
      "Failed:",
      "  test/tools/b.test.ts > builds",
      "12 passed, 2 failed",
    ]);
  });

  it("the last lines of a script that ended without a count, which has failed", async () => {
    const { code, lines } = await run({
      test: print(1, "out of memory"),
      "test:ui": print(0, "4 passed, 0 failed"),
      "test:tools": print(0, "3 passed, 0 failed"),
    });
    expect(code).toBe(1);
    expect(lines.slice(-3)).toEqual(["test ended without a count:", "out of memory", "7 passed, 1 failed"]);
  });
});
