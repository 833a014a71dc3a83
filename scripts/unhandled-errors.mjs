// @ts-check
import { writeFileSync } from "node:fs";

/**
 * A reporter of vitest for errors outside of tests: in hooks that run for several tests, and rejected promises that are not
 * handled. Vitest's JSON report lacks them. Writes them as JSON to the file that `UNHANDLED_ERRORS` names.
 */
// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default class UnhandledErrors {
  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly { stack?: string, message?: string }[]} errors
   */
  onTestRunEnd(modules, errors) {
    const file = process.env.UNHANDLED_ERRORS;
    if (file === undefined) return;
    const inHooks = modules.flatMap((module) => [...module.children.allSuites()].flatMap((suite) => suite.errors()));
    const texts = [...inHooks, ...errors].map((error) => error.stack ?? error.message ?? String(error));
    writeFileSync(file, JSON.stringify(texts));
  }
}
