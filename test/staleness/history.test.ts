import { expect, it } from "vitest";
import {
  type Birth,
  type End,
  History,
  LOOK,
  type Log,
  OUTSIDE,
  type Promised,
  type Purge,
  type Sighting,
  type Violation,
} from "./history.ts";

const PLACE = "p:1:a";
const PROMISED: Promised = { maxStalenessMs: 100, ownMs: 0, lost: [] };

const born = (id: number, startMs: number, endMs = startMs + 1): Birth => ({
  ...{ place: PLACE, id, startMs, endMs, untilMs: Number.POSITIVE_INFINITY },
});
const ended = (startMs: number, more: Partial<End> = {}): End => ({
  ...{ place: PLACE, startMs, endMs: startMs + 1, process: OUTSIDE, what: "delete" },
  ...more,
});
const seen = (id: number, startMs: number, more: Partial<Sighting> = {}): Sighting => ({
  ...{ place: PLACE, id, startMs, process: 0, method: "get", mayBeExpired: false, mayBeStale: false },
  ...more,
});
const NOTHING: Log = {
  ...{ births: [], ends: [], extensions: [], sightings: [], purges: [], losses: [] },
  ...{ strange: [], operations: 0 },
};
const history = (log: Partial<Log>, promised: Partial<Promised> = {}) =>
  new History([{ ...NOTHING, ...log }], {
    ...PROMISED,
    ...promised,
  });
const promisesBroken = (log: Partial<Log>, promised: Partial<Promised> = {}) =>
  history(log, promised)
    .violations()
    .map(({ promise }) => promise);

it.each([
  ["before the bound", 110, []],
  ["after the bound", 112, ["bounded staleness"]],
])("a value that was deleted may be returned %s", (_when, atMs, broken) => {
  expect(promisesBroken({ births: [born(1, 0)], ends: [ended(10)], sightings: [seen(1, atMs)] })).toEqual(broken);
});

it("an own write counts from its reply on, and another process's write only after the bound", () => {
  const log = { births: [born(1, 0), born(2, 10)], sightings: [seen(1, 12)] };
  expect(promisesBroken({ ...log, ends: [ended(10, { process: 0, keeps: 2 })] })).toEqual(["own writes"]);
  expect(promisesBroken({ ...log, ends: [ended(10, { process: 1, keeps: 2 })] })).toEqual([]);
});

it.each([
  ["a write that overlaps with the value's own, as it may have come before", born(1, 9, 11), ended(10)],
  ["a write whose value it is", born(1, 0), ended(10, { keeps: 1 })],
  ["a write before a value that may still be stored, as its own write has failed", born(1, 0, Infinity), ended(10)],
])("%s ends no value", (_what, birth, end) => {
  expect(promisesBroken({ births: [birth], ends: [end], sightings: [seen(1, 1_000)] })).toEqual([]);
});

it("a look at the server that finds another value ends a value, but not for methods that may return expired ones", () => {
  const log = { births: [born(1, 0)], ends: [ended(10, { what: LOOK })] };
  expect(promisesBroken({ ...log, sightings: [seen(1, 200)] })).toEqual(["bounded staleness"]);
  expect(promisesBroken({ ...log, sightings: [seen(1, 200, { mayBeExpired: true })] })).toEqual([]);
});

it("writes that a failover may have lost end nothing, those before it do", () => {
  const log = { births: [born(1, 0)], sightings: [seen(1, 500)] };
  expect(promisesBroken({ ...log, ends: [ended(10)] }, { lost: [[5, 50]] })).toEqual([]);
  expect(promisesBroken({ ...log, ends: [ended(10)] }, { lost: [[20, 50]] })).toEqual(["bounded staleness"]);
});

it("a value that a later look finds at the server has come back", () => {
  const look = ended(200, { what: LOOK, keeps: 1 });
  const log = { births: [born(1, 0)], sightings: [seen(1, 500)] };
  expect(promisesBroken({ ...log, ends: [ended(10), look] })).toEqual([]);
  expect(promisesBroken({ ...log, ends: [look, ended(300)] })).toEqual(["bounded staleness"]);
});

it("a value ends with its lifetime, unless that was changed", () => {
  const log = { births: [{ ...born(1, 0), untilMs: 30 }], sightings: [seen(1, 50)] };
  expect(promisesBroken(log)).toEqual(["own lifetime"]);
  expect(promisesBroken({ ...log, extensions: [{ place: PLACE, endMs: 10, untilMs: 60 }] })).toEqual([]);
});

const purged = (startMs: number, more: Partial<Purge> = {}): Purge => ({
  ...{ prefix: "p:1:", tags: ["red"], match: "any", soft: false, startMs, endMs: startMs + 1, process: 1 },
  ...more,
});
const load = { method: "getOrSet", mayBeStale: true };

it.each<[string, Partial<Log>, Violation["promise"][]]>([
  ["before the bound", { purges: [purged(10)], sightings: [seen(1, 110)] }, []],
  ["after the bound", { purges: [purged(10)], sightings: [seen(1, 112)] }, ["purges"]],
  [
    "at once, when it is the process's own",
    { purges: [purged(10, { process: 0 })], sightings: [seen(1, 12)] },
    ["purges"],
  ],
  ["by a load as well", { purges: [purged(10)], sightings: [seen(1, 112, load)] }, ["purges"]],
  ["but for loads, when it is soft", { purges: [purged(10, { soft: true })], sightings: [seen(1, 112, load)] }, []],
  [
    "by other methods also when it is soft",
    { purges: [purged(10, { soft: true })], sightings: [seen(1, 112)] },
    ["purges"],
  ],
  [
    "but for loads, when the log was lost",
    { purges: [purged(10)], losses: [[20, 21]], sightings: [seen(1, 112, load)] },
    [],
  ],
  ["not when it began before the value's write ended", { purges: [purged(1)], sightings: [seen(1, 112)] }, []],
  [
    "not when it needs more tags",
    { purges: [purged(10, { tags: ["red", "blue"], match: "all" })], sightings: [seen(1, 112)] },
    [],
  ],
  ["not in other caches", { purges: [purged(10, { prefix: "q:1:" })], sightings: [seen(1, 112)] }, []],
])("a purge ends what has its tags %s", (_when, log, broken) => {
  expect(promisesBroken({ births: [{ ...born(1, 0, 2), tags: ["red"] }], ...log })).toEqual(broken);
});

it("a value that was loaded is ended by purges since its loader was called", () => {
  const birth = { ...born(1, 0, 20), tags: ["red"], isLoaded: true };
  expect(promisesBroken({ births: [birth], purges: [purged(10)], sightings: [seen(1, 130)] })).toEqual(["purges"]);
});

it("a value that no process has stored is found, also one of another entry", () => {
  expect(promisesBroken({ sightings: [seen(1, 50)] })).toEqual(["nothing that never was"]);
  const elsewhere = { ...born(1, 0), place: "p:1:b" };
  expect(promisesBroken({ births: [elsewhere], sightings: [seen(1, 50)] })).toEqual(["nothing that never was"]);
});

it("lags are counted from the reply to an outside write, for values that were read shortly before", () => {
  const log = { births: [born(1, 0)], ends: [ended(100)] };
  expect(history({ ...log, sightings: [seen(1, 104)] }).lags()).toEqual([3]);
  expect(history({ ...log, sightings: [seen(1, 99)] }).lags()).toEqual([0]);
  expect(history({ ...log, sightings: [seen(1, 50)] }).lags()).toEqual([]);
});
