import type { Cache } from "../cache/cache.js";
import { KeyBuilder } from "../cache/key-builder.js";
import type { Reply } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import { randomText, toText } from "../core/text.js";
import { mergeHotNames } from "./hot-names.js";
import { type FleetLive, type HotName, type LiveCounts, NO_COUNTS, type ProcessLive } from "./live.js";

export interface FleetKeys {
  /** There while the fleet is watched. */
  readonly watched: string;
  /** The hash of summaries, by the ids of processes. */
  readonly summaries: string;
}

const WATCHED = "{valkey-edge-cache}:watched";
const SUMMARIES = "{valkey-edge-cache}:processes";

/** Whether the name of a lock is that of a key of the fleet, which is none. */
export function isFleetName(name: string): boolean {
  return name === WATCHED || name === SUMMARIES;
}

/**
 * The keys of a cache's fleet, those of locks, so that no entry has them and near caches don't hear of their writes. They
 * share a slot of a cluster. @returns `undefined` where the key function has no keys of locks
 */
export function fleetKeys(cache: Cache): FleetKeys | undefined {
  const keys = new KeyBuilder({ ...cache.parts.settings, namespace: "" });
  try {
    return {
      watched: keys.lock(WATCHED, {}),
      summaries: keys.lock(SUMMARIES, {}),
    };
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** What one process reports. */
interface Summary {
  readonly id: string;
  /** Grows with each write. */
  readonly sequence: number;
  readonly host: string;
  readonly now: LiveCounts;
  readonly breaker: string;
  readonly near: { readonly entries: number; readonly bytes: number } | undefined;
  readonly leases: readonly { readonly key: string; readonly sinceMs: number }[];
  readonly hottestKeys: readonly HotName[];
  readonly slowestKeys: readonly HotName[];
}

/** How many names and leases are in a summary, which all watchers read each second. */
const MOST = 5;
const LONGEST_NAME = 300;
/** A longer field is no summary. */
const LONGEST_SUMMARY = 16_384;
/** A watcher reads no more processes than these. */
const MOST_PROCESSES = 1_000;

/** The host's name and the process's number, where there are any. */
export function hostName(): string {
  const process = globalThis.process as { pid?: number; getBuiltinModule?: (id: string) => unknown } | undefined;
  try {
    const os = process?.getBuiltinModule?.("node:os") as { hostname?(): string } | undefined;
    const host = os?.hostname?.();
    if (host) return process?.pid === undefined ? host : `${host}:${process.pid}`;
  } catch {
    // The host has none.
  }
  return globalThis.navigator?.userAgent?.slice(0, 60) ?? "unknown";
}

/** The summaries that this process writes, for one cache. */
export class OwnSummaries {
  #id: string | undefined;
  #sequence = 0;

  /** It is drawn late, as hosts don't allow randomness while code is loaded. */
  get id(): string {
    this.#id ??= randomText(8);
    return this.#id;
  }

  /** The next one, as JSON. */
  next(live: ProcessLive): string {
    return JSON.stringify(summarize(live, ++this.#sequence));
  }
}

function summarize(live: ProcessLive, sequence: number): Omit<Summary, "id"> {
  const { now, breaker, near, leases } = live;
  const isShort = ({ name }: HotName): boolean => name.length <= LONGEST_NAME;
  return {
    sequence,
    host: hostName(),
    now,
    breaker,
    near: near && { entries: near.entries, bytes: near.bytes },
    leases: leases.filter(({ key }) => key.length <= LONGEST_NAME).slice(0, MOST),
    hottestKeys: live.hottestKeys.filter(isShort).slice(0, MOST),
    slowestKeys: live.slowestKeys.filter(isShort).slice(0, MOST),
  };
}

/** The summaries in a reply to HGETALL. What is not one is left out: other versions and programs may write there. */
export function readSummaries(reply: Reply): Summary[] {
  const pairs = Array.isArray(reply) ? reply.slice(0, MOST_PROCESSES) : [];
  return pairs.flatMap((pair) => {
    const [id, json] = Array.isArray(pair) ? pair.map(textOf) : [];
    const summary = id === undefined || json === undefined ? undefined : readSummary(id, json);
    return summary ? [summary] : [];
  });
}

function textOf(reply: Reply): string {
  try {
    if (typeof reply === "string") return reply;
    return reply instanceof Uint8Array && reply.length <= LONGEST_SUMMARY ? toText(reply) : "";
  } catch {
    return "";
  }
}

function readSummary(id: string, json: string): Summary | undefined {
  try {
    const read: unknown = JSON.parse(json);
    if (!isRecord(read) || !Number.isSafeInteger(read.sequence)) return undefined;
    const { near } = read;
    return {
      id: id.slice(0, 64),
      sequence: Number(read.sequence),
      host: toShort(read.host),
      now: toCounts(read.now),
      breaker: toShort(read.breaker),
      near: isRecord(near) ? { entries: toNumber(near.entries), bytes: toNumber(near.bytes) } : undefined,
      leases: rows(read.leases).map(({ key, sinceMs }) => ({ key: toShort(key), sinceMs: toNumber(sinceMs) })),
      hottestKeys: rows(read.hottestKeys).map(toHotName),
      slowestKeys: rows(read.slowestKeys).map(toHotName),
    };
  } catch {
    return undefined;
  }
}

const COUNTS = Object.keys(NO_COUNTS) as (keyof LiveCounts)[];

function toCounts(read: unknown): LiveCounts {
  const counts = { ...NO_COUNTS };
  if (isRecord(read)) for (const name of COUNTS) counts[name] = toNumber(read[name]);
  return counts;
}

function toHotName(row: Readonly<Record<string, unknown>>): HotName {
  const [calls, hits, misses, stale] = [row.calls, row.hits, row.misses, row.stale].map(toNumber);
  const [loads, meanMs, maxMs] = [row.loads, row.meanMs, row.maxMs].map(toNumber);
  const name = toShort(row.name);
  return { name, calls, hits, misses, stale, loads, meanMs, maxMs } as HotName;
}

function rows(list: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.slice(0, MOST).filter(isRecord) : [];
}

function toNumber(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function toShort(value: unknown): string {
  return typeof value === "string" ? value.slice(0, LONGEST_NAME) : "";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A process whose number has stood still for so long has stopped, or is too busy to report. */
const STOPPED_MS = 3_500;
/** Its summary is deleted after this time. */
const FORGOTTEN_MS = 60_000;

interface SeenProcess {
  readonly sequence: number;
  readonly sinceMs: number;
}

/** The processes that report, as a watcher has seen them. */
export class Seen {
  #processes: ReadonlyMap<string, SeenProcess> = new Map();
  /** The processes that have stopped long ago. */
  forgotten: readonly string[] = [];

  /** The fleet by what was read now. */
  next(summaries: readonly Summary[]): FleetLive {
    const nowMs = performance.now();
    const next = new Map<string, SeenProcess>();
    for (const { id, sequence } of summaries) {
      const known = this.#processes.get(id);
      next.set(id, known?.sequence === sequence ? known : { sequence, sinceMs: nowMs });
    }
    this.#processes = next;
    const ageOf = (id: string): number => nowMs - (next.get(id)?.sinceMs ?? nowMs);
    this.forgotten = summaries.filter(({ id }) => ageOf(id) > FORGOTTEN_MS).map(({ id }) => id);
    return toFleet(summaries.filter(({ id }) => ageOf(id) < STOPPED_MS));
  }
}

/** One process alone, where the fleet is not watched. */
export function fleetOf(id: string, live: ProcessLive): FleetLive {
  return toFleet([{ id, ...summarize(live, 0) }]);
}

function toFleet(summaries: readonly Summary[]): FleetLive {
  const now = { ...NO_COUNTS };
  for (const summary of summaries) for (const name of COUNTS) now[name] += summary.now[name];
  const leases = summaries.flatMap(({ id, leases }) => leases.map((lease) => ({ ...lease, process: id })));
  return {
    now,
    processes: summaries
      .map(({ id, host, now, breaker, near }) => ({
        id,
        host,
        now,
        breaker,
        nearEntries: near?.entries,
        nearBytes: near?.bytes,
      }))
      .sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : a.id < b.id ? -1 : 1)),
    leases: leases.sort((a, b) => a.sinceMs - b.sinceMs).slice(0, 50),
    hottestKeys: mergeHotNames(
      summaries.map(({ hottestKeys }) => hottestKeys),
      "calls",
      20,
    ),
    slowestKeys: mergeHotNames(
      summaries.map(({ slowestKeys }) => slowestKeys),
      "maxMs",
      20,
    ),
  };
}
