import { expect, it, vi } from "vitest";
import { until } from "./wait.js";

it("until() returns the first truthy result", async () => {
  const answers = [0, "", undefined, "ready", "later"];
  await expect(until(() => answers.shift(), { what: "an answer", everyMs: 1 })).resolves.toBe("ready");
  expect(answers).toEqual(["later"]);
});

it("until() treats an error as 'not yet'", async () => {
  const condition = vi.fn(async () => true).mockRejectedValueOnce(new Error("refused"));
  await expect(until(condition, { what: "an answer", everyMs: 1 })).resolves.toBe(true);
});

it("until() names the condition and the last result or error when the time is up", async () => {
  const late = { what: "the tide", timeoutMs: 5, everyMs: 1 };
  await expect(until(() => false, late)).rejects.toThrow("waited 5 ms for the tide; the last answer was false");
  const refuse = () => Promise.reject(new Error("refused"));
  await expect(until(refuse, late)).rejects.toThrow("waited 5 ms for the tide; the last try failed: refused");
});

it("until() works with fake timers", async () => {
  vi.useFakeTimers();
  try {
    let asked = 0;
    await expect(until(() => ++asked > 2, { what: "an answer", everyMs: 1 })).resolves.toBe(true);
    await expect(until(() => false, { what: "nothing", timeoutMs: 5, everyMs: 1 })).rejects.toThrow("nothing");
  } finally {
    vi.useRealTimers();
  }
});
