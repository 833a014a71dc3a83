import type { Call, Log as CallLog } from "../promises/model.ts";
import { type Birth, type End, type Extension, type Log, OUTSIDE, type Purge, type Sighting } from "./history.ts";

/** A cache's own lifetime of entries, in milliseconds. */
export const DEFAULT_TTL_MS = 60_000;

export interface Circumstances {
  readonly process: number;
  readonly client: "default" | "herd";
  /** Scans find all keys: nothing moves keys, and no replica is asked. */
  readonly isScanWhole: boolean;
  /** The process sets its clock, by which `herd()` judges lifetimes. */
  readonly setsClock: boolean;
}

const SCANS = /^(deletePattern|clear|flush)$/;
const LIFETIMES = /^(touch|expire|expireAt|persist)$/;
const LOADS = /^getOrSet/;
/** They delete the purge log as well. */
const LOSSES = /^(clear|flush)$/;

/** What random calls of one cache did and saw. */
export function logOfCalls({ calls, unhandled }: CallLog, circumstances: Circumstances): Log {
  const births: Birth[] = [];
  const ends: End[] = [];
  const extensions: Extension[] = [];
  for (const call of calls) {
    births.push(...birthsOf(call, circumstances));
    ends.push(...endsOf(call, circumstances));
    if (LIFETIMES.test(call.operation.method)) extensions.push(...extensionsOf(call));
  }
  const strange = [
    ...unhandled.map((error) => `unhandled rejection: ${error}`),
    ...calls.flatMap(({ reads, operation }) =>
      reads.flatMap(([place, seen]) =>
        seen && "other" in seen && seen.other !== "integer" ? [`${place}: ${operation.method}: ${seen.other}`] : [],
      ),
    ),
  ];
  const losses = calls.flatMap(({ operation, startMs, endMs = Infinity, rejection, isDoubtful }) =>
    LOSSES.test(operation.method) ? [[startMs, rejection || isDoubtful ? Infinity : endMs] as const] : [],
  );
  const sightings = sightingsOf(calls, circumstances);
  return { births, ends, extensions, sightings, purges: [], losses, strange, operations: calls.length };
}

function birthsOf(call: Call, { client }: Circumstances): Birth[] {
  const { operation, writes, loads, startMs } = call;
  const isSure = call.endMs !== undefined && call.rejection === undefined && !call.isDoubtful;
  const writtenMs = isSure && call.endMs !== undefined ? call.endMs : Infinity;
  const { ttl = DEFAULT_TTL_MS / 1_000 } = operation;
  const ttlMs = ttl === null ? Infinity : ttl * 1_000;
  const written = Object.entries(writes).map(([place, id]) => ({
    ...{ place, id, startMs, endMs: writtenMs, untilMs: writtenMs + ttlMs },
  }));
  const loaded = loads.flatMap(({ beganMs, endedMs = Infinity, made }) => {
    // `herd()` may load in the background, and so may calls that wait no longer.
    const isStored = client === "default" && endedMs <= writtenMs && call.firedMs === undefined;
    const endMs = isStored ? writtenMs : Infinity;
    return Object.entries(made).map(([place, id]) => ({
      ...{ place, id, startMs: beganMs, endMs, untilMs: endMs + ttlMs },
    }));
  });
  return [...written, ...loaded];
}

function endsOf(call: Call, { process, isScanWhole }: Circumstances): End[] {
  const { operation, startMs, endMs, writes } = call;
  if (endMs === undefined || call.rejection || call.isDoubtful) return [];
  if (SCANS.test(operation.method) && !isScanWhole) return [];
  return call.changed.map((place) => ({
    ...{ place, startMs, endMs, process, what: operation.method },
    ...(writes[place] === undefined ? {} : { keeps: writes[place] }),
  }));
}

function extensionsOf({ operation, places, rejection, isDoubtful, endMs = Infinity }: Call): Extension[] {
  const { method, ttl } = operation;
  const byDefault = method === "touch" ? DEFAULT_TTL_MS / 1_000 : 1;
  const isLong = method === "persist" || method === "expireAt" || ttl === null;
  const untilMs = isLong ? Infinity : endMs + (ttl ?? byDefault) * 1_000;
  return places.map((place) =>
    rejection || isDoubtful ? { place, endMs: Infinity, untilMs: Infinity } : { place, endMs, untilMs },
  );
}

function sightingsOf(calls: readonly Call[], { process, client, setsClock }: Circumstances): Sighting[] {
  let loading = { startMs: 0, endMs: 0 };
  return calls.flatMap(({ operation: { method }, startMs, endMs = Infinity, reads }) => {
    const isLoad = LOADS.test(method);
    if (isLoad) {
      // Calls of one cache that overlap may share a load.
      const isShared = loading.endMs >= startMs;
      loading = isShared ? { ...loading, endMs: Math.max(loading.endMs, endMs) } : { startMs, endMs };
    }
    const mayBeExpired = client === "herd" && (isLoad || setsClock);
    const fromMs = isLoad ? loading.startMs : startMs;
    return reads.flatMap(([place, seen]) =>
      seen && "id" in seen
        ? [{ place, id: seen.id, process, method, startMs: fromMs, mayBeExpired, mayBeStale: isLoad }]
        : [],
    );
  });
}

/** Joins what several caches and writers of one process did and saw. */
export function joinLogs(logs: readonly Log[]): Log {
  return {
    births: logs.flatMap(({ births }) => births),
    ends: logs.flatMap(({ ends }) => ends),
    extensions: logs.flatMap(({ extensions }) => extensions),
    sightings: logs.flatMap(({ sightings }) => sightings),
    purges: logs.flatMap(({ purges }) => purges),
    losses: logs.flatMap(({ losses }) => losses),
    strange: logs.flatMap(({ strange }) => strange),
    operations: logs.reduce((sum, { operations }) => sum + operations, 0),
  };
}

/** The log of one process or writer while it is being written. */
export class Notes implements Log {
  readonly births: Birth[] = [];
  readonly ends: End[] = [];
  readonly extensions: Extension[] = [];
  readonly purges: Purge[] = [];
  readonly losses: [number, number][] = [];
  readonly strange: string[] = [];
  operations = 0;
  readonly #process: number;
  /** The last sighting of each value, as only that one can be too late. */
  readonly #sightings = new Map<string, Sighting>();

  constructor(process: number = OUTSIDE) {
    this.#process = process;
  }

  get sightings(): Sighting[] {
    return [...this.#sightings.values()];
  }

  /** For messages between processes. */
  toLog(): Log {
    const { births, ends, extensions, sightings, purges, losses, strange, operations } = this;
    return { births, ends, extensions, sightings, purges, losses, strange, operations };
  }

  /** A value is to be written. It may be stored from now on. */
  writing(place: string, id: number, nowMs: number, more: Pick<Birth, "tags" | "isLoaded"> = {}): Birth {
    const birth: Birth = { place, id, startMs: nowMs, endMs: Infinity, untilMs: Infinity, ...more };
    this.births.push(birth);
    return birth;
  }

  /** What was at a place before `startMs` is gone. */
  ended(end: Omit<End, "process">): void {
    this.ends.push({ ...end, process: this.#process });
  }

  purged(purge: Omit<Purge, "process">): void {
    this.purges.push({ ...purge, process: this.#process });
  }

  saw(sighting: Omit<Sighting, "process">): void {
    const { place, id, mayBeExpired, mayBeStale } = sighting;
    const kind = `${place} ${id} ${mayBeExpired} ${mayBeStale}`;
    const known = this.#sightings.get(kind);
    if (known && known.startMs >= sighting.startMs) return;
    this.#sightings.set(kind, { ...sighting, process: this.#process });
  }
}
