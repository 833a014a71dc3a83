/** What is counted in one second, of one process or of all. */
export interface LiveCounts {
  readonly calls: number;
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  readonly failed: number;
  readonly loads: number;
  readonly failedLoads: number;
  readonly waits: number;
  readonly roundTrips: number;
  readonly nearHits: number;
  readonly errors: number;
  readonly requests: number;
  readonly requestHits: number;
  /** Milliseconds of loading that hits have saved. */
  readonly savedMs: number;
  /** The lease is held by, and the value waited for by, so many callers at the end of the second. */
  readonly leasesHeld: number;
  readonly waiters: number;
}

/** Before anything is counted. */
export const NO_COUNTS: LiveCounts = {
  calls: 0,
  hits: 0,
  misses: 0,
  stale: 0,
  failed: 0,
  loads: 0,
  failedLoads: 0,
  waits: 0,
  roundTrips: 0,
  nearHits: 0,
  errors: 0,
  requests: 0,
  requestHits: 0,
  savedMs: 0,
  leasesHeld: 0,
  waiters: 0,
};

/** Of the last minute. */
export interface LiveLatency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface ProcessLive {
  readonly now: LiveCounts;
  /** Since it is watched; `seconds`: for how long. */
  readonly total: LiveCounts & { readonly seconds: number };
  readonly roundTrip: LiveLatency;
  readonly load: LiveLatency;
  readonly wait: LiveLatency;
  readonly leases: readonly { readonly key: string; readonly sinceMs: number }[];
  readonly breaker: "closed" | "open" | "half-open" | "idle";
  readonly lastError: string | undefined;
  readonly near:
    | { readonly entries: number; readonly bytes: number; readonly invalidation: string; readonly listening: boolean }
    | undefined;
  /** The most calls, and the slowest loads, since it is watched: at most 20 each. */
  readonly hottest: readonly HotName[];
  readonly slowest: readonly HotName[];
  readonly hottestKeys: readonly HotName[];
  readonly slowestKeys: readonly HotName[];
}

/** A definition or a key, with what happened to it. */
export interface HotName {
  readonly name: string;
  readonly calls: number;
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  readonly loads: number;
  /** Of its loads. */
  readonly meanMs: number;
  readonly maxMs: number;
}

export interface FleetLive {
  readonly now: LiveCounts;
  readonly processes: readonly {
    readonly id: string;
    readonly host: string;
    readonly now: LiveCounts;
    readonly breaker: string;
    /** Of its near cache. */
    readonly nearEntries: number | undefined;
    readonly nearBytes: number | undefined;
  }[];
  /** Of all processes, the oldest first: at most 50. */
  readonly leases: readonly { readonly key: string; readonly sinceMs: number; readonly process: string }[];
  /** Of all processes, since it is watched: at most 20 each. */
  readonly hottestKeys: readonly HotName[];
  readonly slowestKeys: readonly HotName[];
}

/** An event, as the page shows it in a list. */
export interface LiveEvent {
  readonly atMs: number;
  readonly name: string;
  readonly method: string;
  readonly key: string;
  readonly count: number;
  readonly durationMs: number | undefined;
  readonly detail: string | undefined;
}

/** One second of the processes that report, for a watcher: what `watchFleet()` of fleet.ts yields. */
export interface FleetSecond {
  readonly atMs: number;
  /** `undefined` where the store can't be reached. */
  readonly fleet: FleetLive | undefined;
  /** Why it can't. */
  readonly error: string | undefined;
}
