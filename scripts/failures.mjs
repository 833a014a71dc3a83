// @ts-check
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

/** How much of the list is printed: logs of CI often keep only their last lines. */
const MAX_FAILURES = 12;
const MAX_LINES = 9;
const MAX_COLUMNS = 200;

/** The line above the list, which `.ci/run` looks for. */
export const FAILURES = "Failed:";

/**
 * What failed in a test run: for each failure its place, its full name and the first lines of its error. Empty if nothing
 * failed.
 * @param {{
 *   results?: { testResults: { name: string, message: string, status: string, assertionResults: Test[] }[] },
 *   unhandled?: readonly string[], steps?: readonly string[], root: string,
 * }} run vitest's JSON report, errors outside of tests, messages of steps that failed, and the folder of the project
 * @typedef {{ status: string, title: string, ancestorTitles: string[], failureMessages: string[] }} Test
 */
export function failures({ results, unhandled = [], steps = [], root }) {
  const found = [
    ...steps.map((message) => entry("a step before the tests", message, root)),
    ...(results?.testResults ?? []).flatMap((file) => ofFile(file, root)),
    ...unhandled.map((error) => entry("an error outside of tests", error, root)),
  ];
  if (found.length === 0) return "";
  const more = found.length - MAX_FAILURES;
  const rest = more > 0 ? [`  and ${more} more`] : [];
  return [FAILURES, ...found.slice(0, MAX_FAILURES), ...rest].join("\n");
}

/**
 * @param {{ name: string, message: string, status: string, assertionResults: Test[] }} file
 * @param {string} root
 */
function ofFile({ name, message, status, assertionResults }, root) {
  const file = relative(root, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0 && status === "failed")
    return [entry(file, message || "a hook of it failed, or it did not end", root)];
  return failed.map(({ ancestorTitles, title, failureMessages }) => {
    // The first ancestor is the file, which has no name.
    const names = [...ancestorTitles.filter((each) => each !== ""), title];
    return entry([file, ...names].join(" > "), failureMessages[0] ?? "", root);
  });
}

/**
 * The message, and the first place in the stack that is not in a package.
 * @param {string} heading
 * @param {string} error
 * @param {string} root
 */
function entry(heading, error, root) {
  const lines = stripVTControlCharacters(error)
    .split("\n")
    .filter((line) => line.trim() !== "");
  const isPlace = (/** @type {string} */ line) => /^\s*at /.test(line);
  const text = lines.filter((line) => !isPlace(line)).slice(0, MAX_LINES);
  const place = lines.find((line) => isPlace(line) && line.includes(root) && !line.includes("node_modules"));
  const shown = place === undefined ? text : [...text, `at ${place.replaceAll("file://", "").split(root)[1]}`];
  return [`  ${heading}`, ...shown.map((line) => `    ${line.slice(0, MAX_COLUMNS)}`)].join("\n");
}
