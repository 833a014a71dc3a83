// @ts-check
import { writeFileSync } from "node:fs";

/**
 * A reporter of vitest for errors outside of tests, such as rejected promises that are not handled: its JSON report lacks
 * them. Writes them as JSON to the file that `UNHANDLED_ERRORS` names.
 */
// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default class UnhandledErrors {
  /**
   * @param {readonly unknown[]} _modules
   * @param {readonly { stack?: string, message?: string }[]} errors
   */
  onTestRunEnd(_modules, errors) {
    const file = process.env.UNHANDLED_ERRORS;
    if (file === undefined) return;
    writeFileSync(file, JSON.stringify(errors.map((error) => error.stack ?? error.message ?? String(error))));
  }
}
