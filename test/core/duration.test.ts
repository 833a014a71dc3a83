import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Duration, toMs, toWindowMs } from "../../src/core/time.js";

describe("a duration", () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1, 1_000],
    [0.5, 500],
    [1.5, 1_500],
    [-2, -2_000],
    ["0s", 0],
    ["250ms", 250],
    ["1.5ms", 2],
    ["90s", 90_000],
    ["0.25s", 250],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0.5d", 43_200_000],
    ["-5m", -300_000],
    [".5s", 500],
    ["-.5s", -500],
    ["5.s", 5_000],
    ["+5s", 5_000],
    ["5 m", 300_000],
    [" 5m", 300_000],
    ["1e3s", 1_000_000],
    ["1E3s", 1_000_000],
    [`${1e-7}s`, 1],
    ["1e+2ms", 100],
  ])("%j is %i ms", (duration, ms) => {
    expect(toMs(duration, "ttl")).toBe(ms);
  });

  it.each<Duration>([1e-9, 0.000_1, "0.1ms", Number.MIN_VALUE])(
    "of %j, however short, is never nothing",
    (duration) => {
      expect(toMs(duration, "ttl")).toBe(1);
    },
  );

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1e300,
    "",
    "5",
    "5M",
    "5 parsecs",
    "m",
    "--5s",
    " s",
    ".s",
    "e3s",
    "1e309s",
    "0x10s",
    "0b1s",
    "0o7s",
    "1_000s",
    "5s ",
    "5\n",
    "Infinitys",
    "5ms5",
    "5m\n",
    "٥m",
    null,
    undefined,
    true,
    {},
    [],
    ["5m"],
    5n,
    new Date(),
    () => 5,
    Symbol("5m"),
  ])("is not %s: a TypeError names the option and what is allowed", (wrong) => {
    expect(() => toMs(wrong, "someOption")).toThrow(TypeError);
    expect(() => toMs(wrong, "someOption")).toThrow(/^someOption: .*"250ms", "90s", "5m", "2h", "1d"/);
  });

  it("names a wrong text in its error", () => {
    expect(() => toMs("5 parsecs", "ttl")).toThrow('"5 parsecs"');
  });

  it("is rounded to whole milliseconds", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1e11, noNaN: true }), (seconds) => {
        const ms = toMs(seconds, "ttl");
        expect(Number.isInteger(ms)).toBe(true);
        expect(Math.abs(ms - seconds * 1_000)).toBeLessThanOrEqual(0.5);
        expect(toMs(-seconds, "ttl")).toBeCloseTo(-ms, -1);
      }),
    );
  });

  it("has the same value as text and as seconds", () => {
    const units = fc.constantFrom<[string, number]>(["ms", 0.001], ["s", 1], ["m", 60], ["h", 3_600], ["d", 86_400]);
    fc.assert(
      fc.property(fc.integer({ min: -10_000, max: 10_000 }), units, (n, [unit, seconds]) => {
        expect(toMs(`${n}${unit}`, "ttl")).toBeCloseTo(toMs(n * seconds, "ttl"), 6);
      }),
    );
  });

  it("is every finite number before a unit, as a template literal writes it", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (n) => {
        const duration: Duration = `${n}s`;
        expect(toMs(duration, "ttl") - toMs(n, "ttl")).toBe(0);
      }),
    );
  });

  it("throws only TypeErrors for any text", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          expect(Number.isSafeInteger(toMs(value, "ttl"))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          expect(String(error)).toContain("is not a duration");
        }
      }),
    );
  });
});

describe("a window of time", () => {
  it("may be 0 but not negative", () => {
    expect(toWindowMs(0, "wait")).toBe(0);
    expect(toWindowMs("5s", "wait")).toBe(5_000);
    expect(() => toWindowMs(-1, "wait")).toThrow(/^wait: -1 is negative/);
    expect(() => toWindowMs("-1ms", "wait")).toThrow(TypeError);
    expect(() => toWindowMs("soon", "wait")).toThrow(TypeError);
  });
});

describe("a number that looks like milliseconds", () => {
  /** As a new process has it: nothing was warned about yet. */
  let fresh: typeof toMs;
  const warn = vi.fn();

  beforeEach(async () => {
    vi.resetModules();
    fresh = (await import("../../src/core/time.js")).toMs;
    warn.mockReset();
    vi.spyOn(console, "warn").mockImplementation(warn);
  });

  it("is warned about with the option, the time that it means, and the remedy", () => {
    expect(fresh(60_000, "ttl")).toBe(60_000_000);
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      'valkey-edge-cache: ttl: 60000 means 60000 seconds (16.7 hours), as numbers are seconds; if you meant milliseconds, give 60 or "60000ms"; if you meant seconds, give "60000s"',
    );
  });

  it("is shown in days from two days on", () => {
    fresh(300_000, "grace");
    expect(warn.mock.calls).toEqual([[expect.stringContaining("grace: 300000 means 300000 seconds (3.5 days)")]]);
  });

  it("is warned about once in the process", () => {
    for (const [seconds, name] of [
      [10_000, "ttl"],
      [20_000, "ttl"],
      [30_000, "lease"],
    ] as const) {
      fresh(seconds, name);
    }
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it.each([0, 1, 300, 3_600, 9_000, 10_001, 10_000.5, 86_400, 432_000, 2_592_000, -60_000, "60000s", "60000ms"])(
    "is not suspected in %j",
    (duration) => {
      fresh(duration, "ttl");
      expect(warn).not.toHaveBeenCalled();
    },
  );
});
