import { isRecord } from "../cache/arguments.js";
import { show } from "../core/errors.js";
import type { ErrorKind } from "../core/event-types.js";
import { addPeriods, type CallCounts, type Counts, type Periods } from "./counts.js";
import { addLatency, type LatencyStatistics, NO_LATENCY } from "./histogram.js";

/** What `statistics(cache)` has counted: plain data that JSON keeps as it is. */
export interface StatisticsSnapshot extends Periods<Counts> {
  /** The form of this data. */
  readonly format: 1;
  /** When counting began, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** By the cache's method, such as `"getMany"` or `"sets.add"`. `latency`: how long its calls took. */
  readonly methods: Readonly<Record<string, Periods<CallCounts> & { readonly latency: LatencyStatistics }>>;
  /** By the names of the option `definition`. */
  readonly definitions: Readonly<Record<string, Periods<CallCounts>>>;
  /** Since the start, by kind. */
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>;
  /** Of a sample of the round trips, one in 17. */
  readonly roundTrips: LatencyStatistics;
  /** How long loaders ran. */
  readonly loads: LatencyStatistics;
  /** How long callers waited for a value that another one loaded. */
  readonly waits: LatencyStatistics;
  /** Requests since the start, by outcome: `"hit"`, or why the request went to the origin (RFC 9211). */
  readonly outcomes: Readonly<Record<string, number>>;
  /** How long the HTTP cache took for a response. */
  readonly requests: LatencyStatistics;
  /** The state of the circuit breaker. Of several caches: open if one is. */
  readonly breaker: "closed" | "open";
}

/**
 * One snapshot of several, such as those of all caches, or of all processes. Counts and histograms are added, so the
 * quantiles are those of all calls; `seconds` is that of the longest.
 * @throws TypeError on what is not a snapshot, or without one
 * @example
 * const all = mergeStatistics(statistics(users).snapshot(), statistics(pages).snapshot());
 */
export function mergeStatistics(...snapshots: readonly StatisticsSnapshot[]): StatisticsSnapshot {
  for (const [i, snapshot] of snapshots.entries()) {
    if (isRecord(snapshot) && snapshot.format === 1) continue;
    throw new TypeError(
      `mergeStatistics: argument ${i + 1} is ${show(snapshot)}; give what statistics(cache).snapshot() returns, of this version`,
    );
  }
  const [first, ...others] = snapshots;
  if (!first) throw new TypeError("mergeStatistics: there is no snapshot; give one or more");
  return others.reduce(add, first);
}

function add(a: StatisticsSnapshot, b: StatisticsSnapshot): StatisticsSnapshot {
  const sum = (x: number, y: number): number => x + y;
  return {
    format: 1,
    sinceMs: Math.min(a.sinceMs, b.sinceMs),
    ...addPeriods<Counts>(a, b),
    methods: union(a.methods, b.methods, (x, y) => ({
      ...addPeriods(x, y),
      latency: addLatency(x.latency, y.latency),
    })),
    definitions: union(a.definitions, b.definitions, addPeriods),
    errors: union(a.errors, b.errors, sum),
    roundTrips: addLatency(a.roundTrips, b.roundTrips),
    loads: addLatency(a.loads, b.loads),
    waits: addLatency(a.waits, b.waits),
    outcomes: union(a.outcomes, b.outcomes, sum),
    requests: addLatency(a.requests, b.requests),
    breaker: a.breaker === "open" ? "open" : b.breaker,
  };
}

/** The properties of both, by name. Any name is one, also `__proto__`. */
function union<V>(
  a: Readonly<Record<string, V>>,
  b: Readonly<Record<string, V>>,
  both: (one: V, other: V) => V,
): Record<string, V> {
  const all = new Map(Object.entries(a));
  for (const [name, value] of Object.entries(b)) {
    const other = all.get(name);
    all.set(name, other === undefined ? value : both(other, value));
  }
  return Object.fromEntries([...all].sort(([one], [other]) => (one < other ? -1 : 1)));
}

export function latencyOf(histogram: { latency(): LatencyStatistics } | undefined): LatencyStatistics {
  return histogram?.latency() ?? NO_LATENCY;
}
