import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HottestNames, mergeHotNames, SlowestNames } from "../../src/inspect/hot-names.js";

const HIT = { hits: 1, misses: 0, stale: 0 };

describe("the hottest names", () => {
  it("have all that has more than one of 200 calls, whatever the order of the calls", () => {
    const calls = fc.array(fc.oneof({ weight: 1, arbitrary: fc.nat(3) }, { weight: 9, arbitrary: fc.nat(100_000) }), {
      minLength: 2_000,
      maxLength: 4_000,
      size: "max",
    });
    fc.assert(
      fc.property(calls, (numbers) => {
        const names = new HottestNames();
        const exact = new Map<string, number>();
        for (const number of numbers) {
          const name = `key-${number}`;
          names.count(name, HIT);
          exact.set(name, (exact.get(name) ?? 0) + 1);
        }
        const top = new Set(names.top(200).map(({ name }) => name));
        expect(top.size).toBeLessThanOrEqual(200);
        const frequent = [...exact].filter(([, count]) => count > numbers.length / 200);
        expect(frequent.filter(([name]) => !top.has(name))).toEqual([]);
        // What is counted of a name since it has its place is never more than it has.
        for (const { name, calls } of names.top(200)) expect(calls).toBeLessThanOrEqual(exact.get(name) ?? 0);
      }),
      { numRuns: 30 },
    );
  });

  it("are exact while there are no more than 200 of them", () => {
    const names = new HottestNames();
    for (let name = 0; name < 200; name++) for (let i = 0; i <= name; i++) names.count(String(name), HIT);
    expect(names.top(3)).toMatchObject([
      { name: "199", calls: 200, hits: 200 },
      { name: "198", calls: 199 },
      { name: "197", calls: 198 },
    ]);
    expect(names.get("0")).toMatchObject({ calls: 1 });
  });

  it("have the load of a call that has not ended yet", () => {
    const names = new HottestNames();
    names.load("a", 10);
    names.count("a", { hits: 0, misses: 1, stale: 0 });
    expect(names.top(1)).toEqual([
      { name: "a", calls: 1, hits: 0, misses: 1, stale: 0, loads: 1, meanMs: 10, maxMs: 10 },
    ]);
  });
});

describe("the slowest names", () => {
  it("are exact by their slowest load, whatever the order of the loads", () => {
    const loads = fc.array(fc.tuple(fc.nat(2_000), fc.nat(10_000)), {
      minLength: 1_000,
      maxLength: 3_000,
      size: "max",
    });
    fc.assert(
      fc.property(loads, (all) => {
        const names = new SlowestNames();
        const exact = new Map<string, number>();
        for (const [number, ms] of all) {
          names.load(String(number), ms);
          exact.set(String(number), Math.max(ms, exact.get(String(number)) ?? 0));
        }
        const slowest = [...exact.values()].sort((a, b) => b - a).slice(0, 20);
        expect(names.top(20, new HottestNames()).map(({ maxMs }) => maxMs)).toEqual(slowest);
      }),
      { numRuns: 50 },
    );
  });

  it("say what is known of their calls", () => {
    const [hottest, slowest] = [new HottestNames(), new SlowestNames()];
    hottest.count("a", HIT);
    slowest.load("a", 5);
    expect(slowest.top(1, hottest)).toEqual([
      { name: "a", calls: 1, hits: 1, misses: 0, stale: 0, loads: 1, meanMs: 5, maxMs: 5 },
    ]);
  });
});

it("the names of several processes are one list, with the mean of all their loads", () => {
  const row = { name: "a", calls: 1, hits: 0, misses: 1, stale: 0, loads: 1, meanMs: 10, maxMs: 10 };
  const slower = { ...row, loads: 3, meanMs: 30, maxMs: 50 };
  const other = { ...row, name: "b", maxMs: 20 };
  expect(mergeHotNames([[row, other], [slower]], "maxMs", 2)).toEqual([
    { name: "a", calls: 2, hits: 0, misses: 2, stale: 0, loads: 4, meanMs: 25, maxMs: 50 },
    other,
  ]);
  expect(mergeHotNames([[row], [other]], "calls", 1)).toHaveLength(1);
});
