import type { Operation } from "./operations.ts";

/** `prefix:version:key`, as the default key function joins them. */
export type Place = string;

/** One run of a loader. */
export interface Load {
  readonly beganMs: number;
  endedMs: number | undefined;
  /** The number of each value that it made, by place. */
  readonly made: Readonly<Record<Place, number>>;
  /** Whether there was a value to answer meanwhile. */
  readonly hadStale: boolean;
}

/** How a call rejected. */
export interface Rejection {
  readonly name: string;
  readonly message: string;
  /** The library's error, a `TypeError`, the signal's reason or what the loader threw. */
  readonly kind: "library" | "arguments" | "signal" | "loader" | "unknown";
}

/** What one call did and when, on a clock that all processes share. */
export interface Call {
  /** The number of its cache; `FOREIGN` is a connection without one. */
  readonly cache: number;
  readonly operation: Operation;
  readonly startMs: number;
  /** Absent when it has not settled. */
  endMs?: number;
  /** How long this process stood still meanwhile. */
  stalledMs: number;
  rejection?: Rejection;
  /** The places that it addressed, in the caller's order. */
  readonly places: readonly Place[];
  /** What it read at each place: the number of a value, or what was there instead. */
  reads: (readonly [Place, Seen])[];
  /** The keys of the answer in its order, for methods that answer with a map. */
  answered?: readonly string[];
  /** Values to be written, by place. */
  readonly writes: Record<Place, number>;
  readonly loads: Load[];
  /** Places that it has changed: written, deleted or counted. */
  changed: readonly Place[];
  /** When its signal fired. */
  firedMs?: number;
  /** A store error was reported instead of thrown, so that it is not known what it has changed. */
  isDoubtful?: boolean;
}

/** Nothing, the number of a value, or a value that is none of the test's. */
export type Seen = { readonly id: number } | { readonly other: string } | undefined;

export interface Report {
  readonly cache: number;
  readonly atMs: number;
  readonly method: string;
  readonly key: string;
  readonly error: string;
}

/** An error that the store threw, and whether a caller or `onError` got it. */
export interface StoreError {
  readonly call: Call | undefined;
  readonly error: string;
  readonly wasHeard: boolean;
}

/** What happened in one cache. */
export interface Log {
  readonly calls: readonly Call[];
  readonly reports: readonly Report[];
  readonly storeErrors: readonly StoreError[];
  readonly unhandled: readonly string[];
  readonly closedAfterMs: number | undefined;
  /** Calls after `close()` that did not reject with a `ConnectionError`. */
  readonly openAfterClose: readonly string[];
}

/** More than there are caches in a round; the last number is that of connections without a cache. */
export const CACHES = 4;
export const FOREIGN = CACHES - 1;

/** Milliseconds on a clock that all processes of a machine share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** A value with a number. The number says its type, so that a value can be compared with what was stored. */
export function valueFor(id: number): unknown {
  const kinds = [{ id }, `v${id}`, [id, null, true, 1.5, "ü"], { id, text: "x".repeat(300), list: [{ deep: { id } }] }];
  return kinds[Math.floor(id / CACHES) % kinds.length];
}

/** The number of a value of `valueFor`. */
export function idOf(value: unknown): Seen {
  if (value === undefined) return undefined;
  const [digits] = /\d+/.exec(JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part))) ?? [];
  const id = Number(digits);
  if (digits !== undefined && JSON.stringify(value) === JSON.stringify(valueFor(id))) return { id };
  return {
    other: typeof value === "number" || typeof value === "bigint" ? "integer" : JSON.stringify(value).slice(0, 60),
  };
}

/** When a value came into being: between these moments. `toMs` is infinite while a write may still arrive. */
export interface Birth {
  readonly place: Place;
  readonly cache: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly loadedBy: Call | undefined;
}

/** An acknowledged change of a place: what was born before `startMs` is gone after `endMs`. */
export interface Change {
  readonly cache: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly call: Call;
}

export interface Reading {
  readonly call: Call;
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  /** When the shared load began that the caller may have joined; `startMs` for plain reads. */
  readonly joinedMs: number;
}

/** All calls of a round, by value and by place. */
export class History {
  readonly births = new Map<number, Birth>();
  readonly logs: readonly Log[];
  readonly calls: readonly Call[];
  readonly #byPlace = new Map<Place, Call[]>();

  constructor(logs: readonly Log[]) {
    this.logs = logs;
    this.calls = logs.flatMap(({ calls }) => calls).sort((a, b) => a.startMs - b.startMs);
    for (const call of this.calls) this.#add(call);
  }

  get places(): Place[] {
    return [...this.#byPlace.keys()];
  }

  /** Calls that addressed or changed a place, in the order of their starts. */
  at(place: Place): readonly Call[] {
    return this.#byPlace.get(place) ?? [];
  }

  changes(place: Place): Change[] {
    return this.at(place).flatMap((call) => {
      const { cache, startMs, endMs } = call;
      if (endMs === undefined || call.rejection || call.isDoubtful || !call.changed.includes(place)) return [];
      return [{ cache, startMs, endMs, call }];
    });
  }

  /** Values that were read at a place, in the order of the calls' starts. */
  readings(place: Place): Reading[] {
    const chains = new Map<number, { startMs: number; endMs: number }>();
    return this.at(place).flatMap((call) => {
      const { startMs, endMs = Infinity, operation } = call;
      let joinedMs = startMs;
      if (operation.method.startsWith("getOrSet")) {
        // Calls of one cache that overlap may share a load with one another.
        const before = chains.get(call.cache);
        const chain = before && before.endMs >= startMs ? before : { startMs, endMs };
        joinedMs = chain.startMs;
        chains.set(call.cache, { startMs: joinedMs, endMs: Math.max(chain.endMs, endMs) });
      }
      return call.reads.flatMap(([at, seen]) =>
        at === place && seen && "id" in seen ? [{ call, id: seen.id, startMs, endMs, joinedMs }] : [],
      );
    });
  }

  #add(call: Call): void {
    const failed = call.isDoubtful || call.rejection !== undefined || call.endMs === undefined;
    for (const [place, id] of Object.entries(call.writes)) {
      const toMs = failed ? Infinity : (call.endMs ?? Infinity);
      this.births.set(id, { place, cache: call.cache, fromMs: call.startMs, toMs, loadedBy: undefined });
    }
    for (const { beganMs, made } of call.loads) {
      for (const [place, id] of Object.entries(made))
        this.births.set(id, { place, cache: call.cache, fromMs: beganMs, toMs: beganMs, loadedBy: call });
    }
    for (const place of call.places) {
      const list = this.#byPlace.get(place);
      if (list) list.push(call);
      else this.#byPlace.set(place, [call]);
    }
  }
}
