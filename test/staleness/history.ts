/** `prefix:version:key`, as the default key function joins them. */
export type Place = string;

/** The number of whatever changes entries outside of the processes with near caches. */
export const OUTSIDE = -1;

/** A value that was stored, or is to be, at some moment between two. */
export interface Birth {
  readonly place: Place;
  readonly id: number;
  readonly startMs: number;
  /** `Infinity` while it may still be stored: its write has failed, or nobody knows when it ends. */
  endMs: number;
  /** When its own lifetime ends at the latest. */
  untilMs: number;
  /** By which purges end it: those that began after its loader was called, or else after its write ended. @default none */
  readonly tags?: readonly string[];
  readonly isLoaded?: boolean;
}

/** A purge that has ended. */
export interface Purge {
  /** What the places begin with that it can end. */
  readonly prefix: string;
  readonly tags: readonly string[];
  readonly match: "any" | "all";
  /** What it ends may be returned by methods that load. */
  readonly soft: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly process: number;
}

/** A write, or a look at the server: values that were stored before `startMs` are gone at `endMs`. */
export interface End {
  readonly place: Place;
  readonly startMs: number;
  readonly endMs: number;
  readonly process: number;
  /** What it wrote or found. */
  readonly keeps?: number | undefined;
  readonly what: string;
}

/** A change of lifetimes. It may have failed, but may also have been carried out until `endMs`. */
export interface Extension {
  readonly place: Place;
  endMs: number;
  untilMs: number;
}

/** A value that was read. */
export interface Sighting {
  readonly place: Place;
  readonly id: number;
  readonly process: number;
  readonly method: string;
  /** When the latest call began that has returned it; of calls that may share a load, when the first of them began. */
  startMs: number;
  /** The method may return values whose lifetime has ended, as `getOrSet` of `herd()` does. */
  readonly mayBeExpired: boolean;
  /** The method may return values that were purged softly: it loads. */
  readonly mayBeStale: boolean;
}

/** What one process did and saw. */
export interface Log {
  readonly births: readonly Birth[];
  readonly ends: readonly End[];
  readonly extensions: readonly Extension[];
  readonly sightings: readonly Sighting[];
  readonly purges: readonly Purge[];
  /** From when to when purge logs may have been deleted: what was stored before counts as softly purged. */
  readonly losses: readonly (readonly [startMs: number, endMs: number])[];
  /** What can't be told by times: values of nobody, errors that no caller got. */
  readonly strange: readonly string[];
  readonly operations: number;
}

/** What was promised in a round. */
export interface Promised {
  readonly maxStalenessMs: number;
  /** Within it, a process may miss its own writes: 0, except where reads go to replicas. */
  readonly ownMs: number;
  /** From when to when a failover may have lost writes. */
  readonly lost: readonly (readonly [startMs: number, endMs: number])[];
}

export interface Violation {
  readonly promise: "bounded staleness" | "own writes" | "own lifetime" | "purges" | "nothing that never was";
  readonly what: string;
  readonly atMs: number;
  /** What else happened to the entry, and when. */
  readonly events: readonly (readonly [atMs: number, what: string])[];
}

/** Rounding of lifetimes by the server, in milliseconds. */
const ROUNDING_MS = 5;
/** Entries that `incrVersion` moves: a value that was stored at one place turns up at others. */
const MOVED = /:-?\d+:moved/;

/** All that happened to the entries of a round, in all processes. */
export class History {
  readonly #births = new Map<Place, Map<number, Birth>>();
  readonly #ends = new Map<Place, End[]>();
  readonly #extensions = new Map<Place, Extension[]>();
  /** With those that a failover may have lost. */
  readonly #allEnds = new Map<Place, End[]>();
  /** When a look last found a value at the server. */
  readonly #looks = new Map<Place, Map<number, number>>();
  readonly #sightings: readonly Sighting[];
  readonly #purges: readonly Purge[];
  readonly #losses: Log["losses"];
  readonly #strange: readonly string[];
  readonly #promised: Promised;

  constructor(logs: readonly Log[], promised: Promised) {
    this.#promised = promised;
    this.#sightings = logs.flatMap(({ sightings }) => sightings);
    this.#strange = logs.flatMap(({ strange }) => strange);
    this.#losses = [...logs.flatMap(({ losses }) => losses), ...promised.lost];
    this.#purges = logs.flatMap(({ purges }) => purges.filter((purge) => !isLost(promised, purge)));
    for (const birth of logs.flatMap(({ births }) => births)) {
      const place = home(birth.place);
      const known = this.#births.get(place) ?? new Map();
      this.#births.set(place, known.set(birth.id, birth));
    }
    for (const end of logs.flatMap(({ ends }) => ends)) {
      push(this.#allEnds, end);
      this.#recordLook(end);
      if (!isLost(promised, end)) push(this.#ends, end);
    }
    for (const ends of this.#ends.values()) ends.sort((a, b) => a.startMs - b.startMs);
    for (const extension of logs.flatMap(({ extensions }) => extensions)) push(this.#extensions, extension);
  }

  violations(): Violation[] {
    const strange = this.#strange.map(
      (what) => ({ promise: "nothing that never was", what, atMs: 0, events: [] }) as const,
    );
    return [...strange, ...this.#sightings.flatMap((sighting) => this.#judge(sighting))];
  }

  /** For each value that was overwritten by an outside write: how long after its reply a process still returned the old one. */
  lags(): number[] {
    return this.#sightings.flatMap((sighting) => {
      const birth = this.#births.get(home(sighting.place))?.get(sighting.id);
      const end = birth && this.#endOf(birth, ({ process, what }) => process === OUTSIDE && what !== LOOK);
      // What was not read any more shortly before does not say how soon the process knew.
      if (!end || sighting.startMs < end.startMs - RECENT_MS) return [];
      return [Math.max(0, sighting.startMs - end.endMs)];
    });
  }

  #judge(sighting: Sighting): Violation[] {
    const { place, id, process, method, startMs, mayBeExpired, mayBeStale } = sighting;
    const found = (promise: Violation["promise"], what: string): Violation[] => [
      {
        promise,
        what: `${place}: process ${process}, ${method}: ${id} ${what}`,
        atMs: startMs,
        events: this.#eventsOf(place, startMs),
      },
    ];
    const birth = this.#births.get(home(place))?.get(id);
    if (!birth) return found("nothing that never was", "was never stored");
    if (MOVED.test(place)) return [];
    const { maxStalenessMs, ownMs } = this.#promised;
    const counts = (end: End): boolean => !this.#cameBack(birth, end);
    const own = this.#endOf(birth, (end) => end.process === process && end.what !== LOOK && counts(end));
    const lateMs = own ? startMs - own.endMs : 0;
    if (own && lateMs > ownMs) return found("own writes", `was returned ${late(lateMs)} its own ${told(own, birth)}`);
    // A look finds no value that was purged softly.
    const mayBeGone = mayBeExpired || (mayBeStale && birth.tags !== undefined);
    const end = this.#endOf(birth, (one) => (!mayBeGone || one.what !== LOOK) && counts(one));
    const staleMs = end ? startMs - end.endMs : 0;
    if (end && staleMs > maxStalenessMs)
      return found("bounded staleness", `was returned ${late(staleMs)} ${told(end, birth)}`);
    const purge = this.#purgeOf(birth, sighting);
    if (purge) return found("purges", `was returned ${late(startMs - purge.endMs)} ${JSON.stringify(purge)}`);
    const overMs = startMs - this.#untilOf(birth);
    if (!mayBeExpired && overMs > ROUNDING_MS)
      return found("own lifetime", `was returned ${late(overMs)} its lifetime; stored at ${span(birth)}`);
    return [];
  }

  /** A purge because of which a value must not have been returned. */
  #purgeOf({ place, tags = [], isLoaded, startMs, endMs }: Birth, sighting: Sighting): Purge | undefined {
    const { maxStalenessMs, ownMs } = this.#promised;
    // Its stamp may be of a log that was lost.
    const isOld = this.#losses.some(([, lostMs]) => lostMs + maxStalenessMs > startMs);
    return this.#purges.find((purge) => {
      const isOwn = purge.process === sighting.process;
      if (purge.startMs <= (isLoaded ? startMs : endMs) || !place.startsWith(purge.prefix)) return false;
      if (sighting.startMs <= purge.endMs + (isOwn ? ownMs : maxStalenessMs)) return false;
      if (sighting.mayBeStale && (purge.soft || isOld)) return false;
      return purge.match === "all"
        ? purge.tags.every((tag) => tags.includes(tag))
        : purge.tags.some((tag) => tags.includes(tag));
    });
  }

  #eventsOf(place: Place, atMs: number): Violation["events"] {
    const near = (this.#allEnds.get(place) ?? []).filter(({ startMs }) => Math.abs(startMs - atMs) < EVENTS_MS);
    return near.map((end) => [end.startMs, `${end.what} of process ${end.process}: ${end.keeps ?? "nothing"}`]);
  }

  #recordLook({ what, place, keeps, startMs }: End): void {
    if (what !== LOOK || keeps === undefined) return;
    const looks = this.#looks.get(place) ?? new Map<number, number>();
    this.#looks.set(place, looks.set(keeps, Math.max(startMs, looks.get(keeps) ?? startMs)));
  }

  /** Whether the server itself had a value again after its end, as after a failover to a replica that had not heard of it. */
  #cameBack({ place, id }: Birth, { endMs }: End): boolean {
    return (this.#looks.get(place)?.get(id) ?? Number.NEGATIVE_INFINITY) > endMs;
  }

  /** The first of some ends of a value. */
  #endOf({ place, id, endMs }: Birth, counts: (end: End) => boolean): End | undefined {
    const ends = this.#ends.get(place) ?? [];
    let first: End | undefined;
    for (let i = firstFrom(ends, endMs); i < ends.length; i++) {
      const end = ends[i] as End;
      if (first && end.startMs >= first.endMs) break;
      if (end.keeps !== id && counts(end) && end.endMs < (first?.endMs ?? Infinity)) first = end;
    }
    return first;
  }

  #untilOf({ place, startMs, untilMs }: Birth): number {
    const later = (this.#extensions.get(place) ?? []).filter(({ endMs }) => endMs >= startMs);
    return Math.max(untilMs, ...later.map((one) => one.untilMs));
  }
}

/** Whether a failover may have lost what was written then. */
function isLost({ lost }: Promised, { startMs, endMs }: { readonly startMs: number; readonly endMs: number }): boolean {
  return lost.some(([fromMs, toMs]) => endMs >= fromMs && startMs <= toMs);
}

/** What an end is called that only looked at the server. */
export const LOOK = "look";
const RECENT_MS = 20;
const EVENTS_MS = 3_000;

/** Where the first item is that starts at a moment or later. */
function firstFrom(ends: readonly End[], ms: number): number {
  let from = 0;
  let to = ends.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ends[middle]?.startMs ?? Infinity) < ms) from = middle + 1;
    else to = middle;
  }
  return from;
}

function push<T extends { readonly place: Place }>(map: Map<Place, T[]>, item: T): void {
  const list = map.get(item.place);
  if (list) list.push(item);
  else map.set(item.place, [item]);
}

function home(place: Place): Place {
  return place.replace(MOVED, ":*:moved");
}

const late = (ms: number): string => `${ms.toFixed(1)} ms after`;
const span = ({ startMs, endMs }: { startMs: number; endMs: number }): string =>
  `${startMs.toFixed(1)}–${endMs.toFixed(1)}`;
const told = (end: End, birth: Birth): string =>
  `${end.what} of process ${end.process} at ${span(end)} (found or wrote ${end.keeps ?? "nothing"}); stored at ${span(birth)}`;
