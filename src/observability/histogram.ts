/** How long things took. Times are milliseconds, to the microsecond. */
export interface LatencyStatistics {
  /** How many durations there are. */
  readonly count: number;
  /** Their sum, in milliseconds. */
  readonly sumMs: number;
  /** The longest one, in milliseconds: exact. */
  readonly maxMs: number;
  /** The median, in milliseconds, within 6 % between 2 µs and 9 minutes; 0 when nothing was timed. */
  readonly p50Ms: number;
  /** What 99 % of them don't exceed, as precise as the median. */
  readonly p99Ms: number;
  /** The histogram: the index of each bucket that is not empty, and its count, by turns. What `mergeStatistics` adds. */
  readonly buckets: readonly number[];
}

/** A millisecond in quarters of a microsecond, which buckets are counted in. */
const UNITS = 4_000;
/** Buckets for each doubling: 2 ** 3. */
const STEPS_LOG2 = 3;
const STEPS = 2 ** STEPS_LOG2;
const LONGEST = 2 ** 31 - 1;
const SIZE = /* @__PURE__ */ (() => indexOf(LONGEST) + 1)();

/**
 * Counts durations in log-linear buckets, as HdrHistogram does (Tene, hdrhistogram.org): each doubling is cut in eight equal
 * buckets, so a bucket is an eighth of its lower bound wide. A quantile is answered as the value whose relative error is the
 * same at both bounds, 2 × low × high / (low + high): at most 1/17, or 5.9 % (Masson et al., DDSketch, VLDB 2019, §2.1).
 */
export class Histogram {
  readonly #counts = new Float64Array(SIZE);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  record(ms: number): void {
    this.#count++;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
    const index = indexOf(Math.min(ms * UNITS, LONGEST));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  latency(): LatencyStatistics {
    const buckets: number[] = [];
    for (const [index, count] of this.#counts.entries()) if (count > 0) buckets.push(index, count);
    return toLatency({ count: this.#count, sumMs: this.#sumMs, maxMs: this.#maxMs, buckets });
  }
}

export const NO_LATENCY: LatencyStatistics = { count: 0, sumMs: 0, maxMs: 0, p50Ms: 0, p99Ms: 0, buckets: [] };

/** All that either has timed. */
export function addLatency(a: LatencyStatistics, b: LatencyStatistics): LatencyStatistics {
  const counts = new Map<number, number>();
  for (const { buckets } of [a, b]) {
    for (let i = 0; i < buckets.length; i += 2) {
      const index = buckets[i] ?? 0;
      counts.set(index, (counts.get(index) ?? 0) + (buckets[i + 1] ?? 0));
    }
  }
  return toLatency({
    count: a.count + b.count,
    sumMs: a.sumMs + b.sumMs,
    maxMs: Math.max(a.maxMs, b.maxMs),
    buckets: [...counts].sort(([one], [other]) => one - other).flat(),
  });
}

/** Rounded, so that sums don't depend on their order. */
export function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

type Timed = Pick<LatencyStatistics, "count" | "sumMs" | "maxMs" | "buckets">;

function toLatency(timed: Timed): LatencyStatistics {
  const { count, buckets } = timed;
  const [sumMs, maxMs] = [toMicroseconds(timed.sumMs), toMicroseconds(timed.maxMs)];
  const [p50Ms, p99Ms] = [quantile(timed, 0.5), quantile(timed, 0.99)];
  return { count, sumMs, maxMs, p50Ms, p99Ms, buckets };
}

function quantile({ count, maxMs, buckets }: Timed, part: number): number {
  let left = Math.max(1, Math.ceil(count * part));
  for (let i = 0; i < buckets.length; i += 2) {
    left -= buckets[i + 1] ?? 0;
    // No duration exceeds the maximum, and the last bucket has no known end.
    if (left <= 0) return toMicroseconds(Math.min(maxMs, middleOf(buckets[i] ?? 0)));
  }
  return 0;
}

/** Values below 8 have a bucket each. */
function indexOf(units: number): number {
  const value = Math.max(0, units) | 0;
  const shift = Math.max(0, 31 - Math.clz32(value) - STEPS_LOG2);
  return shift * STEPS + (value >>> shift);
}

/** The duration that a bucket stands for. */
function middleOf(index: number): number {
  const shift = Math.max(0, Math.floor(index / STEPS) - 1);
  const low = (index - shift * STEPS) * 2 ** shift;
  const high = low + 2 ** shift;
  const isLast = index === SIZE - 1;
  return isLast ? Infinity : (2 * low * high) / (low + high) / UNITS;
}
