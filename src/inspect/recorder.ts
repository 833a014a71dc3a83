import type { Cache } from "../cache/cache.js";
import { eventsOf } from "../cache/events-of.js";
import { isClosed } from "../core/connection.js";
import type { CacheEvents, EventName } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import { addLatency, Histogram, type LatencyStatistics, NO_LATENCY } from "../observability/histogram.js";
import { HottestNames, SlowestNames } from "./hot-names.js";
import { type LiveCounts, type LiveEvent, type LiveLatency, NO_COUNTS, type ProcessLive } from "./live.js";
import { RECENT, RecentEvents } from "./recent-events.js";

type Totals = { -readonly [K in Exclude<keyof LiveCounts, "leasesHeld" | "waiters">]: LiveCounts[K] };

/** How many names of each list a watcher gets. */
const NAMES = 20;
/** How many leases it gets. */
const LEASES = 50;
const { leasesHeld: _, waiters: __, ...NO_TOTALS } = NO_COUNTS;

/** The names under which stored keys are counted. */
export type NameOf = (storedKey: string) => string | undefined;

/** By cache; its views have the same events. */
const recorders = new WeakMap<Events, Recorder>();

/** The recorder of a cache. @throws TypeError when it is not given a cache */
export function recorderOf(cache: Cache, where: string): Recorder {
  const events = eventsOf(cache, where);
  const recorder = recorders.get(events) ?? new Recorder(cache, events);
  recorders.set(events, recorder);
  return recorder;
}

/** Counts what a cache does, only while it is watched. */
export class Recorder {
  /** Names of definitions. @default the first part of the user's key */
  nameOf: NameOf;
  /** Round trips of watchers themselves, which are no part of what the application does. */
  ownRoundTrips = 0;
  readonly #cache: Cache;
  readonly #events: Events;
  #watchers = 0;
  #recording: Recording | undefined;

  constructor(cache: Cache, events: Events) {
    this.#cache = cache;
    this.#events = events;
    this.nameOf = firstPart(cache);
  }

  get isWatched(): boolean {
    return this.#watchers > 0;
  }

  /** Begins to count, unless it counts already. */
  watch(): Watcher {
    this.#watchers++;
    this.#recording ??= new Recording(this.#cache, this.#events, this);
    return new Watcher(this.#recording, () => {
      this.#watchers--;
      if (this.#watchers > 0) return;
      this.#recording?.stop();
      this.#recording = undefined;
    });
  }
}

/** What one watcher has seen of a recording. */
export class Watcher {
  dropped = 0;
  readonly #recording: Recording;
  readonly #onStop: () => void;
  #before: Totals;
  #beforeMs = performance.now();
  #seen: number;
  #isStopped = false;

  constructor(recording: Recording, onStop: () => void) {
    this.#recording = recording;
    this.#onStop = onStop;
    this.#before = recording.totals();
    this.#seen = recording.events.seen;
  }

  /** What has happened since the last call, as what happens in one second, and the newest events. */
  second(): { readonly process: ProcessLive; readonly events: LiveEvent[] } {
    const { events } = this.#recording;
    const since = events.seen - this.#seen;
    this.#seen = events.seen;
    this.dropped += Math.max(0, since - RECENT);
    return { process: this.#recording.process(this.counts()), events: events.newest(since) };
  }

  /** The counts alone. */
  counts(): LiveCounts {
    const [totals, nowMs] = [this.#recording.totals(), performance.now()];
    const counts = perSecond(totals, this.#before, (nowMs - this.#beforeMs) / 1_000);
    this.#before = totals;
    this.#beforeMs = nowMs;
    return { ...counts, ...this.#recording.herd() };
  }

  /** The second call does nothing. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#onStop();
  }
}

/** Listens from the first watcher to the last. */
class Recording {
  readonly events = new RecentEvents();
  readonly #cache: Cache;
  readonly #source: Events;
  readonly #stops: (() => void)[];
  readonly #startedMs = performance.now();
  readonly #sent: Events["sent"];
  readonly #totals: Totals = { ...NO_TOTALS };
  readonly #recorder: Recorder;
  readonly #ownRoundTrips: number;
  readonly #keys = new HottestNames();
  readonly #slowKeys = new SlowestNames();
  readonly #names = new HottestNames();
  readonly #slowNames = new SlowestNames();
  readonly #latencies = { roundTrip: new LastMinute(), load: new LastMinute(), wait: new LastMinute() };
  #lastError: string | undefined;

  constructor(cache: Cache, events: Events, recorder: Recorder) {
    this.#cache = cache;
    this.#source = events;
    this.#recorder = recorder;
    this.#ownRoundTrips = recorder.ownRoundTrips;
    this.#sent = { ...events.sent };
    const totals = this.#totals;
    const { events: recent } = this;
    const others: readonly EventName[] = ["claim", "renew", "fenced", "early", "refused", "purge", "evict"];
    const rare: readonly EventName[] = ["invalidate", "breaker", "connection"];
    this.#stops = [
      events.on("call", (event) => this.#call(event)),
      events.on("load", (event) => this.#load(event)),
      events.sample(({ durationMs }) => this.#latencies.roundTrip.record(durationMs)),
      events.on("wait", (event) => {
        totals.waits++;
        this.#latencies.wait.record(event.durationMs);
        recent.add("wait", event);
      }),
      events.on("error", (event) => {
        totals.errors++;
        this.#lastError = messageOf(event.error);
        recent.add("error", event);
      }),
      events.on("http", (event) => {
        totals.requests++;
        if (event.outcome === "hit") totals.requestHits++;
        recent.add("http", event);
      }),
      ...[...others, ...rare].map((name) => events.on(name, (event) => recent.add(name, event))),
    ];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  totals(): Totals {
    const { roundTrips, nearHits } = this.#source.sent;
    return {
      ...this.#totals,
      roundTrips: roundTrips - this.#sent.roundTrips - (this.#recorder.ownRoundTrips - this.#ownRoundTrips),
      nearHits: nearHits - this.#sent.nearHits,
    };
  }

  herd(): Pick<LiveCounts, "leasesHeld" | "waiters"> {
    const { held } = this.#source;
    return { leasesHeld: held.list().length, waiters: held.waiters + this.#cache.parts.sharing.waiters };
  }

  process(now: LiveCounts): ProcessLive {
    const { near: store } = this.#source;
    const { near } = this.#cache.parts.settings;
    const health = near && store ? near.health() : undefined;
    return {
      now,
      total: { ...this.totals(), ...this.herd(), seconds: (performance.now() - this.#startedMs) / 1_000 },
      roundTrip: toLive(this.#latencies.roundTrip.latency()),
      load: toLive(this.#latencies.load.latency()),
      wait: toLive(this.#latencies.wait.latency()),
      leases: this.leases(),
      ...this.status(),
      near: health && {
        entries: health.entries,
        bytes: health.size,
        invalidation: health.invalidation,
        listening: health.listening,
      },
      ...this.names(NAMES),
    };
  }

  leases(): ProcessLive["leases"] {
    return this.#source.held.list().slice(0, LEASES);
  }

  status(): Pick<ProcessLive, "breaker" | "lastError"> {
    const { connection } = this.#cache;
    if (isClosed(connection)) return { breaker: "idle", lastError: "the cache was closed" };
    const { state, lastError } = connection.status();
    return { breaker: state, lastError: lastError?.message ?? this.#lastError };
  }

  names(count: number): Pick<ProcessLive, "hottest" | "slowest" | "hottestKeys" | "slowestKeys"> {
    return {
      hottest: this.#names.top(count),
      slowest: this.#slowNames.top(count, this.#names),
      hottestKeys: this.#keys.top(count),
      slowestKeys: this.#slowKeys.top(count, this.#keys),
    };
  }

  #call(event: CacheEvents["call"]): void {
    const totals = this.#totals;
    totals.calls++;
    totals.hits += event.hits;
    totals.misses += event.misses;
    totals.stale += event.stale;
    totals.savedMs += event.savedMs;
    if (event.error !== undefined) totals.failed++;
    this.events.add("call", event);
    const { key } = event;
    if (key === "") return;
    this.#keys.count(key, event);
    const name = this.#name(key);
    if (name !== undefined) this.#names.count(name, event);
  }

  #load(event: CacheEvents["load"]): void {
    const { key, durationMs, failed } = event;
    this.#totals.loads++;
    if (failed) this.#totals.failedLoads++;
    this.#latencies.load.record(durationMs);
    this.events.add("load", event);
    if (key === "") return;
    this.#keys.load(key, durationMs);
    this.#slowKeys.load(key, durationMs);
    const name = this.#name(key);
    if (name === undefined) return;
    this.#names.load(name, durationMs);
    this.#slowNames.load(name, durationMs);
  }

  #name(key: string): string | undefined {
    try {
      const name: unknown = this.#recorder.nameOf(key);
      return typeof name === "string" && name !== "" ? name : undefined;
    } catch {
      return undefined;
    }
  }
}

/** How long things took in the last minute: in four quarters of one, the running one included. */
class LastMinute {
  readonly #quarters: { readonly quarter: number; readonly histogram: Histogram }[] = [];

  record(ms: number): void {
    const quarter = this.#now();
    let last = this.#quarters.at(-1);
    if (last?.quarter !== quarter) {
      last = { quarter, histogram: new Histogram() };
      this.#quarters.push(last);
      if (this.#quarters.length > 4) this.#quarters.shift();
    }
    last.histogram.record(ms);
  }

  latency(): LatencyStatistics {
    const oldest = this.#now() - 3;
    const recent = this.#quarters.filter(({ quarter }) => quarter >= oldest);
    return recent.map(({ histogram }) => histogram.latency()).reduce(addLatency, NO_LATENCY);
  }

  #now(): number {
    return Math.floor(performance.now() / 15_000);
  }
}

/** A longer time, such as after a pause of the process, counts as what a second of it had on average. */
function perSecond(now: Totals, before: Totals, seconds: number): Totals {
  const by = seconds > 1.5 ? 1 / seconds : 1;
  const names = Object.keys(now) as (keyof Totals)[];
  const counts = { ...now };
  for (const name of names) counts[name] = Math.round((now[name] - before[name]) * by * 100) / 100;
  return counts;
}

/** What is before the first ":" of the user's key, without namespaces. */
function firstPart(cache: Cache): NameOf {
  const { keys } = cache.parts;
  return (storedKey) => {
    let key = storedKey;
    try {
      key = keys.reverse(storedKey, {});
    } catch {
      // A key function that can't be reversed.
    }
    const inner = key.startsWith("ns(") ? key.replace(/^(?:ns\([^()]*\):)+/, "") : key;
    const end = inner.indexOf(":");
    return end > 0 ? inner.slice(0, end) : inner;
  };
}

function toLive({ count, p50Ms, p99Ms, maxMs }: LatencyStatistics): LiveLatency {
  return { count, p50Ms, p99Ms, maxMs };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
