import {
  type Attributes,
  type BatchObservableResult,
  createNoopMeter,
  type Histogram,
  type Meter,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import type { CacheEvents, CallEvent, EventName } from "../core/event-types.js";
import type { Events } from "../core/events.js";
import { errorType, operationOf, SCOPE, serverOf } from "./conventions.js";
import {
  type CounterName,
  type HistogramName,
  INSTRUMENT_NAMES,
  INSTRUMENTS,
  type Instrument,
  type InstrumentName,
} from "./instruments.js";

export interface MetricSettings {
  /** The caches' name. */
  readonly name: string;
  readonly durations: "sampled" | "all";
}

type Value = string | number | boolean | undefined;

/** The attributes of a metric, made once for each combination, and its count. */
interface Series {
  readonly attributes: Attributes;
  /** What was counted; of durations, how many there were since the last collection. */
  value: number;
  /** Durations that were not given to the SDK yet, in seconds. */
  readonly durations: number[];
}

/** What the calls of one method count: no call should have to look for it. */
interface MethodSeries {
  readonly calls: Series;
  readonly duration: Series;
  lookups?: { readonly hit: Series; readonly miss: Series; readonly stale: Series };
  read?: Series;
  saved?: Series;
}

/** Histograms of what happens so often that measuring each time would cost too much. */
const SAMPLED: ReadonlySet<HistogramName> = new Set(["cache.call.duration", "db.client.operation.duration"]);

/** The most durations of one series that the SDK is given at a collection, unless it is given all. */
export const SAMPLE = 1_000;

/** Records the metrics of a cache. @returns a function that ends it */
export function recordMetrics(events: Events, settings: MetricSettings): () => void {
  const key = `${settings.durations} ${settings.name}`;
  const recorder = recorders.get(key) ?? new Recorder(settings);
  recorders.set(key, recorder);
  const end = recorder.listen(events);
  return () => {
    end();
    if (recorder.isUsed) return;
    recorders.delete(key);
    recorder.close();
  };
}

/** By their settings: SDKs keep only one of several counts with equal attributes, so caches of one name add theirs up. */
const recorders = new Map<string, Recorder>();

/**
 * The metrics of all caches of one name. An SDK takes about a microsecond for each measurement, which is a tenth of a hit.
 * So counts are kept here and read at each collection, and so is a sample of the durations of calls and round trips, which
 * an SDK alone can put into histograms.
 */
class Recorder {
  readonly #settings: MetricSettings;
  readonly #series = new Map<InstrumentName, Map<string, Series>>();
  readonly #methods = new Map<string, MethodSeries>();
  /** What is called at each collection. */
  readonly #collects = new Set<() => void>();
  #users = 0;
  #meter: Meter | undefined;
  #histograms = new Map<InstrumentName, Histogram>();
  #observables = new Map<InstrumentName, Observable>();

  constructor(settings: MetricSettings) {
    this.#settings = settings;
    this.#of("cache.breaker.open");
    this.#open();
  }

  get isUsed(): boolean {
    return this.#users > 0;
  }

  /** Listens to a cache. @returns a function that ends it */
  listen(events: Events): () => void {
    this.#users++;
    const ends: (() => void)[] = [];
    const on = <E extends EventName>(event: E, listener: (event: CacheEvents[E]) => void): void =>
      void ends.push(events.on(event, listener));
    on("call", (event) => this.#call(event));
    ends.push(this.#roundTrips(events), this.#near(events));
    on("load", ({ method, durationMs, failed, background }) =>
      this.#record("cache.load.duration", durationMs, method, failed ? "error" : "ok", background),
    );
    on("wait", ({ method, durationMs, answered }) =>
      this.#record("cache.wait.duration", durationMs, method, answered ? "answered" : "timeout"),
    );
    on("claim", ({ method, won }) => this.#count("cache.claims", 1, method, won ? "won" : "lost"));
    on("renew", ({ held }) => this.#count("cache.renewals", 1, held ? "held" : "lost"));
    on("fenced", ({ method }) => this.#count("cache.fenced", 1, method));
    on("early", ({ method }) => this.#count("cache.early_refreshes", 1, method));
    on("refused", ({ method }) => this.#count("cache.refused", 1, method));
    // Also of loads in the background, which no call counts.
    on("set", ({ method, bytes }) => this.#count("cache.value.size", bytes, method, "write"));
    for (const change of ["set", "delete", "expire", "purge", "evict", "invalidate"] as const)
      on(change, ({ method, count }) => this.#count("cache.changes", count, method, change));
    on("error", ({ method, kind }) => this.#count("cache.errors", 1, method, kind));
    on("breaker", ({ state }) => {
      this.#of("cache.breaker.open").value = state === "open" ? 1 : 0;
    });
    on("connection", ({ state }) => this.#count("cache.connections", 1, state));
    on("http", ({ outcome, status, durationMs }) =>
      this.#record(
        "cache.http.request.duration",
        durationMs,
        outcome,
        status === undefined ? "error" : `${Math.floor(status / 100)}xx`,
      ),
    );
    return () => {
      this.#users--;
      for (const end of ends) end();
    };
  }

  close(): void {
    this.#drain();
    this.#meter?.removeBatchObservableCallback(this.#observe, [...this.#observables.values()]);
  }

  #call({ method, hits, misses, stale, bytes, bytesWritten, savedMs, durationMs, error }: CallEvent): void {
    let series = this.#methods.get(method);
    if (!series) {
      series = { calls: this.#of("cache.calls", method), duration: this.#of("cache.call.duration", method) };
      this.#methods.set(method, series);
    }
    if (hits + misses + stale > 0) {
      series.lookups ??= {
        hit: this.#of("cache.lookups", method, "hit"),
        miss: this.#of("cache.lookups", method, "miss"),
        stale: this.#of("cache.lookups", method, "stale"),
      };
      series.lookups.hit.value += hits;
      series.lookups.miss.value += misses;
      series.lookups.stale.value += stale;
    }
    if (bytes > bytesWritten) {
      series.read ??= this.#of("cache.value.size", method, "read");
      series.read.value += bytes - bytesWritten;
    }
    if (savedMs > 0) {
      series.saved ??= this.#of("cache.load.saved", method);
      series.saved.value += savedMs / 1_000;
    }
    if (error === undefined) {
      series.calls.value++;
      this.#time("cache.call.duration", series.duration, durationMs);
    } else {
      this.#count("cache.calls", 1, method, errorType(error));
      this.#record("cache.call.duration", durationMs, method, errorType(error));
    }
  }

  /**
   * Counts all round trips, and times all of them while there are few between two collections; of many a part.
   * @returns a function that ends it
   */
  #roundTrips(events: Events): () => void {
    const server = serverOf(events.source);
    const counted = this.#of("cache.round_trips");
    const plain = new Map<string, Series>();
    const make = (commands: readonly string[], error?: unknown): Series => {
      const type = error === undefined ? {} : { "error.type": errorType(error) };
      const all: Attributes = { ...server, ...operationOf(commands), ...type };
      const { attributes } = INSTRUMENTS["db.client.operation.duration"];
      return this.#of("db.client.operation.duration", ...attributes.map((name) => all[name] as Value));
    };
    let heard = 0;
    const listener = ({ commands, durationMs, error }: CacheEvents["roundTrip"]): void => {
      if (++heard > SAMPLE) listen(true);
      const [command = ""] = commands;
      const isPlain = commands.length === 1 && error === undefined;
      const series = (isPlain && plain.get(command)) || make(commands, error);
      if (isPlain && !plain.has(command)) plain.set(command, series);
      this.#time("db.client.operation.duration", series, durationMs);
    };
    let isSampled = false;
    let stop = events.on("roundTrip", listener);
    const listen = (sampled: boolean): void => {
      if (sampled === isSampled || this.#settings.durations === "all") return;
      isSampled = sampled;
      stop();
      stop = sampled ? events.sample(listener) : events.on("roundTrip", listener);
    };
    let seen = events.sent.roundTrips;
    const collect = (): void => {
      const count = events.sent.roundTrips - seen;
      counted.value += count;
      seen += count;
      heard = 0;
      listen(count > SAMPLE);
    };
    this.#collects.add(collect);
    return () => {
      collect();
      stop();
      this.#collects.delete(collect);
    };
  }

  /** What the near cache has answered, and what it holds, read at each collection. @returns a function that ends it */
  #near({ sent, near }: Events): () => void {
    if (!near) return () => {};
    const series = [this.#of("cache.near.hits"), this.#of("cache.near.entries"), this.#of("cache.near.size")];
    let seen = [sent.nearHits, 0, 0];
    const count = (...now: number[]): void => {
      for (const [i, one] of series.entries()) one.value += (now[i] ?? 0) - (seen[i] ?? 0);
      seen = now;
    };
    const collect = (): void => count(sent.nearHits, near.entries, near.size);
    this.#collects.add(collect);
    return () => {
      count(sent.nearHits, 0, 0);
      this.#collects.delete(collect);
    };
  }

  /** @param values of the instrument's attributes, in their order */
  #count(name: CounterName, count: number, ...values: readonly Value[]): void {
    this.#of(name, ...values).value += count;
  }

  /** @param values of the instrument's attributes, in their order */
  #record(name: HistogramName, durationMs: number, ...values: readonly Value[]): void {
    this.#time(name, this.#of(name, ...values), durationMs);
  }

  /** Records a duration, or keeps it for the next collection; of many a random sample (Vitter 1985, algorithm R). */
  #time(name: HistogramName, series: Series, durationMs: number): void {
    if (!this.#meter) this.#open();
    const seconds = durationMs / 1_000;
    const { durations } = series;
    if (this.#meter && (this.#settings.durations === "all" || !SAMPLED.has(name))) {
      this.#histograms.get(name)?.record(seconds, series.attributes);
    } else if (series.value++ < SAMPLE) durations.push(seconds);
    else {
      const place = Math.floor(Math.random() * series.value);
      if (place < SAMPLE) durations[place] = seconds;
    }
  }

  /** @param values of the instrument's attributes, in their order */
  #of(name: InstrumentName, ...values: readonly Value[]): Series {
    const all = this.#series.get(name) ?? new Map<string, Series>();
    const key = values.join();
    const known = all.get(key);
    if (known) return known;
    const { attributes: names }: Instrument = INSTRUMENTS[name];
    const attributes: Attributes = { "cache.name": this.#settings.name };
    for (const [i, attribute] of names.entries()) if (values[i] !== undefined) attributes[attribute] = values[i];
    const series = { attributes, value: 0, durations: [] };
    this.#series.set(name, all.set(key, series));
    return series;
  }

  /** Makes the instruments, unless no SDK has started yet. */
  #open(): void {
    const meter = metrics.getMeter(SCOPE);
    if (meter === createNoopMeter()) return;
    this.#meter = meter;
    for (const name of INSTRUMENT_NAMES) {
      const { kind, description, unit, buckets = [] }: Instrument = INSTRUMENTS[name];
      const options = { description, unit };
      if (kind === "counter") this.#observables.set(name, meter.createObservableCounter(name, options));
      else if (kind === "gauge") this.#observables.set(name, meter.createObservableGauge(name, options));
      else {
        const advice = { explicitBucketBoundaries: [...buckets] };
        this.#histograms.set(name, meter.createHistogram(name, { ...options, advice }));
      }
    }
    meter.addBatchObservableCallback(this.#observe, [...this.#observables.values()]);
  }

  readonly #observe = (result: BatchObservableResult): void => {
    for (const collect of this.#collects) collect();
    this.#drain();
    for (const [name, observable] of this.#observables) {
      for (const { value, attributes } of this.#series.get(name)?.values() ?? [])
        result.observe(observable, value, attributes);
    }
  };

  /** Gives the SDK the durations that were kept. It collects histograms after it has called `#observe`. */
  #drain(): void {
    for (const [name, histogram] of this.#histograms) {
      for (const series of this.#series.get(name)?.values() ?? []) {
        for (const seconds of series.durations.splice(0)) histogram.record(seconds, series.attributes);
        series.value = 0;
      }
    }
  }
}
