/** One metric, as docs/observability.md has it. */
export interface Instrument {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly description: string;
  /** The attributes beside `cache.name`. */
  readonly attributes: readonly string[];
  /** Upper limits of a histogram's buckets, in seconds. */
  readonly buckets?: readonly number[];
}

/** From a round trip in one data centre to a slow loader. */
const CALLS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Source: https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ */
const ROUND_TRIPS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** All metrics. Their names and attributes stay as they are. */
export const INSTRUMENTS = {
  "cache.lookups": {
    kind: "counter",
    unit: "{key}",
    description: "Keys that were looked up. The result is hit, miss or stale.",
    attributes: ["cache.method", "cache.result"],
  },
  "cache.calls": {
    kind: "counter",
    unit: "{call}",
    description: "Calls of methods. Failed ones have an error.type.",
    attributes: ["cache.method", "error.type"],
  },
  "cache.call.duration": {
    kind: "histogram",
    unit: "s",
    description: "Duration of calls. Failed ones have an error.type.",
    attributes: ["cache.method", "error.type"],
    buckets: CALLS,
  },
  "cache.value.size": {
    kind: "counter",
    unit: "By",
    description: "Size of the encoded values that were read or written, in bytes, or in characters of text.",
    attributes: ["cache.method", "cache.value.direction"],
  },
  "cache.load.saved": {
    kind: "counter",
    unit: "s",
    description: "How long the loads of the returned values took, as herd() has stored it with each value.",
    attributes: ["cache.method"],
  },
  "cache.load.duration": {
    kind: "histogram",
    unit: "s",
    description: "Duration of loads. The result is ok or error. No caller waits for a background load.",
    attributes: ["cache.method", "cache.load.result", "cache.load.background"],
    buckets: CALLS,
  },
  "cache.wait.duration": {
    kind: "histogram",
    unit: "s",
    description: "How long callers waited for another caller's value. The result is answered or timeout.",
    attributes: ["cache.method", "cache.wait.result"],
    buckets: CALLS,
  },
  "cache.claims": {
    kind: "counter",
    unit: "{claim}",
    description: "Claims of leases. The result is won or lost.",
    attributes: ["cache.method", "cache.claim.result"],
  },
  "cache.renewals": {
    kind: "counter",
    unit: "{renewal}",
    description: "Renewals of leases. The result is held or lost.",
    attributes: ["cache.renewal.result"],
  },
  "cache.fenced": {
    kind: "counter",
    unit: "{value}",
    description: "Values that were not stored because their lease was lost.",
    attributes: ["cache.method"],
  },
  "cache.early_refreshes": {
    kind: "counter",
    unit: "{refresh}",
    description: "Refreshes of values before they expire.",
    attributes: ["cache.method"],
  },
  "cache.refused": {
    kind: "counter",
    unit: "{value}",
    description: "Stored values that the schema of a definition has refused.",
    attributes: ["cache.method"],
  },
  "cache.changes": {
    kind: "counter",
    unit: "{key}",
    description: "Changed entries, members and fields. The change is set, delete, expire, purge, evict or invalidate.",
    attributes: ["cache.method", "cache.change"],
  },
  "cache.errors": {
    kind: "counter",
    unit: "{error}",
    description: "Failed calls and errors that no caller got, by the kind of the event error.",
    attributes: ["cache.method", "error.type"],
  },
  "cache.near.hits": {
    kind: "counter",
    unit: "{key}",
    description: "Lookups that the near cache has answered without the server, including those of the HTTP cache.",
    attributes: [],
  },
  "cache.near.entries": {
    kind: "gauge",
    unit: "{entry}",
    description: "Entries that the near cache holds.",
    attributes: [],
  },
  "cache.near.size": {
    kind: "gauge",
    unit: "By",
    description: "Memory that these entries take, in bytes.",
    attributes: [],
  },
  "cache.breaker.open": {
    kind: "gauge",
    unit: "1",
    description: "1 while the circuit breaker is open, else 0.",
    attributes: [],
  },
  "cache.connections": {
    kind: "counter",
    unit: "{connection}",
    description: "Connections that were opened, have ended, or failed to open.",
    attributes: ["cache.connection.state"],
  },
  "cache.http.request.duration": {
    kind: "histogram",
    unit: "s",
    description:
      "Requests to the HTTP cache, until the head of the response, by outcome (Cache-Status) and class of the status.",
    attributes: ["cache.http.outcome", "cache.http.status_class"],
    buckets: CALLS,
  },
  "cache.round_trips": {
    kind: "counter",
    unit: "{round_trip}",
    description: "Round trips to the server. A batch of commands is one.",
    attributes: [],
  },
  "db.client.operation.duration": {
    kind: "histogram",
    unit: "s",
    description: "Duration of round trips to the server. A batch of commands is one.",
    attributes: [
      "db.system.name",
      "db.operation.name",
      "db.stored_procedure.name",
      "server.address",
      "server.port",
      "error.type",
    ],
    buckets: ROUND_TRIPS,
  },
} as const satisfies Readonly<Record<string, Instrument>>;

export type InstrumentName = keyof typeof INSTRUMENTS;
export const INSTRUMENT_NAMES = Object.keys(INSTRUMENTS) as InstrumentName[];

type NamesOf<K extends Instrument["kind"]> = {
  [N in InstrumentName]: (typeof INSTRUMENTS)[N] extends { readonly kind: K } ? N : never;
}[InstrumentName];

export type CounterName = NamesOf<"counter">;
export type HistogramName = NamesOf<"histogram">;
