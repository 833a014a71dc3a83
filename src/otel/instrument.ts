import type { Cache } from "../cache/cache.js";
import { eventsOf } from "../cache/events-of.js";
import { ConfigurationError } from "../core/errors.js";
import type { Events } from "../core/events.js";
import { type Checks, checkOptions, isBoolean, isOneOf, isText } from "../core/options.js";
import { recordMetrics } from "./metrics.js";
import { recordSpans } from "./spans.js";

/** Options of `instrument()`. */
export interface InstrumentOptions {
  /**
   * The attribute `cache.name` of all metrics and spans. The counts of caches with one name add up.
   * @default the cache's `keyPrefix`, or `"default"`
   */
  name?: string | undefined;
  /** Whether metrics are recorded. @default true */
  metrics?: boolean | undefined;
  /**
   * Which durations of calls and round trips histograms have: `"sampled"` is all of them up to 1,000 for each series and
   * collection, and of more a sample; `"all"` costs about 1 µs of CPU time for each, and is for backends that
   * take rates from a histogram's count.
   * @default "sampled"
   */
  durations?: "sampled" | "all" | undefined;
  /** `"all"`: spans of calls, loads, refreshes and round trips; `"calls"`: without round trips; `"none"`: no spans. @default "all" */
  spans?: "all" | "calls" | "none" | undefined;
  /**
   * What spans show of a key in `cache.key`: nothing, a hash of the stored key, or what a function makes of the stored key, such
   * as `user:*`; for `undefined` the span has no key. A hash hides a key from readers that can't guess it.
   * @default "none"
   */
  keys?: "none" | "hash" | ((storedKey: string) => string | undefined) | undefined;
}

export const instrumentDefaults = {
  metrics: true,
  durations: "sampled",
  spans: "all",
  keys: "none",
} as const satisfies InstrumentOptions;

const isKeys = isOneOf("none", "hash");

export const instrumentChecks: Checks<InstrumentOptions> = {
  name: isText,
  metrics: isBoolean,
  durations: isOneOf("sampled", "all"),
  spans: isOneOf("all", "calls", "none"),
  keys: (value, name) => {
    const allowed = typeof value === "function" ? undefined : isKeys(value, name);
    return allowed && `${allowed}, or a function of the stored key`;
  },
};

/** Caches that are instrumented, views included. */
const instrumented = new WeakSet<Events>();

/**
 * Records what a cache and its views do as OpenTelemetry metrics and spans, with the providers that are registered in
 * `@opentelemetry/api`. It may be called before the SDK starts. Keys, values and messages of errors are left out.
 * @returns a function that ends it; calls that are under way still end their spans
 * @throws TypeError when it is not given a cache
 * @throws {ConfigurationError} on wrong options, or when the cache is instrumented already
 * @example
 * const end = instrument(cache, { name: "users" });
 */
export function instrument(cache: Cache, options: InstrumentOptions = {}): () => void {
  checkOptions<InstrumentOptions>("instrument", options, instrumentChecks);
  const events = eventsOf(cache, "instrument");
  if (instrumented.has(events)) {
    throw new ConfigurationError(
      "instrument: this cache, or a view of it, is instrumented already; call the function that ends that first",
    );
  }
  const {
    metrics = instrumentDefaults.metrics,
    spans = instrumentDefaults.spans,
    keys = instrumentDefaults.keys,
  } = options;
  const name = options.name ?? (events.source.cache || "default");
  const ends: (() => void)[] = [];
  if (metrics) ends.push(recordMetrics(events, { name, durations: options.durations ?? instrumentDefaults.durations }));
  if (spans !== "none") ends.push(recordSpans(events, { name, keys, roundTrips: spans === "all" }));
  instrumented.add(events);
  return () => {
    instrumented.delete(events);
    for (const end of ends.splice(0)) end();
  };
}
