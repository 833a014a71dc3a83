// @ts-check

/**
 * The closing line of a test run. Files that fail without a failing test, failed steps, and a run without any test
 * count as failures.
 * @param {{ numPassedTests: number, numPendingTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] } | undefined} results
 *   vitest's JSON report
 * @param {number} code vitest's exit code
 * @param {number} failedSteps
 */
export function summary(results, code, failedSteps) {
  const count = results?.numPassedTests ?? 0;
  const skipped = results?.numPendingTests ?? 0;
  const inTests = (results?.testResults ?? []).map(({ status, assertionResults }) => {
    const failing = assertionResults.filter((test) => test.status === "failed").length;
    return status === "failed" ? Math.max(failing, 1) : failing;
  });
  const known = inTests.reduce((sum, each) => sum + each, failedSteps);
  const failed = known === 0 && (code !== 0 || count === 0) ? 1 : known;
  return {
    passed: failed === 0,
    line: `${count} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  };
}

const WRITTEN_CASE = /(?<![.\w$"'`])it(?:\.(?:each|for|skip|skipIf|runIf|fails|concurrent|sequential)\b)*[(`]/g;

/**
 * The number of test cases in the sources and of those executed. A shared suite or a table of inputs is written once and
 * executed many times.
 * @param {readonly string[]} texts of the files that tests are written in
 * @param {{ numPassedTests: number, numFailedTests: number } | undefined} results vitest's JSON report
 */
export function cases(texts, results) {
  const written = texts.reduce((sum, text) => sum + (text.match(WRITTEN_CASE)?.length ?? 0), 0);
  const executed = (results?.numPassedTests ?? 0) + (results?.numFailedTests ?? 0);
  return `${written} cases written, ${executed} executed`;
}
