import { toMicroseconds } from "./histogram.js";

/** What calls of the cache's methods have found. */
export interface CallCounts {
  /** Calls that have ended. */
  readonly calls: number;
  /** The keys of these calls. */
  readonly keys: number;
  /** Calls that threw, or would have thrown without `ignoreErrors`. */
  readonly failed: number;
  /** Keys with a fresh value. */
  readonly hits: number;
  /** Keys without a value that could be returned. */
  readonly misses: number;
  /** Keys whose stale value was returned. */
  readonly stale: number;
  /** How long the loads of its hits took, as far as the herd client has stored it. */
  readonly savedMs: number;
}

/** All that is counted. Times are milliseconds. */
export interface Counts extends CallCounts {
  /** Errors of calls, and of work that no caller waits for. */
  readonly errors: number;
  /** Size of the encoded values that were read, in bytes, or in characters where they are text. */
  readonly bytesRead: number;
  /** Size of the encoded values that were written, as of those that were read. */
  readonly bytesWritten: number;
  /** Loaders that ran. */
  readonly loads: number;
  /** Loaders that threw. */
  readonly failedLoads: number;
  /** Loads that no caller waited for. */
  readonly backgroundLoads: number;
  /** How long loaders ran. */
  readonly loadMs: number;
  /** Waits for a value that another caller loaded. */
  readonly waits: number;
  /** Waits that timed out. */
  readonly unansweredWaits: number;
  /** How long these waits took. */
  readonly waitMs: number;
  /** Leases that this process got. */
  readonly claimsWon: number;
  /** Leases that another process had. */
  readonly claimsLost: number;
  /** Loaded values that were not stored, as their lease was lost. */
  readonly fenced: number;
  /** Fresh values that were refreshed before they expired. */
  readonly early: number;
  /** Stored values that the schema of a definition has refused. */
  readonly refused: number;
  /** Renewals of leases. */
  readonly renewals: number;
  /** Renewals that found the lease lost. */
  readonly lostRenewals: number;
  /** Round trips to the server. A batch of commands is one. */
  readonly roundTrips: number;
  /** The commands and scripts of these round trips. */
  readonly commands: number;
  /** Lookups that the near cache has answered without the server, including those of the HTTP cache. */
  readonly nearHits: number;
  /** How often the circuit breaker has opened. */
  readonly breakerOpenings: number;
  /** Connections that were opened. */
  readonly connectionsOpened: number;
  /** Connections that were open and have ended. */
  readonly connectionsEnded: number;
  /** Connections that could not be opened. */
  readonly connectionsFailed: number;
  /** Values that the near cache has dropped to make room. */
  readonly evictions: number;
  /** Values that the near cache has dropped because they changed at the server. */
  readonly invalidations: number;
  /** Calls that purged responses. */
  readonly purges: number;
  /** Requests that the HTTP cache has answered. */
  readonly requests: number;
  /** Requests that it has answered from the store. */
  readonly requestHits: number;
  /** Requests whose response was stored. */
  readonly requestsStored: number;
  /** Requests that have waited for another one's response. */
  readonly requestsCollapsed: number;
}

/** Counts of some time. */
export type Period<C extends CallCounts> = C & {
  /** How long that was. */
  readonly seconds: number;
  /** `(hits + stale) / (hits + misses + stale)`; `null` when nothing was looked up. */
  readonly hitRatio: number | null;
};

/** Counts since the start, and in the last minutes: the one that is running, and the whole ones before it. */
export interface Periods<C extends CallCounts> {
  /** Since the start. */
  readonly total: Period<C>;
  /** In the last minute. */
  readonly lastMinute: Period<C>;
  /** In the last 5 minutes. */
  readonly last5Minutes: Period<C>;
  /** In the last 15 minutes. */
  readonly last15Minutes: Period<C>;
}

export type Writable<C> = { -readonly [K in keyof C]: C[K] };

export const noCalls = (): Writable<CallCounts> => ({
  calls: 0,
  keys: 0,
  failed: 0,
  hits: 0,
  misses: 0,
  stale: 0,
  savedMs: 0,
});

export const nothing = (): Writable<Counts> => ({
  ...noCalls(),
  errors: 0,
  bytesRead: 0,
  bytesWritten: 0,
  loads: 0,
  failedLoads: 0,
  backgroundLoads: 0,
  loadMs: 0,
  waits: 0,
  unansweredWaits: 0,
  waitMs: 0,
  claimsWon: 0,
  claimsLost: 0,
  fenced: 0,
  early: 0,
  refused: 0,
  renewals: 0,
  lostRenewals: 0,
  roundTrips: 0,
  commands: 0,
  nearHits: 0,
  breakerOpenings: 0,
  connectionsOpened: 0,
  connectionsEnded: 0,
  connectionsFailed: 0,
  evictions: 0,
  invalidations: 0,
  purges: 0,
  requests: 0,
  requestHits: 0,
  requestsStored: 0,
  requestsCollapsed: 0,
});

const MINUTE_MS = 60_000;
/** The whole minutes of the longest period, and the one that is running. */
const SLOTS = 16;

/** The minutes since a start, by a clock that never jumps. It has no timer: whoever counts asks it. */
export class Minutes {
  /** Milliseconds since the epoch. */
  readonly sinceMs = Date.now();
  readonly #startMs = performance.now();
  #nowMs = this.#startMs;

  /** The running minute. */
  get current(): number {
    return Math.floor((this.#nowMs - this.#startMs) / MINUTE_MS);
  }

  /** When the next one begins. */
  get nextMs(): number {
    return this.#startMs + (this.current + 1) * MINUTE_MS;
  }

  /** How long the running minute and so many before it have lasted. */
  seconds(minutes: number): number {
    const fromMs = Math.max(0, this.current - minutes) * MINUTE_MS;
    return (this.#nowMs - this.#startMs - fromMs) / 1_000;
  }

  advance(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }
}

/** Counts, and what they were when each of the last minutes began. */
export class Counter<C extends CallCounts> {
  readonly total: Writable<C>;
  readonly #minutes: Minutes;
  /** By minute, modulo their number; what began before the counter is absent. */
  readonly #before: C[] = [];
  #minute: number;

  constructor(minutes: Minutes, make: () => Writable<C>) {
    this.#minutes = minutes;
    this.#minute = minutes.current;
    this.total = make();
  }

  /** Notes what the counts are, when a minute begins. */
  turn(): void {
    const { current } = this.#minutes;
    const counts = { ...this.total };
    for (let minute = Math.max(this.#minute + 1, current - SLOTS + 1); minute <= current; minute++) {
      this.#before[minute % SLOTS] = counts;
    }
    this.#minute = current;
  }

  periods(): Periods<C> {
    return {
      total: this.#since(Infinity),
      lastMinute: this.#since(1),
      last5Minutes: this.#since(5),
      last15Minutes: this.#since(15),
    };
  }

  #since(minutes: number): Period<C> {
    const minute = this.#minute - minutes;
    const before = minute < 0 ? undefined : this.#before[minute % SLOTS];
    return toPeriod(
      combine(this.total, before, (now, then) => now - then),
      this.#minutes.seconds(minutes),
    );
  }
}

/** The counts of all periods of two processes or caches. */
export function addPeriods<C extends CallCounts>(a: Periods<C>, b: Periods<C>): Periods<C> {
  const add = (one: Period<C>, other: Period<C>): Period<C> =>
    toPeriod(
      combine<C>(one, other, (x, y) => x + y),
      Math.max(one.seconds, other.seconds),
    );
  return {
    total: add(a.total, b.total),
    lastMinute: add(a.lastMinute, b.lastMinute),
    last5Minutes: add(a.last5Minutes, b.last5Minutes),
    last15Minutes: add(a.last15Minutes, b.last15Minutes),
  };
}

function toPeriod<C extends CallCounts>(counts: C, seconds: number): Period<C> {
  const { hits, misses, stale } = counts;
  return { ...counts, seconds: toMicroseconds(seconds), hitRatio: ratio(hits + stale, hits + misses + stale) };
}

export function ratio(part: number, all: number): number | null {
  return all === 0 ? null : part / all;
}

/** @param b counts nothing when it is absent */
function combine<C extends CallCounts>(a: C, b: C | undefined, by: (a: number, b: number) => number): C {
  const names = Object.keys(a) as (keyof C & string)[];
  const pairs = names.map((name) => [name, toMicroseconds(by(Number(a[name]), Number(b?.[name] ?? 0)))] as const);
  return Object.fromEntries(pairs) as unknown as C;
}
