import type { Cache } from "../cache/cache.js";
import { eventsOf } from "../cache/events-of.js";
import { ConfigurationError } from "../core/errors.js";
import type { CacheEvents, ErrorKind } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import { checkOptions, isFunction } from "../core/options.js";
import { type CallCounts, Counter, type Counts, Minutes, noCalls, nothing } from "./counts.js";
import { Histogram } from "./histogram.js";
import { latencyOf, type StatisticsSnapshot } from "./snapshot.js";

/** Options of `statistics()`. */
export interface StatisticsOptions {
  /**
   * The name under which calls of a stored key are counted, such as `"user"` for `"app:1:user:7"`; `undefined`: under none.
   * There may be 100 names; calls of further ones count as `"other"`. Methods of several keys have none.
   * @default none
   */
  definition?: ((key: string) => string | undefined) | undefined;
}

/** The most names of one kind: what a function makes of keys must not fill the memory. */
const MOST_NAMES = 100;
const OTHER = "other";

/** By cache; its views have the same events. */
const running = new WeakMap<Events, Statistics>();

/**
 * Counts what a cache does, from the first call for this cache on. Views made by `cache.for()` count with it. Later calls
 * return the same statistics.
 * @throws TypeError when it is not given a cache
 * @throws {ConfigurationError} on wrong options, and on options that differ from those that it counts with
 * @example
 * const stats = statistics(cache);
 * const { hitRatio } = stats.snapshot().last5Minutes;
 */
export function statistics(cache: Cache, options: StatisticsOptions = {}): Statistics {
  checkOptions<StatisticsOptions>("statistics", options, { definition: isFunction });
  const events = eventsOf(cache, "statistics");
  const known = running.get(events);
  if (known && options.definition !== undefined && options.definition !== known.definition) {
    throw new ConfigurationError(
      'statistics: option "definition" is another one than this cache is counted with; leave it out, or call stop() first',
    );
  }
  const own = known ?? new Statistics(events, options, isOpen(cache) ? "open" : "closed");
  running.set(events, own);
  return own;
}

/** Whether the circuit breaker had opened before there were listeners. */
function isOpen({ connection }: Cache): boolean {
  try {
    const { state } = connection.status();
    return state === "open" || state === "half-open";
  } catch {
    return false;
  }
}

/** What a cache does, in numbers. */
export class Statistics implements Disposable {
  /** @internal */
  readonly definition: StatisticsOptions["definition"];
  readonly #stops: (() => void)[];
  readonly #forget: () => void;
  #sent: Events["sent"];
  /** What of that is counted. */
  #counted: Events["sent"];
  #breaker: StatisticsSnapshot["breaker"];
  #minutes = new Minutes();
  #nextMs = this.#minutes.nextMs;
  #all = new Counter<Counts>(this.#minutes, nothing);
  #methods = new Map<string, { readonly counter: Counter<CallCounts>; readonly latency: Histogram }>();
  #definitions = new Map<string, Counter<CallCounts>>();
  #errors = new Map<ErrorKind, number>();
  #outcomes = new Map<string, number>();
  #roundTrips: Histogram | undefined;
  #loads: Histogram | undefined;
  #waits: Histogram | undefined;
  #requests: Histogram | undefined;

  /** @internal Use `statistics`. */
  constructor(events: Events, { definition }: StatisticsOptions, breaker: StatisticsSnapshot["breaker"]) {
    this.definition = definition;
    this.#breaker = breaker;
    this.#sent = events.sent;
    this.#counted = { ...events.sent };
    this.#forget = () => void (running.get(events) === this && running.delete(events));
    this.#stops = [
      events.on("call", (event) => this.#call(event)),
      events.sample(({ durationMs }) => {
        this.#roundTrips ??= new Histogram();
        this.#roundTrips.record(durationMs);
      }),
      events.on("set", ({ bytes }) => {
        this.#now().bytesWritten += bytes;
      }),
      events.on("load", (event) => this.#load(event)),
      events.on("wait", (event) => this.#wait(event)),
      events.on("claim", ({ won }) => void this.#now()[won ? "claimsWon" : "claimsLost"]++),
      events.on("renew", ({ held }) => void this.#now()[held ? "renewals" : "lostRenewals"]++),
      events.on("fenced", () => void this.#now().fenced++),
      events.on("early", () => void this.#now().early++),
      events.on("refused", () => void this.#now().refused++),
      events.on("error", ({ kind }) => {
        this.#now().errors++;
        count(this.#errors, kind);
      }),
      events.on("breaker", ({ state }) => {
        this.#breaker = state;
        if (state === "open") this.#now().breakerOpenings++;
      }),
      events.on("connection", ({ state }) => void this.#now()[CONNECTIONS[state]]++),
      events.on("evict", ({ count }) => {
        this.#now().evictions += count;
      }),
      events.on("invalidate", ({ count }) => {
        this.#now().invalidations += count;
      }),
      events.on("purge", () => void this.#now().purges++),
      events.on("http", (event) => this.#http(event)),
    ];
  }

  /** What has been counted so far, as data for JSON. */
  snapshot(): StatisticsSnapshot {
    this.#turn(performance.now());
    const methods = [...this.#methods].map(([method, { counter, latency }]) => {
      return [method, { ...counter.periods(), latency: latency.latency() }] as const;
    });
    return {
      format: 1,
      sinceMs: this.#minutes.sinceMs,
      ...this.#all.periods(),
      methods: Object.fromEntries(methods),
      definitions: Object.fromEntries([...this.#definitions].map(([name, counter]) => [name, counter.periods()])),
      errors: Object.fromEntries(this.#errors),
      roundTrips: latencyOf(this.#roundTrips),
      loads: latencyOf(this.#loads),
      waits: latencyOf(this.#waits),
      outcomes: Object.fromEntries(this.#outcomes),
      requests: latencyOf(this.#requests),
      breaker: this.#breaker,
    };
  }

  /** Counts from 0 again, from now on. A call under way counts when it ends. */
  reset(): void {
    this.#minutes = new Minutes();
    this.#nextMs = this.#minutes.nextMs;
    this.#counted = { ...this.#sent };
    this.#all = new Counter<Counts>(this.#minutes, nothing);
    for (const map of [this.#methods, this.#definitions, this.#errors, this.#outcomes]) map.clear();
    this.#roundTrips = this.#loads = this.#waits = this.#requests = undefined;
  }

  /** Counts no more. `snapshot()` has what was counted; `statistics(cache)` begins anew. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#countSent();
    this.#sent = this.#counted;
    this.#forget();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #call(event: CacheEvents["call"]): void {
    const { method, key, durationMs } = event;
    const all = this.#now(event.startedMs + durationMs);
    add(all, event);
    all.bytesRead += event.bytes - event.bytesWritten;
    let own = this.#methods.get(method);
    if (!own) {
      own = { counter: new Counter(this.#minutes, noCalls), latency: new Histogram() };
      this.#methods.set(method, own);
    }
    add(own.counter.total, event);
    own.latency.record(durationMs);
    if (!this.definition || key === "") return;
    const name = this.#nameOf(key);
    if (name === undefined) return;
    let counter = this.#definitions.get(name);
    if (!counter) {
      counter = new Counter(this.#minutes, noCalls);
      this.#definitions.set(name, counter);
    }
    add(counter.total, event);
  }

  #nameOf(key: string): string | undefined {
    let name: unknown;
    try {
      name = this.definition?.(key);
    } catch {
      return undefined;
    }
    if (typeof name !== "string" || name === "") return undefined;
    return this.#definitions.has(name) || this.#definitions.size < MOST_NAMES ? name : OTHER;
  }

  #load({ durationMs, failed, background }: CacheEvents["load"]): void {
    const all = this.#now();
    all.loads++;
    if (failed) all.failedLoads++;
    if (background) all.backgroundLoads++;
    all.loadMs += durationMs;
    this.#loads ??= new Histogram();
    this.#loads.record(durationMs);
  }

  #wait({ durationMs, answered }: CacheEvents["wait"]): void {
    const all = this.#now();
    all.waits++;
    if (!answered) all.unansweredWaits++;
    all.waitMs += durationMs;
    this.#waits ??= new Histogram();
    this.#waits.record(durationMs);
  }

  #http({ outcome, stored, collapsed, durationMs }: CacheEvents["http"]): void {
    const all = this.#now();
    all.requests++;
    if (outcome === "hit") all.requestHits++;
    if (stored) all.requestsStored++;
    if (collapsed) all.requestsCollapsed++;
    count(this.#outcomes, this.#outcomes.has(outcome) || this.#outcomes.size < MOST_NAMES ? outcome : OTHER);
    this.#requests ??= new Histogram();
    this.#requests.record(durationMs);
  }

  /** The counts, after every minute that has begun was noted. */
  #now(nowMs = performance.now()): Counter<Counts>["total"] {
    if (nowMs >= this.#nextMs) this.#turn(nowMs);
    return this.#all.total;
  }

  #turn(nowMs: number): void {
    // Outside of requests the clocks of Workers stand at 0: time begins with the first request.
    if (this.#minutes.sinceMs === 0) this.reset();
    this.#countSent();
    this.#minutes.advance(nowMs);
    this.#nextMs = this.#minutes.nextMs;
    this.#all.turn();
    for (const { counter } of this.#methods.values()) counter.turn();
    for (const counter of this.#definitions.values()) counter.turn();
  }

  /** Adds what was sent since the last time. */
  #countSent(): void {
    const sent = { ...this.#sent };
    const all = this.#all.total;
    for (const name of ["roundTrips", "commands", "nearHits"] as const) all[name] += sent[name] - this.#counted[name];
    this.#counted = sent;
  }
}

/** What connections do, as it is counted. */
const CONNECTIONS = { opened: "connectionsOpened", ended: "connectionsEnded", failed: "connectionsFailed" } as const;

function add(counts: Counter<CallCounts>["total"], event: CacheEvents["call"]): void {
  counts.calls++;
  counts.keys += event.count;
  counts.hits += event.hits;
  counts.misses += event.misses;
  counts.stale += event.stale;
  counts.savedMs += event.savedMs;
  if (event.error !== undefined) counts.failed++;
}

function count<N extends string>(counts: Map<N, number>, name: N): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
