import { describe, expect, it, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { defaultClient } from "../../../src/client/default-client.js";
import type { EventName } from "../../../src/core/event-types.js";
import { Events } from "../../../src/core/events.js";
import { record } from "../cache/events.js";
import { type Fleets, slowLoader } from "./fleet.js";

const NAMES: readonly EventName[] = ["hit", "miss", "stale", "wait", "load", "set", "claim", "fenced", "early"];

/** What a cache tells from now on: the event's name, its key, and what is told beside that and is not always the same. */
function told(cache: Cache): unknown[][] {
  const seen: unknown[][] = [];
  for (const name of NAMES) {
    cache.on(name, (event: object) => {
      const {
        key,
        method: _,
        count: _1,
        bytes: _2,
        savedMs: _3,
        ...more
      } = event as { key: string } & Record<string, unknown>;
      for (const usual of ["shared", "background"]) if (more[usual] === false) delete more[usual];
      seen.push(Object.keys(more).length > 0 ? [name, key.split(":").at(-1), more] : [name, key.split(":").at(-1)]);
    });
  }
  return seen;
}

export function events({ fakeTime, fleet }: Fleets): void {
  describe("the events of herd()", () => {
    const pass = fakeTime();

    it("of a miss: a claim and a load, and of a hit", async () => {
      const cache = fleet()();
      const seen = told(cache);
      const loader = slowLoader<number>();
      const given = cache.getOrSet("a", loader);
      await pass(250);
      loader.resolve(1);
      await given;
      await cache.getOrSet("a", loader);
      expect(seen).toEqual([
        ["claim", "a", { won: true }],
        ["miss", "a"],
        ["load", "a", { durationMs: 250, failed: false }],
        ["set", "a"],
        ["hit", "a"],
      ]);
    });

    it("of a wait: one lost claim, and how long it was", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const seen = told(there);
      const loader = slowLoader<number>();
      const first = here.getOrSet("a", loader);
      await pass(0);
      const second = there.getOrSet("a", loader);
      await pass(1_000);
      loader.resolve(1);
      await pass(200);
      await Promise.all([first, second]);
      expect(seen).toEqual([
        ["miss", "a"],
        ["claim", "a", { won: false }],
        ["wait", "a", { durationMs: expect.any(Number), answered: true }],
      ]);
      expect(seen[2]?.[2]).toHaveProperty(
        "durationMs",
        expect.toSatisfy((ms: number) => ms >= 1_000 && ms <= 1_110),
      );
    });

    it("of a wait that ran out", async () => {
      const open = fleet({ waitTimeout: 1 });
      void open().getOrSet("a", slowLoader());
      await pass(0);
      const cache = open();
      const seen = told(cache);
      const given = cache.getOrSet("a", () => 1);
      await pass(1_100);
      await given;
      expect(seen).toEqual([
        ["miss", "a"],
        ["claim", "a", { won: false }],
        ["wait", "a", { durationMs: 1_000, answered: false }],
        ["load", "a", { durationMs: 0, failed: false }],
      ]);
    });

    it("of a stale value, and of what replaces it", async () => {
      const cache = fleet()();
      await cache.set("a", 1, { ttl: 1 });
      await pass(1_500);
      const seen = told(cache);
      await cache.getOrSet("a", () => 2);
      await pass(0);
      await cache.getOrSet("a", () => 3);
      expect(seen.slice(0, 2)).toEqual(expect.arrayContaining([["stale", "a"]]));
      expect(seen.filter(([name]) => name !== "stale")).toEqual([
        ["claim", "a", { won: true }],
        ["load", "a", { durationMs: 0, failed: false, background: true }],
        ["set", "a"],
        ["hit", "a"],
      ]);
    });

    it("of a load that failed", async () => {
      const cache = fleet()();
      const seen = told(cache);
      await cache.getOrSet("a", () => Promise.reject(new Error("broken"))).catch(() => {});
      expect(seen).toEqual([
        ["claim", "a", { won: true }],
        ["miss", "a"],
        ["load", "a", { durationMs: 0, failed: true }],
      ]);
    });

    it("of a value that was not stored, as its lease was lost", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const seen = told(here);
      const loader = slowLoader<number>();
      const given = here.getOrSet("a", loader);
      await pass(0);
      await there.delete("a");
      loader.resolve(1);
      await given;
      expect(seen.at(-1)).toEqual(["fenced", "a"]);
    });

    it("of an early refresh, once for a fleet", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const first = slowLoader<number>();
      const given = here.getOrSet("a", first, { ttl: 10 });
      await pass(1_000);
      first.resolve(1);
      await given;
      await pass(9_500);
      vi.spyOn(Math, "random").mockReturnValue(0);
      const seen = [told(here), told(there)];
      const second = slowLoader<number>();
      for (const cache of [here, there, here]) {
        await cache.getOrSet("a", second);
        await pass(10);
      }
      expect(seen).toEqual([
        [
          ["hit", "a"],
          ["claim", "a", { won: true }],
          ["early", "a"],
          ["hit", "a"],
        ],
        [["hit", "a"]],
      ]);
    });

    it("of each key of getOrSetMany", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      await here.set("hit", 1);
      await here.set("stale", 1, { ttl: 1 });
      await pass(1_500);
      const slow = slowLoader<number>();
      void there.getOrSet("busy", slow);
      await pass(0);
      const seen = told(here);
      const given = here.getOrSetMany(["hit", "stale", "busy", "miss"], (keys) =>
        Object.fromEntries(keys.map((key) => [key, 2])),
      );
      await pass(100);
      slow.resolve(1);
      await pass(100);
      await given;
      const names = (key: string) => seen.filter(([, one]) => one === key).map(([name]) => name);
      // Hits and misses are told of all keys together.
      expect(names("")).toEqual(expect.arrayContaining(["hit", "miss", "stale"]));
      expect(names("hit")).toEqual([]);
      expect(names("stale")).toEqual(["claim", "set"]);
      expect(names("miss")).toEqual(["claim", "set"]);
      expect(names("busy")).toEqual(["claim", "wait"]);
      expect(seen.filter(([name]) => name === "load")).toHaveLength(2);
    });

    it("of renewals of a lease, and of its loss", async () => {
      const open = fleet({ lease: 3 });
      const [here, there] = [open(), open()];
      const renewals: boolean[] = [];
      here.on("renew", ({ held, method }) => void renewals.push(held && method === "getOrSet"));
      const loader = slowLoader<number>();
      const given = here.getOrSet("a", loader);
      await pass(0);
      for (let second = 0; second < 2; second++) await pass(1_050);
      expect(renewals).toEqual([true, true]);
      await there.delete("a");
      await pass(1_050);
      expect(renewals).toEqual([true, true, false]);
      loader.resolve(1);
      expect(await given).toBe(1);
    });

    it("of callers that share a lookup: each is one call, and those that joined are marked", async () => {
      const cache = fleet()();
      const { calls, counts } = record(cache);
      const shared: [string, boolean][] = [];
      cache.on("hit", (event) => void shared.push(["hit", event.shared]));
      cache.on("miss", (event) => void shared.push(["miss", event.shared]));
      const loader = slowLoader<number>();
      const cold = [1, 2, 3].map(() => cache.getOrSet("a", loader));
      await pass(0);
      loader.resolve(1);
      expect(await Promise.all(cold)).toEqual([1, 1, 1]);
      expect(await Promise.all([1, 2, 3].map(() => cache.getOrSet("a", loader)))).toEqual([1, 1, 1]);
      expect(counts).toEqual({ miss: 3, hit: 3, set: 1 });
      expect(calls.map(({ hits, misses, stale }) => hits + misses + stale)).toEqual(Array(6).fill(1));
      const [one, joined] = [false, true];
      expect(shared.sort()).toEqual([
        ["hit", one],
        ["hit", joined],
        ["hit", joined],
        ["miss", one],
        ["miss", joined],
        ["miss", joined],
      ]);
    });

    it("of a refresh in the background: the caller had a stale value, and no caller waits for the load", async () => {
      const cache = fleet()();
      await cache.set("a", 1, { ttl: 1 });
      await pass(1_500);
      const { calls, counts } = record(cache);
      const loads: boolean[] = [];
      cache.on("load", ({ background }) => void loads.push(background));
      const callers = [1, 2, 3].map(() => cache.getOrSet("a", () => 2));
      expect(await Promise.all(callers)).toEqual([1, 1, 1]);
      await pass(0);
      expect(calls.map(({ hits, misses, stale }) => [hits, misses, stale])).toEqual(Array(3).fill([0, 0, 1]));
      expect(counts).toEqual({ stale: 3, set: 1 });
      expect(loads).toEqual([true]);
    });

    it("of getOrSetMany: one call whose counts are those of its keys, also when its loader fails", async () => {
      for (const fails of [false, true]) {
        const cache = fleet({ retryAfter: 0 })();
        await cache.setMany({ "hit 1": 1, "hit 2": 1 });
        await cache.set("stale", 1, { ttl: 1 });
        await pass(1_500);
        const { calls, counts } = record(cache);
        const keys = ["hit 1", "hit 2", "stale", "miss 1", "miss 2", "miss 3"];
        const load = (asked: string[]) =>
          fails ? Promise.reject(new Error("broken")) : Object.fromEntries(asked.map((key) => [key, 2]));
        const given = cache.getOrSetMany(keys, load).catch(() => {});
        await pass(0);
        await given;
        await pass(0);
        const [call] = calls;
        expect(calls).toHaveLength(1);
        expect(call).toMatchObject({ method: "getOrSetMany", key: "", count: 6, hits: 2 });
        expect((call?.misses ?? 0) + (call?.stale ?? 0)).toBe(4);
        expect([counts.hit, counts.miss, counts.stale ?? 0]).toEqual([2, call?.misses, call?.stale]);
        expect(counts.set).toBe(fails ? undefined : 4);
      }
    });

    it("of a key of getOrSetMany that was waited for, and was stale by then: one miss", async () => {
      const open = fleet();
      const [here, there] = [open(), open()];
      const slow = slowLoader<number>();
      const first = there.getOrSet("a", slow, { ttl: 0.001 });
      await pass(0);
      const { calls, counts } = record(here);
      const given = here.getOrSetMany(["a"], () => ({ a: 2 }));
      await pass(20);
      slow.resolve(1);
      await pass(200);
      expect(await given).toEqual(new Map([["a", expect.any(Number)]]));
      await first;
      await pass(0);
      expect(calls.map(({ hits, misses, stale }) => [hits, misses, stale])).toEqual([[0, 1, 0]]);
      expect([counts.hit, counts.miss, counts.stale]).toEqual([undefined, 1, undefined]);
    });

    it.each([
      ["getOrSet", (cache: Cache) => cache.getOrSet("a", () => 2)],
      ["getOrSetMany", async (cache: Cache) => (await cache.getOrSetMany(["a"], () => ({ a: 2 }))).get("a")],
    ])("of an early refresh by %s that is waited for: a miss, as the value is a new one", async (_, ask) => {
      const cache = fleet({ background: false })();
      const first = slowLoader<number>();
      const given = cache.getOrSet("a", first, { ttl: 10 });
      await pass(1_000);
      first.resolve(1);
      await given;
      await pass(9_500);
      vi.spyOn(Math, "random").mockReturnValue(0);
      const { counts } = record(cache);
      expect(await ask(cache)).toBe(2);
      expect(counts).toEqual({ miss: 1, set: 1 });
    });

    it.each([
      ["getOrSet", (cache: Cache) => cache.getOrSet("a", () => "new")],
      ["getOrSetMany", async (cache: Cache) => (await cache.getOrSetMany(["a"], () => ({ a: "new" }))).get("a")],
    ])("of no stale answer by %s, when it waits for the refresh and answers the new value", async (_, ask) => {
      const cache = fleet({ background: false })();
      await cache.set("a", "old", { ttl: 1 });
      await pass(1_500);
      const seen = told(cache);
      expect(await ask(cache)).toBe("new");
      expect(seen.map(([name]) => name)).toEqual(["claim", "load", "set", "miss"]);
    });

    it("to no listener that was removed", async () => {
      const cache = fleet()();
      const listener = vi.fn();
      const end = cache.on("hit", listener);
      await cache.set("a", 1);
      await cache.getOrSet("a", () => 2);
      end();
      await cache.getOrSet("a", () => 2);
      expect(listener).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ key: String(cache.makeKey("a")), method: "getOrSet", count: 1, shared: false }),
      );
    });

    it("is no affair of the call: what a listener throws goes to onError", async () => {
      const onError = vi.fn();
      const cache = fleet()({ client: defaultClient(), onError });
      const broken = new Error("broken listener");
      cache.on("hit", () => {
        throw broken;
      });
      await cache.set("a", 1);
      const loader = vi.fn();
      expect(await cache.getOrSet("a", loader)).toBe(1);
      expect(loader).not.toHaveBeenCalled();
      expect(onError).toHaveBeenCalledExactlyOnceWith(broken, { method: "on", key: "" });
    });

    it("costs nothing without listeners: no event is made", async () => {
      const make = vi.fn(() => ({ key: "a", method: "get", count: 1, shared: false, bytes: 1, savedMs: 0 }));
      const events = new Events();
      events.emit("hit", make);
      const end = events.on("stale", () => {});
      events.emit("hit", make);
      end();
      events.emit("stale", make);
      expect(make).not.toHaveBeenCalled();
    });
  });
}
