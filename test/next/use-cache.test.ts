import { nearCache } from "valkey-edge-cache";
import { useCacheHandler } from "valkey-edge-cache/next";
import { zlib } from "valkey-edge-cache/zlib";
import { expect, it } from "vitest";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { all, entry, Fleet, text } from "./fleet.js";

it("an entry that one instance has stored is found by all", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  expect(await a.get("key", [])).toBeUndefined();
  const timestamp = Date.now() - 1_000;
  await a.set("key", entry("value", { tags: ["news"], timestamp }));
  for (const one of [a, b]) {
    const found = await one.get("key", []);
    expect(found).toMatchObject({ tags: ["news"], stale: 30, timestamp, expire: 3_600, revalidate: 900 });
    expect(await text(found)).toBe("value");
  }
});

it("one instance generates a missing entry, and the others wait for it", async () => {
  await using fleet = new Fleet();
  const instances = Array.from({ length: 8 }, () => fleet.use());
  let generations = 0;
  const answers = await Promise.all(
    instances.map(async (one) => {
      const found = await one.get("key", []);
      if (found) return text(found);
      generations++;
      await one.set("key", entry("value"));
      return "value";
    }),
  );
  expect(generations).toBe(1);
  expect(new Set(answers)).toEqual(new Set(["value"]));
});

it("a generation that fails delays other instances by its timeout at most", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use({ generationTimeout: 0.3 }), fleet.use({ generationTimeout: 0.3 })];
  await a.get("key", []);
  const took = stopwatch();
  expect(await b.get("key", [])).toBeUndefined();
  expect(took()).toBeLessThan(1_500);
  await b.set("key", entry("value"));
  expect(await text(await a.get("key", []))).toBe("value");
});

it("updateTags is seen by all instances, and with durations makes entries stale for one of them", async () => {
  await using fleet = new Fleet();
  const [a, b, c] = [fleet.use(), fleet.use(), fleet.use()];
  await a.get("key", []);
  await a.set("key", entry("1", { tags: ["news"] }));
  expect(await text(await b.get("key", []))).toBe("1");
  await a.updateTags(["news"]);
  expect(await b.get("key", [])).toBeUndefined();
  await b.set("key", entry("2", { tags: ["news"] }));
  expect(await text(await a.get("key", []))).toBe("2");
  await a.updateTags(["news"], { expire: 60 });
  const stale = await b.get("key", []);
  expect([await text(stale), stale?.revalidate]).toEqual(["2", -1]);
  const other = await c.get("key", []);
  expect([await text(other), other?.revalidate]).toEqual(["2", 900]);
  await b.set("key", entry("3", { tags: ["news"] }));
  expect(await text(await c.get("key", []))).toBe("3");
});

it("soft tags are checked when an entry is read", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", ["_N_T_/a"]);
  await a.set("key", entry("1"));
  await b.updateTags(["_N_T_/b"]);
  expect(await text(await a.get("key", ["_N_T_/a"]))).toBe("1");
  expect(await a.get("key", ["_N_T_/b"])).toBeUndefined();
  await a.set("key", entry("2"));
  expect(await text(await b.get("key", ["_N_T_/b"]))).toBe("2");
});

it("an entry that was purged with an expiry is served stale until then, and by none afterwards", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", []);
  await a.set("key", entry("1", { tags: ["news"] }));
  await b.updateTags(["news"], { expire: 0.2 });
  expect(await text(await b.get("key", []))).toBe("1");
  // The refresh of b is under way, and its result is as old as its beginning.
  await until(async () => (await b.get("key", [])) === undefined, { what: "the end of the stale entry" });
  await b.set("key", entry("2", { tags: ["news"] }));
  expect(await text(await a.get("key", []))).toBe("2");
  await b.updateTags(["news"], { expire: 0 });
  expect(await a.get("key", [])).toBeUndefined();
});

it("a later purge without an end takes the place of one with it", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", []);
  await a.set("key", entry("1", { tags: ["news"] }));
  await a.updateTags(["news"], { expire: 0.05 });
  await a.updateTags(["news"], { expire: 31_536_000 });
  const endMs = performance.now() + 100;
  await until(() => performance.now() > endMs, { what: "the first end" });
  expect(await text(await b.get("key", []))).toBe("1");
});

it("one instance generates an entry past its revalidation, and to the others it counts as fresh", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", []);
  const timestamp = Date.now() - 2_000;
  await a.set("key", entry("1", { timestamp, revalidate: 1 }));
  const isStale = ({ timestamp: at = 0, revalidate = 0 } = {}) => Date.now() > at + revalidate * 1_000;
  const found = [await a.get("key", []), await b.get("key", []), await a.get("key", []), await b.get("key", [])];
  expect(found.map(isStale)).toEqual([true, false, false, false]);
  expect(found.map((one) => one?.timestamp)).toEqual(Array(4).fill(timestamp));
  await a.set("key", entry("2"));
  expect(await text(await b.get("key", []))).toBe("2");
});

it("an entry past its expiry is absent, and its key ends with it", async () => {
  await using fleet = new Fleet();
  const [a, cache] = [fleet.use(), fleet.cache()];
  await a.get("key", []);
  await a.set("key", entry("1", { expire: 0.2, revalidate: 0.1 }));
  expect(await text(await a.get("key", []))).toBe("1");
  const keys = async () => (await all(cache.iterKeys("next(*use:*"))).length;
  expect(await keys()).toBe(1);
  await until(async () => (await keys()) === 0, { what: "the end of the key" });
});

it("an entry that expires at once is not stored, and callers don't wait for it afterwards", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  for (const one of [a, b]) {
    await one.get("key", []);
    await one.set("key", entry("1", { expire: 0, revalidate: 0 }));
  }
  await a.get("key", []);
  const took = stopwatch();
  expect(await b.get("key", [])).toBeUndefined();
  expect(took()).toBeLessThan(1_000);
});

it("a caller waits for an entry that is being written, and an interrupted one is not stored", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  await a.get("key", []);
  const stored = a.set("key", entry("", { value: readable }));
  const waiting = Promise.all([a.get("key", []), b.get("key", [])]);
  await writer.write(Buffer.from("be"));
  await writer.write(Buffer.from("gun"));
  await writer.close();
  expect(await Promise.all((await waiting).map(text))).toEqual(["begun", "begun"]);
  await stored;

  const broken = new TransformStream<Uint8Array, Uint8Array>();
  await a.get("other", []);
  const failed = a.set("other", entry("", { value: broken.readable }));
  await broken.writable.abort(new Error("interrupted"));
  await failed;
  expect(await b.get("other", [])).toBeUndefined();
});

it("what was generated while its tag was purged counts as purged", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.use(), fleet.use()];
  await a.get("key", []);
  await b.updateTags(["news"]);
  await a.set("key", entry("old", { tags: ["news"] }));
  expect(await b.get("key", [])).toBeUndefined();
});

it("a purge by the cache of an application ends entries of Next, too", async () => {
  await using fleet = new Fleet();
  const [a, cache] = [fleet.use(), fleet.cache()];
  await a.get("key", []);
  await a.set("key", entry("1", { tags: ["news"] }));
  await cache.purgeTags(["news"]);
  expect(await a.get("key", [])).toBeUndefined();
});

it("a get takes one round trip with its tags, refreshTags none, and with a near cache neither does a known entry", async () => {
  await using fleet = new Fleet();
  const cache = fleet.cache();
  const near = fleet.cache({ nearCache: nearCache() });
  for (const [one, trips] of [
    [cache, 1],
    [near, 0],
  ] as const) {
    const handler = useCacheHandler({ cache: one, buildId: "build" });
    await handler.get("key", ["_N_T_/a"]);
    await handler.set("key", entry("1", { tags: ["news"] }));
    const sent = async () => {
      const before = one.events.sent.roundTrips;
      await handler.refreshTags();
      await handler.getExpiration(["_N_T_/a"]);
      expect(await text(await handler.get("key", ["_N_T_/a"]))).toBe("1");
      return one.events.sent.roundTrips - before;
    };
    await until(async () => (await sent()) === trips, { what: `${trips} round trips` });
  }
});

it("the instance that has a near cache sees its own purges and those of others", async () => {
  await using fleet = new Fleet();
  const options = { nearCache: nearCache() };
  const [a, b] = [fleet.use(options), fleet.use(options)];
  for (const [round, purger] of [a, b, a].entries()) {
    await a.get("key", []);
    await a.set("key", entry(String(round), { tags: ["news"] }));
    expect(await text(await a.get("key", []))).toBe(String(round));
    await purger.updateTags(["news"]);
    await until(async () => (await a.get("key", [])) === undefined, { what: "the purge" });
    if (purger === a) expect(await a.get("key", [])).toBeUndefined();
  }
});

it("entries are compressed by the compressor of the cache", async () => {
  await using fleet = new Fleet();
  const options = { compressor: zlib() };
  const [a, b, cache] = [fleet.use(options), fleet.use(options), fleet.cache()];
  const long = "long ".repeat(10_000);
  await a.get("key", []);
  await a.set("key", entry(long));
  expect(await text(await b.get("key", []))).toBe(long);
  const [key = ""] = await all(cache.iterKeys("next(*use:*"));
  const [length] = await cache.connection.send([["STRLEN", String(cache.makeKey(key))]]);
  expect(Number(length)).toBeLessThan(2_000);
});

it("a value of another kind under the key is reported, and replaced", async () => {
  await using fleet = new Fleet();
  const errors: unknown[] = [];
  const [a, cache] = [fleet.use({ onError: (error) => errors.push(error) }), fleet.cache()];
  await a.get("key", []);
  await a.set("key", entry("1"));
  const [key = ""] = await all(cache.iterKeys("next(*use:*"));
  await cache.set(key, { some: "value" });
  expect(await a.get("key", [])).toBeUndefined();
  expect(String(errors[0])).toContain("it holds no entry of Next; delete the key");
  await a.set("key", entry("2"));
  expect(await text(await a.get("key", []))).toBe("2");
});
