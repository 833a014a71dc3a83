import type { CallEvent } from "../core/event-types.js";
import type { HotName } from "./live.js";

/** How many names are kept. */
const CAPACITY = 200;

interface Row {
  readonly name: string;
  /** Its calls, and as many as the name had whose place it took: an upper bound. */
  count: number;
  /** What is known of it since it has its place. */
  calls: number;
  hits: number;
  misses: number;
  stale: number;
  loads: number;
  loadMs: number;
  maxMs: number;
}

/**
 * The names with the most calls, in bounded memory: the Space-Saving algorithm (Metwally, Agrawal, El Abbadi: Efficient
 * Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005). A new name takes the place of the one with the fewest
 * calls, and goes on counting from there. A name that has more than one of 200 calls is never missing. Rows are kept by
 * count, so that each call takes a few steps, however many names there are.
 */
export class HottestNames {
  readonly #rows = new Map<string, Row>();
  readonly #byCount = new Map<number, Set<Row>>();
  #least = 0;

  count(name: string, { hits, misses, stale }: Pick<CallEvent, "hits" | "misses" | "stale">): void {
    const row = this.#rows.get(name) ?? this.#enter(name);
    this.#raise(row);
    row.calls++;
    row.hits += hits;
    row.misses += misses;
    row.stale += stale;
  }

  load(name: string, durationMs: number): void {
    // The call that has loaded it ends later.
    const row = this.#rows.get(name) ?? (this.#rows.size < CAPACITY ? this.#enter(name) : undefined);
    if (row) addLoad(row, durationMs);
  }

  get(name: string): HotName | undefined {
    const row = this.#rows.get(name);
    return row && toHotName(row);
  }

  /** The most calls first. */
  top(count: number): HotName[] {
    const rows = [...this.#rows.values()].sort((a, b) => b.count - a.count);
    return rows.slice(0, count).map(toHotName);
  }

  #enter(name: string): Row {
    const old = this.#rows.size < CAPACITY ? undefined : this.#leastRow();
    const row = newRow(name, old?.count ?? 0);
    if (old) {
      this.#rows.delete(old.name);
      this.#byCount.get(old.count)?.delete(old);
    } else this.#least = 0;
    this.#rows.set(name, row);
    this.#rowsWith(row.count).add(row);
    return row;
  }

  #leastRow(): Row | undefined {
    for (const row of this.#byCount.get(this.#least) ?? []) return row;
    return undefined;
  }

  #raise(row: Row): void {
    const rows = this.#rowsWith(row.count);
    rows.delete(row);
    if (rows.size === 0) {
      this.#byCount.delete(row.count);
      // The row itself has one more: no other has fewer.
      if (row.count === this.#least) this.#least++;
    }
    row.count++;
    this.#rowsWith(row.count).add(row);
  }

  #rowsWith(count: number): Set<Row> {
    let rows = this.#byCount.get(count);
    if (!rows) {
      rows = new Set();
      this.#byCount.set(count, rows);
    }
    return rows;
  }
}

/**
 * The names with the slowest loads, in bounded memory. A name takes the place of the one whose slowest load is the fastest, if
 * its own was slower: so the slowest ones are exact, and the mean is that of the loads since the name has its place.
 */
export class SlowestNames {
  readonly #rows = new Map<string, Row>();
  /** What a new name has to exceed when all places are taken. */
  #least = 0;

  load(name: string, durationMs: number): void {
    let row = this.#rows.get(name);
    if (!row) {
      if (this.#rows.size >= CAPACITY && !this.#makeRoom(durationMs)) return;
      row = newRow(name, 0);
      this.#rows.set(name, row);
    }
    addLoad(row, durationMs);
  }

  /** The slowest first. @param calls knows of the names' calls */
  top(count: number, calls: Pick<HottestNames, "get">): HotName[] {
    const rows = [...this.#rows.values()].sort((a, b) => b.maxMs - a.maxMs);
    return rows.slice(0, count).map((row) => ({ ...toHotName(row), ...callsOf(calls.get(row.name)) }));
  }

  #makeRoom(durationMs: number): boolean {
    if (durationMs <= this.#least) return false;
    let least: Row | undefined;
    for (const row of this.#rows.values()) if (!least || row.maxMs < least.maxMs) least = row;
    this.#least = least?.maxMs ?? 0;
    if (!least || durationMs <= least.maxMs) return false;
    return this.#rows.delete(least.name);
  }
}

function newRow(name: string, count: number): Row {
  return { name, count, calls: 0, hits: 0, misses: 0, stale: 0, loads: 0, loadMs: 0, maxMs: 0 };
}

function addLoad(row: Row, durationMs: number): void {
  row.loads++;
  row.loadMs += durationMs;
  if (durationMs > row.maxMs) row.maxMs = durationMs;
}

function toHotName({ name, calls, hits, misses, stale, loads, loadMs, maxMs }: Row): HotName {
  return { name, calls, hits, misses, stale, loads, meanMs: loads === 0 ? 0 : loadMs / loads, maxMs };
}

function callsOf(known: HotName | undefined): Partial<HotName> {
  if (!known) return {};
  const { calls, hits, misses, stale } = known;
  return { calls, hits, misses, stale };
}

/** The rows of several processes as one list, of which each name is one row. @param by what the first ones have the most of */
export function mergeHotNames(lists: readonly (readonly HotName[])[], by: "calls" | "maxMs", count: number): HotName[] {
  const all = new Map<string, HotName>();
  for (const row of lists.flat()) {
    const known = all.get(row.name);
    all.set(row.name, known ? add(known, row) : row);
  }
  return [...all.values()].sort((a, b) => b[by] - a[by]).slice(0, count);
}

function add(a: HotName, b: HotName): HotName {
  const loads = a.loads + b.loads;
  return {
    name: a.name,
    calls: a.calls + b.calls,
    hits: a.hits + b.hits,
    misses: a.misses + b.misses,
    stale: a.stale + b.stale,
    loads,
    meanMs: loads === 0 ? 0 : (a.meanMs * a.loads + b.meanMs * b.loads) / loads,
    maxMs: Math.max(a.maxMs, b.maxMs),
  };
}
