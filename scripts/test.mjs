// @ts-check
// npm test: all checks and tests, also from a fresh clone, but for two groups that have commands of their own. npm run test:ui:
// the tests in browsers and terminals, and of the programs in guides. npm run test:tools: those with bundlers and package managers, which it installs.
// Arguments are passed to vitest: parts of file paths, and options. With arguments, npm test looks among those of test:ui, too.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { build } from "./build.mjs";
import { failures } from "./failures.mjs";
import { ensureNeeds } from "./needs.mjs";
import { ensurePackages, ensureTools } from "./packages.mjs";
import { bin, Interrupted, mustRun, root, run, Stop, script } from "./run.mjs";
import { cases, summary } from "./summary.mjs";

const results = join(root, ".cache", "test-results.json");
const unhandledErrors = join(root, ".cache", "unhandled-errors.json");
const group = process.argv[2] === "--tools" ? "tools" : process.argv[2] === "--ui" ? "ui" : undefined;

await script(async () => {
  try {
    await ensurePackages();
    ensureNeeds();
    if (group === "tools") await ensureTools();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`\n${error.message}\n`);
    console.log("0 passed, 1 failed");
    return 1;
  }
  const failed = await step(() => build());
  if (group === undefined) {
    failed.push(
      ...(await step(() => mustRun("Type-checking", join(bin, "tsc"), ["-p", "tsconfig.json"]))),
      ...(await step(() => mustRun("Type-checking the page", join(bin, "tsc"), ["-p", "src/inspector/page"]))),
      ...(await step(() => mustRun("Type-checking its tests", join(bin, "tsc"), ["-p", "test/inspector/page"]))),
      ...(await step(() =>
        mustRun("Linting", join(bin, "biome"), ["check", "--error-on-warnings", "--diagnostic-level=warn"]),
      )),
    );
  }
  const { report, passed, line } = await test(failed.length);
  const list = failures({ results: report, unhandled: read(unhandledErrors), steps: failed, root });
  if (list !== "") console.log(list);
  if (group === undefined) console.log(cases(testSources(), report));
  console.log(line);
  return passed ? 0 : 1;
});

/**
 * Runs a step and returns its messages, none when it succeeds.
 * @param {() => Promise<void>} work
 */
async function step(work) {
  try {
    await work();
    return [];
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return [error instanceof Stop ? error.message : String(error)];
  }
}

/**
 * vitest's options for the tests of this run.
 * @param {boolean} isChosen whether arguments say which files
 */
function groupOptions(isChosen) {
  if (group === "tools") return ["--config", "test/tools/vitest.config.ts"];
  // Each browser keeps a processor busy.
  if (group === "ui") return ["--project", "ui", `--maxWorkers=${availableParallelism()}`];
  return isChosen ? [] : ["--project", "!ui"];
}

/** @param {number} failedSteps */
async function test(failedSteps) {
  mkdirSync(dirname(results), { recursive: true });
  for (const file of [results, unhandledErrors]) rmSync(file, { force: true });
  process.env.UNHANDLED_ERRORS = unhandledErrors;
  const own = join(root, "scripts", "unhandled-errors.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${results}`, `--reporter=${own}`];
  const given = process.argv.slice(group === undefined ? 2 : 3);
  const args = [...groupOptions(given.length > 0), ...given];
  const { code } = await run(join(bin, "vitest"), ["run", ...reporters, ...args]);
  const report = read(results);
  return { report, ...summary(report, code, failedSteps) };
}

/**
 * The text of every file under test/, as shared suites are not in files named `*.test.ts`. The tests with tools are not run
 * with the others, and have packages of their own.
 */
function testSources() {
  const tested = readdirSync(join(root, "test")).filter((name) => name !== "tools");
  return tested.flatMap((name) => {
    const path = join(root, "test", name);
    if (name.endsWith(".ts")) return [readFileSync(path, "utf8")];
    if (name.includes(".")) return [];
    const files = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
    return files.map((file) => readFileSync(join(path, file), "utf8"));
  });
}

/** @param {string} file */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // vitest ended before it wrote the file. A missing report counts as a failure.
    return undefined;
  }
}
