import { expect, it } from "vitest";
import { cases, summary } from "../../scripts/summary.mjs";

const report = (files: { status: string; tests: string[] }[], skipped = 0) => {
  const testResults = files.map(({ status, tests }) => ({
    status,
    assertionResults: tests.map((each) => ({ status: each })),
  }));
  const passed = files.flatMap(({ tests }) => tests).filter((status) => status === "passed").length;
  return { numPassedTests: passed, numPendingTests: skipped, testResults };
};
const good = { status: "passed", tests: ["passed", "passed"] };

it("the summary counts the tests that passed", () => {
  expect(summary(report([good, good]), 0, 0)).toEqual({ passed: true, line: "4 passed, 0 failed" });
});

it("the summary counts skipped tests only when there are some", () => {
  expect(summary(report([good], 3), 0, 0)).toEqual({ passed: true, line: "2 passed, 0 failed, 3 skipped" });
});

it("the summary counts failed tests", () => {
  const bad = { status: "failed", tests: ["failed", "passed", "failed"] };
  expect(summary(report([good, bad]), 1, 0)).toEqual({ passed: false, line: "3 passed, 2 failed" });
});

it("the summary counts a file that fails without a failing test", () => {
  expect(summary(report([good, { status: "failed", tests: [] }]), 1, 0)).toEqual({
    passed: false,
    line: "2 passed, 1 failed",
  });
});

it("the summary counts steps that failed before the tests", () => {
  expect(summary(report([good]), 0, 2)).toEqual({ passed: false, line: "2 passed, 2 failed" });
});

it.each([
  ["vitest failed for another reason", report([good]), 1, "2 passed, 1 failed"],
  ["no test ran", report([]), 0, "0 passed, 1 failed"],
  ["vitest wrote no report", undefined, 0, "0 passed, 1 failed"],
])("the summary fails when %s", (_, results, code, line) => {
  expect(summary(results, code, 0)).toEqual({ passed: false, line });
});

it("the cases of tables and options count once as written, and prose and other calls do not count", () => {
  const texts = [
    'it("one", () => {});\n  it.each([1, 2])("two %s", () => {});\nit.skipIf(on)("three", () => {});',
    'describe("it", () => {}); split(1); wait.it(2); // Says what it does.\nit.each`a | b`("four", () => {});',
  ];
  const results = { ...report([good]), numFailedTests: 3 };
  expect(cases(texts, results)).toBe("4 cases written, 5 executed");
  expect(cases(texts, undefined)).toBe("4 cases written, 0 executed");
});
