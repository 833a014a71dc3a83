import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addLatency, Histogram } from "../../src/observability/histogram.js";

/** From a microsecond to ten seconds, each order of magnitude as often as another. */
const durations = fc.array(
  fc.integer({ min: -3_000, max: 4_000 }).map((exponent) => 10 ** (exponent / 1_000)),
  { minLength: 1, maxLength: 500 },
);

function latencyOf(durationsMs: readonly number[]) {
  const histogram = new Histogram();
  for (const ms of durationsMs) histogram.record(ms);
  return histogram.latency();
}

/** The smallest of the durations that at least this part of all is not above. */
function exact(durationsMs: readonly number[], part: number): number {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

describe("a histogram of durations", () => {
  it("answers quantiles within 6 % of the exact ones, or a quarter of a microsecond", () => {
    fc.assert(
      fc.property(durations, (all) => {
        const { p50Ms, p99Ms } = latencyOf(all);
        const answers = [
          [p50Ms, exact(all, 0.5)],
          [p99Ms, exact(all, 0.99)],
        ] as const;
        // Answers are rounded to the microsecond.
        for (const [answered, expected] of answers)
          expect(Math.abs(answered - expected)).toBeLessThanOrEqual(Math.max(expected * 0.06, 0.00025) + 0.0005);
      }),
    );
  });

  it("has the exact count, sum and maximum", () => {
    const { count, sumMs, maxMs } = latencyOf([1.5, 0.25, 900]);
    expect({ count, sumMs, maxMs }).toEqual({ count: 3, sumMs: 901.75, maxMs: 900 });
  });

  it("answers no quantile above the maximum", () => {
    expect(latencyOf([100.1])).toMatchObject({ p50Ms: 100.1, p99Ms: 100.1 });
  });

  it("takes 0, and hours", () => {
    expect(latencyOf([0])).toMatchObject({ count: 1, maxMs: 0, p99Ms: 0 });
    expect(latencyOf([7_200_000])).toMatchObject({ maxMs: 7_200_000, p50Ms: 7_200_000 });
  });

  it("has nothing to say before something was timed", () => {
    expect(new Histogram().latency()).toEqual({ count: 0, sumMs: 0, maxMs: 0, p50Ms: 0, p99Ms: 0, buckets: [] });
  });

  it("added to another one is that of all durations", () => {
    fc.assert(
      fc.property(durations, durations, (some, others) => {
        const { sumMs, ...added } = addLatency(latencyOf(some), latencyOf(others));
        const { sumMs: sumOfAllMs, ...ofAll } = latencyOf([...some, ...others]);
        expect(added).toEqual(ofAll);
        expect(sumMs).toBeCloseTo(sumOfAllMs, 2);
      }),
    );
  });

  it("has 232 buckets, whatever is timed", () => {
    const { buckets, count } = latencyOf(Array.from({ length: 5_000 }, (_value, i) => 1.01 ** i / 1e6));
    expect(count).toBe(5_000);
    expect(buckets.length).toBeLessThanOrEqual(2 * 232);
    expect(buckets.at(-2)).toBe(231);
  });
});
