import { describe, expect, it } from "vitest";
import { type Cache, createCache, herd } from "../../../src/index.js";
import { FAULTS, FailingStore, type Fault } from "../../support/failing-store.js";

/** No caller waits out a lease: it is as long as the wait, and longer than the test. */
const LONG = { lease: "1h", waitTimeout: "1h", retryAfter: 0 } as const;
const CALLERS = 5;

type Call = (cache: Cache) => Promise<unknown>;

const load = () => "value";
const calls: Record<string, { readonly prepare: Call; readonly call: Call }> = {
  "of a missing entry": { prepare: async () => {}, call: (cache) => cache.getOrSet("a", load) },
  "of a fresh entry": { prepare: (cache) => cache.set("a", "value"), call: (cache) => cache.getOrSet("a", load) },
  "of a stale entry": {
    prepare: (cache) => cache.set("a", "value", { ttl: "1ms" }),
    call: (cache) => cache.getOrSet("a", load),
  },
  "of an unreadable entry": {
    prepare: (cache) => cache.connection.send([["SET", String(cache.makeKey("a")), "{"]]),
    call: (cache) => cache.getOrSet("a", load),
  },
  "whose loader fails first": {
    prepare: async () => {},
    call: async (cache) => {
      await cache.getOrSet("a", () => Promise.reject(new Error("failed"))).catch(() => {});
      return cache.getOrSet("a", load);
    },
  },
  "of several entries": {
    prepare: (cache) => cache.set("b", "value", { ttl: "1ms" }),
    call: async (cache) => (await cache.getOrSetMany(["a", "b"], () => ({ a: "value", b: "value" }))).get("a"),
  },
};

describe.each(Object.entries(calls))("getOrSet %s", (_name, { prepare, call }) => {
  it.each<Fault>(FAULTS)(
    "answers when the store is %s at any round trip, and no caller waits for a lease afterwards",
    async (fault) => {
      for (let at = 0; at < 8; at++) {
        const store = new FailingStore();
        await using cache = createCache({ connectionFactory: store, location: "memory:", client: herd(LONG) });
        await prepare(cache);
        await store.idle();
        store.fault = fault;
        store.at = store.count + at;
        expect(await call(cache), `at round trip ${at}`).toBe("value");
        await store.idle();
        store.at = Number.POSITIVE_INFINITY;
        const others = await Promise.all(Array.from({ length: CALLERS }, () => call(cache)));
        expect(others, `at round trip ${at}`).toEqual(Array(CALLERS).fill("value"));
      }
    },
  );
});
