import { type Birth, CACHES, type Call, FOREIGN, type History, type Place } from "./model.ts";
import { ENTRIES } from "./operations.ts";
import type { Round } from "./round.ts";

/** A broken promise, with the calls that show it. */
export interface Violation {
  readonly promise: string;
  readonly what: string;
  readonly calls: readonly Call[];
}

interface Found {
  readonly what: string;
  readonly calls: readonly Call[];
}

type Check = (history: History, round: Round) => Found[];

/** Longer than a busy machine keeps a call waiting, once the time that its process stood still is taken off. */
const MARGIN_MS = 1_000;
const SIGNAL_MARGIN_MS = 250;
/** A load that its callers have left may store its value as late as this after its end. */
const STORED_LATE_MS = 200;

/** Each promise by its name. */
export const CHECKS: Readonly<Record<string, Check>> = {
  "no lost update": (history, { client }) => {
    if (client !== "herd") return [];
    return entryPlaces(history).flatMap((place) => {
      const plain = history.readings(place).filter(({ call }) => !call.operation.method.startsWith("getOrSet"));
      const newest = newestBefore(
        plain.map((reading) => ({ ...reading, bornMs: history.births.get(reading.id)?.fromMs ?? 0 })),
      );
      return plain.flatMap(({ call, id, startMs }) => {
        const birth = history.births.get(id);
        const before = newest(startMs);
        if (!birth || !before || birth.toMs >= before.bornMs) return [];
        const what = `${place}: ${id} was read after ${before.id}, which is newer by ${ms(before.bornMs - birth.toMs)}`;
        return [{ what, calls: [...made(history, id), ...made(history, before.id), before.call, call] }];
      });
    });
  },

  "no resurrection": (history, { client }) =>
    entryPlaces(history).flatMap((place) => {
      const changes = history.changes(place);
      const lastOf = new Map(
        [...Array(CACHES).keys(), undefined].map((cache) => [
          cache,
          newestBefore(
            changes
              .filter((change) => cache === undefined || change.cache === cache)
              .map((change) => ({ ...change, bornMs: change.startMs })),
          ),
        ]),
      );
      return history.readings(place).flatMap(({ call, id, startMs, joinedMs }) => {
        const birth = history.births.get(id);
        if (!birth || birth.place !== place) return [];
        // The default client promises this only within the cache that loads; a write's value is never stored again.
        const isOwnOnly = client === "default" && birth.loadedBy !== undefined;
        if (isOwnOnly && mayBeStoredLate(history, birth)) return [];
        const suspects = [
          // A change through the same cache ends the sharing of loads, one elsewhere does not.
          isOwnOnly && birth.cache !== call.cache ? undefined : lastOf.get(call.cache)?.(startMs),
          isOwnOnly ? undefined : lastOf.get(undefined)?.(joinedMs),
          isOwnOnly && birth.cache !== call.cache ? lastOf.get(birth.cache)?.(joinedMs) : undefined,
        ];
        const change = suspects.find((one) => one !== undefined && one.bornMs > birth.toMs);
        if (!change) return [];
        const what = `${place}: ${id} was read ${ms(startMs - change.endMs)} after a change that began ${ms(change.startMs - birth.toMs)} after it`;
        return [{ what, calls: [...made(history, id), change.call, call] }];
      });
    }),

  "own writes": (history, { weather }) => {
    if (weather !== "calm") return [];
    return entryPlaces(history).flatMap((place) => {
      const calls = history.at(place);
      return calls.flatMap((call, i) => {
        const isPlainRead = /^(get|getMany|mget)$/.test(call.operation.method);
        if (!isPlainRead || call.rejection) return [];
        const write = calls.slice(0, i).findLast((each) => each.cache === call.cache && each.changed.includes(place));
        const id = write?.writes[place];
        if (!write || id === undefined || (write.endMs ?? Infinity) >= call.startMs) return [];
        const { ttl } = write.operation;
        const untilMs = ttl === null || ttl === undefined ? Infinity : write.startMs + ttl * 1_000;
        if ((call.endMs ?? Infinity) >= untilMs - 1) return [];
        const isDisturbed = calls.some((other) => other !== write && mayChange(other, place, write.startMs, call));
        const seen = call.reads.find(([at]) => at === place)?.[1];
        if (isDisturbed || (seen && "id" in seen && seen.id === id)) return [];
        return [{ what: `${place}: ${JSON.stringify(seen)} was read instead of ${id}`, calls: [write, call] }];
      });
    });
  },

  order: (history) =>
    history.calls.flatMap((call) => {
      const asked = call.operation.keys.filter((key) => call.answered?.includes(key));
      if (!call.answered || asked.join() === call.answered.join()) return [];
      return [{ what: `asked for ${asked.join()}, answered with ${call.answered.join()}`, calls: [call] }];
    }),

  types: (history, { weather }) =>
    history.calls.flatMap((call) =>
      call.reads.flatMap(([place, seen]) => {
        if (seen === undefined) return [];
        if ("id" in seen)
          return history.births.has(seen.id) ? [] : [{ what: `${place}: ${seen.id} was never stored`, calls: [call] }];
        // Entries that `incr` creates.
        if (seen.other === "integer" || weather.includes("foreign")) return [];
        return [{ what: `${place}: ${seen.other}`, calls: [call] }];
      }),
    ),

  "no leak across keys, versions and prefixes": (history) =>
    history.calls.flatMap((call) =>
      call.reads.flatMap(([place, seen]) => {
        const birth = seen && "id" in seen ? history.births.get(seen.id) : undefined;
        if (!birth || home(birth.place) === home(place)) return [];
        return [{ what: `${place}: a value of ${birth.place}`, calls: [call] }];
      }),
    ),

  bounded: (history, round) =>
    history.calls.flatMap((call) => {
      const boundMs = boundOf(call, round) + MARGIN_MS;
      const tookMs = call.endMs === undefined ? Infinity : call.endMs - call.startMs - call.stalledMs;
      return tookMs <= boundMs ? [] : [{ what: `took ${ms(tookMs)}, more than ${ms(boundMs)}`, calls: [call] }];
    }),

  signal: (history) =>
    history.calls.flatMap((call) => {
      if (call.firedMs === undefined) return [];
      const tookMs = (call.endMs ?? Infinity) - call.firedMs - call.stalledMs;
      if (tookMs > SIGNAL_MARGIN_MS) return [{ what: `went on for ${ms(tookMs)} after its signal`, calls: [call] }];
      const isBefore = call.operation.abortAfterMs === 0;
      const isRefused = call.rejection?.kind === "signal" && call.loads.length === 0;
      return isBefore && !isRefused ? [{ what: "began although its signal had fired", calls: [call] }] : [];
    }),

  "soft timeout": (history, { weather }) =>
    history.calls.flatMap((call) => {
      const { softTimeout } = call.operation;
      const [load] = call.loads;
      // Under faults the store may take longer than the longest load.
      if (softTimeout === undefined || !load?.hadStale || weather.includes("faults")) return [];
      const tookMs = (call.endMs ?? Infinity) - load.beganMs - call.stalledMs;
      const boundMs = softTimeout * 1_000 + SIGNAL_MARGIN_MS;
      return tookMs <= boundMs ? [] : [{ what: `waited for ${ms(tookMs)} with a stale value at hand`, calls: [call] }];
    }),

  "only known errors": (history, { weather }) => [
    ...history.logs.flatMap(({ unhandled }) => unhandled.map((error) => ({ what: `unhandled: ${error}`, calls: [] }))),
    ...history.calls.flatMap((call) => {
      const { rejection, operation } = call;
      if (!rejection) return [];
      const isExpected =
        rejection.kind === "library"
          ? weather !== "calm" ||
            !/^(ConnectionError|TimeoutError|ReplyError|DecodeError)$/.test(rejection.name) ||
            call.operation.hardTimeout !== undefined
          : rejection.kind === "arguments"
            ? operation.nx === true && operation.xx === true
            : rejection.kind !== "unknown";
      return isExpected ? [] : [{ what: `${rejection.name}: ${rejection.message}`, calls: [call] }];
    }),
  ],

  reported: (history) =>
    history.logs.flatMap(({ storeErrors, reports }) => [
      ...storeErrors.flatMap(({ call, error, wasHeard }) =>
        wasHeard ? [] : [{ what: `${error} was neither thrown nor reported`, calls: call ? [call] : [] }],
      ),
      ...reports.flatMap(({ method, key, error }) => {
        const hasKey =
          key !== "" || /Many$|^(mget|mset|flush|purge|purgeTags|sets\.(union|difference|intersection))$/.test(method);
        return method !== "" && hasKey
          ? []
          : [{ what: `reported without its method or key: ${method} ${error}`, calls: [] }];
      }),
    ]),

  close: (history, { commandTimeoutMs }) =>
    history.logs.flatMap(({ closedAfterMs, openAfterClose }) => {
      const boundMs = 2 * commandTimeoutMs + LONGEST_LOAD_MS + MARGIN_MS;
      const found = openAfterClose.map((what) => ({ what: `after close(), ${what}`, calls: [] }));
      if (closedAfterMs !== undefined && closedAfterMs <= boundMs) return found;
      return [...found, { what: `close() took ${ms(closedAfterMs ?? Infinity)}, more than ${ms(boundMs)}`, calls: [] }];
    }),
};

const LONGEST_LOAD_MS = 500;

/** All broken promises of a round. */
export function violations(history: History, round: Round): Violation[] {
  return Object.entries(CHECKS).flatMap(([promise, check]) =>
    check(history, round).map((found) => ({ promise, ...found })),
  );
}

/** How long a call may take. Scans take several round trips, and start again when their connection is lost. */
function boundOf({ operation: { method, load } }: Call, { client, commandTimeoutMs, waitTimeoutMs }: Round): number {
  const tripMs = 2 * commandTimeoutMs;
  if (/^(keys|iterKeys|deletePattern|clear)$|iterate$/.test(method)) return 6 * tripMs;
  if (method === "lock") return 2 * tripMs + 100;
  if (!load) return tripMs;
  // A caller may join another caller's load, and then load itself.
  const onceMs = 2 * LONGEST_LOAD_MS + 2 * tripMs + (client === "herd" ? waitTimeoutMs + tripMs : 0);
  return client === "herd" ? 4 * onceMs : onceMs;
}

/** The item with the latest `bornMs` of those that ended before a moment. */
function newestBefore<T extends { readonly endMs: number; readonly bornMs: number }>(
  items: readonly T[],
): (ms: number) => T | undefined {
  const newest: T[] = [];
  const sorted = [...items].sort((a, b) => a.endMs - b.endMs);
  for (const item of sorted) {
    const last = newest.at(-1);
    newest.push(last && last.bornMs > item.bornMs ? last : item);
  }
  return (moment) => {
    let from = 0;
    let to = sorted.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((sorted[middle]?.endMs ?? Infinity) < moment) from = middle + 1;
      else to = middle;
    }
    return newest[from - 1];
  };
}

const MAY_CHANGE =
  /^(set|add|setMany|mset|getOrSet|getOrSetMany|delete|deleteMany|touch|expire|expireAt|expireSoft|expireSoftMany|persist|incr|decr|deletePattern|clear|flush)$/;

/** Whether a call may have changed a place between a write and the end of a read. */
function mayChange(other: Call, place: Place, fromMs: number, { endMs = Infinity }: Call): boolean {
  if (!MAY_CHANGE.test(other.operation.method) || other.startMs > endMs || !other.places.includes(place)) return false;
  const loadedMs = Math.max(0, ...other.loads.map((load) => (load.endedMs ?? Infinity) + STORED_LATE_MS));
  return Math.max(other.endMs ?? Infinity, loadedMs) >= fromMs;
}

/** The call that made a value. */
function made({ calls, births }: History, id: number): Call[] {
  const birth = births.get(id);
  if (birth?.loadedBy) return [birth.loadedBy];
  const write = birth && calls.find(({ writes }) => writes[birth.place] === id);
  return write ? [write] : [];
}

/** Whether storing a loaded value has failed, so that the server may carry it out at any later time. */
function mayBeStoredLate({ logs }: History, { cache, fromMs, place }: Birth): boolean {
  const reports = logs.flatMap((log) => log.reports);
  return reports.some(
    (report) =>
      report.cache === cache &&
      report.atMs >= fromMs &&
      report.method.startsWith("getOrSet") &&
      (report.key === "" || report.key === place),
  );
}

function entryPlaces({ places }: History): Place[] {
  return places.filter((place) => ENTRIES.some((key) => place.endsWith(`:${key}`)));
}

/** A place without the version of entries that `incrVersion` moves. */
function home(place: Place): string {
  return place.replace(/:-?\d+:moved/, ":*:moved");
}

function ms(time: number): string {
  return `${time.toFixed(1)} ms`;
}

/** The calls of a violation in the order of their starts, one line each. */
export function describe({ promise, what, calls }: Violation): string {
  const sorted = [...new Set(calls)].sort((a, b) => a.startMs - b.startMs);
  const firstMs = sorted[0]?.startMs ?? 0;
  const lines = sorted.map((call) => {
    const { cache, operation, startMs, endMs, reads, writes, loads, rejection, firedMs } = call;
    const { method, keys, ...options } = operation;
    const details = {
      ...options,
      ...(Object.keys(writes).length > 0 ? { writes } : {}),
      ...(loads.length > 0
        ? {
            loads: loads.map((load) => ({
              ...load,
              beganMs: load.beganMs - firstMs,
              endedMs: (load.endedMs ?? Infinity) - firstMs,
            })),
          }
        : {}),
      ...(reads.length > 0 ? { reads } : {}),
      ...(rejection ? { rejection: `${rejection.name}: ${rejection.message}` } : {}),
      ...(firedMs === undefined ? {} : { firedMs: firedMs - firstMs }),
    };
    const who = cache === FOREIGN ? "foreign" : `cache ${cache}`;
    const span = `${(startMs - firstMs).toFixed(2)}–${((endMs ?? Infinity) - firstMs).toFixed(2)} ms`;
    return `    ${span} ${who}: ${method} ${keys.join()} ${JSON.stringify(details)}`;
  });
  return [`${promise}: ${what}`, ...lines].join("\n");
}
