import { describe, expect, it, vi } from "vitest";
import {
  type Cache,
  type CacheOptions,
  type CallEvent,
  createCache,
  defaultClient,
  herd,
  memory,
  ReplyError,
  TimeoutError,
} from "../../src/index.js";
import { COMMANDS } from "../contract/cache/commands.js";
import { deferred } from "../support/deferred.js";
import { FAULTS, FailingStore } from "../support/failing-store.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";

const CLIENTS = [
  ["defaultClient()", defaultClient()],
  ["herd()", herd({ lease: "1h", waitTimeout: "1h" })],
] as const;

function open(options: Partial<CacheOptions> = {}) {
  const onError = vi.fn();
  return { cache: createCache({ location: "memory:", onError, ...options }), onError };
}

/** Collects what a cache tells of errors and calls. */
function listen(cache: Cache) {
  const errors: { error: unknown; kind: string; method: string }[] = [];
  const calls: CallEvent[] = [];
  cache.on("error", (event) => void errors.push(event));
  cache.on("call", (call) => void calls.push(call));
  return { errors, calls };
}

describe.each(CLIENTS)("errors of %s", (_name, client) => {
  describe.each([false, true])("with ignoreErrors: %s", (ignoreErrors) => {
    it.each(Object.entries(COMMANDS))(
      "are told once each when the store fails at any round trip of %s, with one call",
      async (name, { run }) => {
        for (const fault of FAULTS) {
          for (let at = 0; at < 4; at++) {
            const store = new FailingStore();
            const { cache, onError } = open({ connectionFactory: store, client, ignoreErrors });
            await cache.setMany({ a: 1, "{t}a": 1 });
            await cache.sets.add("s", [1]);
            const { errors, calls } = listen(cache);
            store.fault = fault;
            store.at = store.count + at;
            const thrown = await run(cache).then(
              () => [],
              (error: unknown) => [error],
            );
            await store.idle();
            const handed = onError.mock.calls.map(([error]) => error);
            const where = `${fault} at round trip ${at}`;
            expect(new Set(errors.map(({ error }) => error)), where).toEqual(new Set([...thrown, ...handed]));
            expect(errors.length, where).toBe(thrown.length + handed.length);
            expect(calls, where).toEqual([expect.objectContaining({ method: name })]);
            const { hits, misses, stale, count, error } = calls[0] as CallEvent;
            if (thrown.length > 0) expect(error, where).toBe(thrown[0]);
            expect([0, count], where).toContain(hits + misses + stale);
            await cache.close();
          }
        }
      },
    );
  });

  it.each(Object.entries(COMMANDS).filter(([name]) => !name.startsWith("getOrSet")))(
    "have their kind when %s can't reach the server",
    async (name, { run }) => {
      const { factory, fail } = watched(memory());
      const error = new TimeoutError("slow");
      fail(error);
      const { cache } = open({ connectionFactory: factory, client });
      const { errors, calls } = listen(cache);
      await expect(run(cache)).rejects.toBe(error);
      expect(errors).toEqual([expect.objectContaining({ method: name, error, kind: "timeout" })]);
      expect(calls).toEqual([expect.objectContaining({ method: name, error })]);
    },
  );
});

describe("the kind of an error", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const raw = (cache: Cache) => cache.connection.send([["SET", String(cache.makeKey("a")), "{"]]);
  const never = () => new Promise<never>(() => {});
  const fail = (error: unknown) => () => Promise.reject(error);

  it.each<[string, string, (cache: Cache) => Promise<unknown>]>([
    ["decode", "a value that can't be read", async (cache) => raw(cache).then(() => cache.get("a"))],
    ["encode", "a value that can't be stored", (cache) => cache.set("a", circle)],
    ["encode", "a loaded value that can't be stored", (cache) => cache.getOrSet("b", () => circle)],
    ["reply", "a command that the server refuses", (cache) => cache.hashes.set("a", "f", 1)],
    ["loader", "a loader's error", (cache) => cache.getOrSet("b", fail(new Error("broken")))],
    ["loader", "text that a loader throws", (cache) => cache.getOrSet("b", fail("broken"))],
    [
      "loader",
      "a loader that can't reach another server",
      (cache) => cache.getOrSet("b", fail(new TimeoutError("slow"))),
    ],
    ["loader", "a loader's TypeError", (cache) => cache.getOrSetMany(["b"], fail(new TypeError("broken")))],
    [
      "loader",
      "a loader's own timeout",
      (cache) => cache.getOrSet("b", fail(new DOMException("late", "TimeoutError"))),
    ],
    ["loader-timeout", "a loader that takes too long", (cache) => cache.getOrSet("b", never, { hardTimeout: "1ms" })],
    [
      "loader",
      "a loader that calls off its own work",
      (cache) => cache.getOrSet("b", fail(new DOMException("", "AbortError"))),
    ],
    ["aborted", "a signal", (cache) => cache.getOrSet("b", never, { signal: AbortSignal.timeout(1) })],
    [
      "aborted",
      "a signal with a reason of its own",
      (cache) => {
        const controller = new AbortController();
        const given = cache.getOrSet("b", never, { signal: controller.signal });
        controller.abort(new Error("no longer needed"));
        return given;
      },
    ],
    ["usage", "a wrong lifetime", (cache) => cache.touch("a", "soon" as never)],
    ["other", "an entry that is not there", (cache) => cache.incr("b")],
  ])("is %s for %s", async (kind, _, run) => {
    for (const [, client] of CLIENTS) {
      const { cache } = open({ client });
      await cache.set("a", 1);
      const { errors } = listen(cache);
      const thrown = await run(cache).catch((error: unknown) => error);
      expect(errors).toEqual([expect.objectContaining({ kind, error: thrown })]);
      await cache.close();
    }
  });

  it("is emitted with the error that a shared load has thrown, by each call that shares it", async () => {
    for (const [, client] of CLIENTS) {
      const { cache } = open({ client });
      const { errors, calls } = listen(cache);
      const gate = deferred();
      const broken = new Error("broken");
      const load = () => gate.promise.then(() => Promise.reject(broken));
      const both = Promise.allSettled([cache.getOrSet("a", load), cache.getOrSet("a", load)]);
      gate.resolve();
      await both;
      expect(errors.map(({ error, kind }) => [error, kind])).toEqual([
        [broken, "loader"],
        [broken, "loader"],
      ]);
      expect(calls.map(({ misses, hits, stale }) => misses + hits + stale)).toEqual([1, 1]);
      await cache.close();
    }
  });

  it("is that of a reply for each entry that the server refuses, once", async () => {
    const store = new FailingStore();
    store.fault = "full";
    const { cache, onError } = open({ connectionFactory: store });
    const { errors, calls } = listen(cache);
    const set = vi.fn();
    cache.on("set", set);
    store.at = 0;
    expect(await cache.setMany({ a: 1, b: 2 })).toEqual(["a", "b"]);
    expect(errors).toEqual([1, 2].map(() => expect.objectContaining({ kind: "reply", error: expect.any(ReplyError) })));
    expect(onError).toHaveBeenCalledTimes(2);
    expect(set).not.toHaveBeenCalled();
    expect(calls).toEqual([expect.objectContaining({ error: undefined, count: 2 })]);
  });
});

describe("a call that its caller leaves", () => {
  it.each(CLIENTS)("by %s is a miss, though its load goes on for another caller", async (_, client) => {
    const { cache } = open({ client });
    const { calls } = listen(cache);
    const counts: [string, boolean][] = [];
    cache.on("hit", ({ shared }) => void counts.push(["hit", shared]));
    cache.on("miss", ({ shared }) => void counts.push(["miss", shared]));
    const gate = deferred();
    const loading = deferred();
    const controller = new AbortController();
    const load = () => {
      loading.resolve();
      return gate.promise.then(() => 1);
    };
    const left = cache.getOrSet("a", load, { signal: controller.signal });
    await loading.promise;
    const stays = cache.getOrSet("a", load);
    controller.abort();
    await expect(left).rejects.toThrow();
    gate.resolve();
    expect(await stays).toBe(1);
    expect(calls.map(({ hits, misses, stale, error }) => [hits, misses, stale, error !== undefined])).toEqual([
      [0, 1, 0, true],
      [0, 1, 0, false],
    ]);
    expect(counts).toEqual([
      ["miss", false],
      ["miss", true],
    ]);
  });

  it.each(CLIENTS)("by %s before its lookup has a reply is counted once", async (_, client) => {
    const { factory, roundTrips, delay } = watched(memory());
    const { cache } = open({ connectionFactory: factory, client });
    const { calls } = listen(cache);
    const miss = vi.fn();
    cache.on("miss", miss);
    const gate = deferred();
    delay(gate.promise);
    const controller = new AbortController();
    const left = cache.getOrSet("a", () => 1, { signal: controller.signal });
    await until(() => roundTrips.length > 0, { what: "the lookup to be sent" });
    controller.abort();
    await expect(left).rejects.toThrow();
    gate.resolve();
    await until(() => roundTrips.length > 1, { what: "the work to go on, after the lookup" });
    expect(calls.map((call) => [call.hits, call.misses, call.stale])).toEqual([[0, 1, 0]]);
    expect(miss).toHaveBeenCalledOnce();
  });

  it("while it waits for a refresh is counted once", async () => {
    const { cache } = open({ client: herd({ background: false }) });
    await cache.set("a", "old", { ttl: "1ms" });
    await until(() => cache.has("a").then((is) => !is), { what: "the entry to be stale" });
    const { calls } = listen(cache);
    const stale = vi.fn();
    cache.on("stale", stale);
    const gate = deferred();
    const loading = deferred();
    const controller = new AbortController();
    const left = cache.getOrSet(
      "a",
      () => {
        loading.resolve();
        return gate.promise.then(() => Promise.reject(new Error("broken")));
      },
      { signal: controller.signal },
    );
    await loading.promise;
    controller.abort();
    await expect(left).rejects.toThrow();
    gate.resolve();
    await cache.close();
    expect(calls.map((call) => [call.hits, call.misses, call.stale])).toEqual([[0, 1, 0]]);
    expect(stale).not.toHaveBeenCalled();
  });
});

describe("bytes and saved time", () => {
  it.each(CLIENTS)("are those of what was read and written, by %s", async (_, client) => {
    const { cache } = open({ client });
    const { calls } = listen(cache);
    const hit = vi.fn();
    const set = vi.fn();
    cache.on("hit", hit);
    cache.on("set", set);
    const value = "x".repeat(100);
    await cache.setMany({ a: value, b: value });
    await cache.getMany(["a", "b", "none"]);
    await cache.get("a");
    await cache.getOrSet("a", () => 1);
    await cache.getOrSetMany(["a", "b"], () => ({}));
    expect(calls.map(({ method, bytes }) => [method, bytes])).toEqual([
      ["setMany", 204],
      ["getMany", 204],
      ["get", 102],
      ["getOrSet", 102],
      ["getOrSetMany", 204],
    ]);
    expect(set.mock.calls.map(([{ bytes }]) => bytes)).toEqual([204]);
    expect(hit.mock.calls.map(([{ bytes }]) => bytes)).toEqual([204, 102, 102, 204]);
  });

  it("are known of what herd() has loaded", async () => {
    const { cache } = open({ client: herd({ beta: 0 }) });
    const gate = deferred();
    const first = cache.getOrSet("a", () => gate.promise.then(() => 1));
    const startedMs = Date.now();
    await until(() => Date.now() - startedMs >= 20, { what: "the load to take a while" });
    gate.resolve();
    await first;
    const { calls } = listen(cache);
    await cache.get("a");
    await cache.getOrSet("a", () => 2);
    await cache.getMany(["a"]);
    await cache.getOrSetMany(["a"], () => ({}));
    // Of two callers that share a lookup, each has saved a load.
    await Promise.all([cache.getOrSet("a", () => 2), cache.getOrSet("a", () => 2)]);
    for (const { method, savedMs } of calls) expect(savedMs, method).toBeGreaterThanOrEqual(15);
    expect(calls).toHaveLength(6);
  });
});

describe("round trips", () => {
  it.each(
    CLIENTS.flatMap(([name, client]) =>
      Object.entries(COMMANDS).map(([method, row]) => [method, name, client, row] as const),
    ),
  )(
    "of %s by %s are those that the transport is asked for, by the names of their commands",
    async (_, _name, client, { run }) => {
      const { factory, roundTrips } = watched(memory());
      const { cache } = open({ connectionFactory: factory, client });
      const told: (readonly string[])[] = [];
      cache.on("roundTrip", ({ commands }) => void told.push(commands));
      await run(cache).catch(() => {});
      const sent = roundTrips.map((roundTrip) =>
        roundTrip.kind === "send"
          ? roundTrip.commands.map(([name]) => name)
          : roundTrip.kind === "script"
            ? [`script ${roundTrip.script.name}`]
            : [],
      );
      // The transport in memory has no batch for a scan that finds nothing.
      expect(told).toEqual(sent.filter((names) => names.length > 0));
      await cache.close();
    },
  );

  it("of a scan are its batches, also when the loop is left early", async () => {
    const { cache } = open({ scanCount: 2 });
    await cache.setMany({ a: 1, b: 2, c: 3, d: 4, e: 5 });
    const told: (readonly string[])[] = [];
    cache.on("roundTrip", ({ commands }) => void told.push(commands));
    await cache.connection.scan({ match: "*", count: 2 })[Symbol.asyncIterator]().return?.();
    expect(told).toEqual([]);
    for await (const _ of cache.connection.scan({ match: "*", count: 2 })) if (told.length === 2) break;
    expect(told).toEqual([["SCAN"], ["SCAN"]]);
    for await (const _ of cache.connection.scan({ match: "*", count: 2 }));
    expect(told).toHaveLength(5);
  });

  it("that fail are emitted with their error", async () => {
    const { factory, fail } = watched(memory());
    const error = new TimeoutError("slow");
    const { cache } = open({ connectionFactory: factory });
    fail(error);
    const told = vi.fn();
    cache.on("roundTrip", told);
    await expect(cache.get("a")).rejects.toBe(error);
    await expect(cache.keys()).rejects.toBe(error);
    expect(told.mock.calls).toEqual([
      [{ commands: ["GET"], durationMs: expect.any(Number), error }],
      [{ commands: ["SCAN"], durationMs: expect.any(Number), error }],
    ]);
  });
});

describe("a listener", () => {
  const broken = new Error("broken listener");

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw broken;
      },
    ],
    ["rejects", () => Promise.reject(broken)],
  ])("that %s changes nothing for the call and the other listeners", async (_, listener) => {
    const { cache, onError } = open();
    const other = vi.fn();
    cache.on("miss", listener);
    cache.on("miss", other);
    cache.on("call", listener);
    expect(await cache.get("a")).toBeUndefined();
    expect(other).toHaveBeenCalledOnce();
    await until(() => onError.mock.calls.length === 2, { what: "both errors" });
    expect(onError).toHaveBeenCalledWith(broken, { method: "on", key: "" });
  });

  it("may end itself, others and all listening while it is called", async () => {
    const { cache } = open();
    const seen: string[] = [];
    const ends: (() => void)[] = [];
    const listener = (name: string) => () => {
      seen.push(name);
      for (const end of ends) end();
    };
    for (const name of ["one", "two"]) ends.push(cache.on("miss", listener(name)));
    await cache.get("a");
    await cache.get("a");
    // What was begun to be told is told to all who listened then.
    expect(seen).toEqual(["one", "two"]);
  });

  it("may add listeners, which hear the next event", async () => {
    const { cache } = open();
    const added = vi.fn();
    const end = cache.on("miss", () => {
      end();
      cache.on("miss", added);
    });
    await cache.get("a");
    expect(added).not.toHaveBeenCalled();
    await cache.get("a");
    expect(added).toHaveBeenCalledOnce();
  });

  it("that replaces itself at each event is called once for each", async () => {
    const { cache } = open();
    let end = (): void => {};
    const listener = vi.fn(() => {
      end();
      end = cache.on("miss", listener);
    });
    end = cache.on("miss", listener);
    await cache.get("a");
    await cache.get("a");
    expect(listener).toHaveBeenCalledTimes(2);
  });

  it("that was added twice is called twice, and each is ended by itself", async () => {
    const { cache } = open();
    const listener = vi.fn();
    const ends = [cache.on("miss", listener), cache.on("miss", listener)];
    await cache.get("a");
    expect(listener).toHaveBeenCalledTimes(2);
    ends[0]?.();
    ends[0]?.();
    await cache.get("a");
    expect(listener).toHaveBeenCalledTimes(3);
  });

  it("may call the cache", async () => {
    const { cache } = open();
    const inner = deferred<unknown>();
    const end = cache.on("miss", ({ key }) => {
      end();
      inner.resolve(cache.set("b", key).then(() => cache.get("b")));
    });
    await cache.get("a");
    expect(await inner.promise).toBe(String(cache.makeKey("a")));
  });

  it.each([
    ["hits"],
    [""],
    ["toString"],
    ["__proto__"],
    ["constructor"],
    [Symbol("hit")],
    [{}],
    [undefined],
    [["hit"]],
  ])("of %o is refused, with the names that there are", (name) => {
    const { cache } = open();
    expect(() => cache.on(name as never, () => {})).toThrow(/^on: .* is not an event; give one of call, hit, miss,/);
    expect(() => cache.on("hit", name as never)).toThrow(/^on: the listener of "hit" is .*; give a function$/);
  });
});

describe("when there are no listeners", () => {
  /** Whether anything was recorded of a call: a record begins with the time. */
  async function isRecorded(cache: Cache): Promise<boolean> {
    const now = vi.spyOn(performance, "now");
    await cache.set("a", 1);
    await cache.get("a");
    await cache.getOrSet("a", () => 1);
    await cache.getMany(["a"]);
    await cache.keys();
    const { length } = now.mock.calls;
    now.mockRestore();
    return length > 0;
  }

  it.each(CLIENTS)("nothing is recorded, also after the last listener has ended, by %s", async (_, client) => {
    const { cache } = open({ client });
    expect(await isRecorded(cache)).toBe(false);
    const ends = (["call", "hit", "error", "roundTrip", "load"] as const).map((name) => cache.on(name, () => {}));
    expect(await isRecorded(cache)).toBe(true);
    for (const end of ends) end();
    expect(await isRecorded(cache)).toBe(false);
  });

  it("to calls, connections and leases are still heard of, and no call is recorded", async () => {
    const { cache } = open({ client: herd() });
    const claim = vi.fn();
    cache.on("claim", claim);
    cache.on("connection", () => {});
    expect(await isRecorded(cache)).toBe(false);
    await cache.getOrSet("b", () => 1);
    expect(claim).toHaveBeenCalledOnce();
  });
});
