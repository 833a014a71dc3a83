import { describe, expect, it } from "vitest";
import { type Cache, type CacheOptions, createCache, herd, memory } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { watched } from "../support/watched.js";

function open(options: Pick<CacheOptions, "client"> = {}) {
  const store = watched(memory());
  return { ...store, cache: createCache({ location: "memory:", connectionFactory: store.factory, ...options }) };
}

/** How often the caller waits for the network. */
const ROUND_TRIPS: [string, (cache: Cache) => Promise<unknown>, number][] = [
  ["get", (cache) => cache.get("a"), 1],
  ["set", (cache) => cache.set("a", 1), 1],
  ["set under nx", (cache) => cache.set("a", 1, { nx: true }), 1],
  ["set of a ttl of 0", (cache) => cache.set("a", 1, { ttl: 0 }), 1],
  ["getOrSet of a hit", (cache) => cache.getOrSet("hit", () => 1), 1],
  ["getOrSet of a miss", (cache) => cache.getOrSet("a", () => 1), 2],
  ["getMany", (cache) => cache.getMany(Array.from({ length: 500 }, (_, i) => `key ${i}`)), 1],
  ["mget", (cache) => cache.mget(["a", "b"]), 1],
  ["setMany", (cache) => cache.setMany(Array.from({ length: 500 }, (_, i) => [`key ${i}`, i] as const)), 1],
  ["mset", (cache) => cache.mset({ a: 1, b: 2 }), 1],
  ["getOrSetMany", (cache) => cache.getOrSetMany(["a", "b", "hit"], () => ({ a: 1, b: 2 })), 2],
  ["delete", (cache) => cache.delete("a"), 1],
  ["deleteMany", (cache) => cache.deleteMany(["a", "b"]), 1],
  ["has", (cache) => cache.has("a"), 1],
  ["incr", (cache) => cache.incr("hit"), 1],
  ["incrVersion", (cache) => cache.incrVersion("hit"), 1],
  ["ttl", (cache) => cache.ttl("hit"), 1],
  ["touch", (cache) => cache.touch("hit"), 1],
  ["touch to stay", (cache) => cache.touch("hit", null), 1],
  ["expireAt", (cache) => cache.expireAt("hit", new Date(Date.now() + 1_000)), 1],
  ["sets.members", (cache) => cache.sets.members("s"), 1],
  ["hashes.set of a record", (cache) => cache.hashes.set("h", { a: 1, b: 2 }), 1],
  ["lock", (cache) => cache.lock("job"), 1],
  ["flush", (cache) => cache.flush(), 1],
];

describe("round trips", () => {
  it.each(ROUND_TRIPS)("%s takes no more than it needs", async (_, run, trips) => {
    const { cache, roundTrips } = open();
    await cache.set("hit", 1);
    roundTrips.length = 0;
    await run(cache);
    expect(roundTrips).toHaveLength(trips);
  });

  it("reads say that they may be repeated at any time, writes of whole values once, and what counts or takes away not", async () => {
    const { cache, roundTrips } = open();
    await cache.set("a", 1);
    const isRepeatable = async (run: () => Promise<unknown>, option: "readOnly" | "idempotent") => {
      roundTrips.length = 0;
      await run();
      return roundTrips.every((roundTrip) => roundTrip.kind === "send" && roundTrip.options[option] === true);
    };
    for (const read of [
      () => cache.get("a"),
      () => cache.getMany(["a"]),
      () => cache.has("a"),
      () => cache.ttl("a"),
      () => cache.sets.members("s"),
    ]) {
      expect(await isRepeatable(read, "readOnly")).toBe(true);
    }
    expect(await isRepeatable(() => cache.set("a", 1), "idempotent")).toBe(true);
    expect(await isRepeatable(() => cache.set("a", 1), "readOnly")).toBe(false);
    for (const once of [
      () => cache.incr("a"),
      () => cache.add("b", 1),
      () => cache.delete("a"),
      () => cache.sets.add("s", [1]),
      () => cache.sets.pop("s"),
      () => cache.lock("job"),
    ]) {
      expect(await isRepeatable(once, "idempotent")).toBe(false);
      expect(await isRepeatable(once, "readOnly")).toBe(false);
    }
  });

  it("a claim of the herd client says that it may be repeated, and not that it only reads", async () => {
    const { cache, roundTrips } = open({ client: herd() });
    await cache.getOrSet("a", () => 1);
    await cache.getOrSetMany(["b", "c"], () => ({ b: 1, c: 2 }));
    const claims = roundTrips.filter((roundTrip) => roundTrip.kind === "send");
    expect(claims.length).toBeGreaterThanOrEqual(2);
    for (const { options } of claims) expect(options).toMatchObject({ idempotent: true });
    for (const { options } of claims) expect(options).not.toHaveProperty("readOnly");
  });

  it("deletePattern takes bounded batches, however many keys there are", async () => {
    const { cache, roundTrips } = open();
    await cache.setMany(Array.from({ length: 1_000 }, (_, i) => [`key ${i}`, i] as const));
    roundTrips.length = 0;
    expect(await cache.deletePattern("*", { scanCount: 100 })).toBe(1_000);
    const sizes = roundTrips.map((roundTrip) => (roundTrip.kind === "send" ? roundTrip.commands.length : 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
  });

  it("scans look at as many keys at once as the call says, else the cache, else a thousand", async () => {
    const { factory, roundTrips } = watched(memory());
    const counts = () =>
      roundTrips.flatMap((roundTrip) => (roundTrip.kind === "scan" ? [roundTrip.options.count] : []));
    const cache = createCache({ location: "memory:", connectionFactory: factory, scanCount: 77 });
    await cache.keys();
    await cache.deletePattern("*", { scanCount: 5 });
    await cache.clear();
    await createCache({ location: "memory:", connectionFactory: factory }).keys();
    expect(counts()).toEqual([77, 5, 77, 1_000]);
  });
});

describe("what is loaded while its entry is invalidated", () => {
  /** A load that is under way until the function that is returned is called. */
  async function loading(cache: Cache) {
    const [started, answer] = [deferred(), deferred<string>()];
    const load = cache.getOrSet("a", () => {
      started.resolve();
      return answer.promise;
    });
    await started.promise;
    return async () => {
      answer.resolve("old");
      expect(await load).toBe("old");
    };
  }

  it.each<[string, (cache: Cache) => Promise<unknown>]>([
    ["delete", (cache) => cache.delete("a")],
    ["deletePattern", (cache) => cache.deletePattern("*")],
    ["clear", (cache) => cache.clear()],
    ["flush", (cache) => cache.flush()],
    ["set", (cache) => cache.set("a", "new")],
  ])("is not stored when it comes while %s is on its way", async (_, invalidate) => {
    const { cache, delay } = open();
    const finish = await loading(cache);
    const arrived = deferred();
    delay(arrived.promise);
    const invalidation = invalidate(cache);
    // Were it stored, that would be sent now, behind the invalidation or in front of it.
    const finished = finish();
    arrived.resolve();
    await Promise.all([invalidation, finished]);
    expect(await cache.get("a")).not.toBe("old");
  });

  it("is asked for anew by callers after the invalidation", async () => {
    const { cache } = open();
    const finish = await loading(cache);
    await cache.delete("a");
    expect(await cache.getOrSet("a", () => "new")).toBe("new");
    await finish();
    expect(await cache.get("a")).toBe("new");
  });

  it("is stored when it is another entry that is invalidated", async () => {
    const { cache } = open();
    const finish = await loading(cache);
    await cache.delete("b");
    await finish();
    expect(await cache.get("a")).toBe("old");
  });

  it("is stored by the time that the caller has it", async () => {
    const { cache, delay } = open();
    const finish = await loading(cache);
    const arrived = deferred();
    delay(arrived.promise);
    let isDone = false;
    const finished = finish().then(() => {
      isDone = true;
    });
    await until(() => true, { what: "a turn" });
    expect(isDone).toBe(false);
    arrived.resolve();
    await finished;
    expect(await cache.get("a")).toBe("old");
  });
});
