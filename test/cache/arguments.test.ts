import { describe, expect, it } from "vitest";
import { type Cache, createCache, type Duration, memory } from "../../src/index.js";
import { all } from "../contract/cache/sets.js";
import { watched } from "../support/watched.js";

/** A cache, and whatever it sent. */
function open() {
  const { factory, flights } = watched(memory());
  // A failure to be ignored would hide none of these, as they are the caller's own.
  const cache = createCache({ location: "memory:", connectionFactory: factory, ignoreErrors: true });
  return { cache, flights };
}

type Call = (cache: Cache) => Promise<unknown>;

async function refusedBeforeIo(call: Call, message: RegExp | string): Promise<void> {
  const { cache, flights } = open();
  const error: unknown = await call(cache).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).toMatch(message);
  expect(flights).toEqual([]);
}

const wrong = <T>(value: unknown) => value as T;

/** Every method that takes a key, with that key. */
const WITH_KEY: Record<string, (cache: Cache, key: string) => Promise<unknown>> = {
  get: (cache, key) => cache.get(key),
  set: (cache, key) => cache.set(key, 1),
  add: (cache, key) => cache.add(key, 1),
  getOrSet: (cache, key) => cache.getOrSet(key, () => 1),
  getOrSetMany: (cache, key) => cache.getOrSetMany(["a", key], () => new Map()),
  getMany: (cache, key) => cache.getMany(["a", key]),
  mget: (cache, key) => cache.mget(["a", key]),
  setMany: (cache, key) =>
    cache.setMany(
      new Map([
        ["a", 1],
        [key, 1],
      ]),
    ),
  mset: (cache, key) =>
    cache.mset(
      new Map([
        ["a", 1],
        [key, 1],
      ]),
    ),
  delete: (cache, key) => cache.delete(key),
  deleteMany: (cache, key) => cache.deleteMany(["a", key]),
  has: (cache, key) => cache.has(key),
  incr: (cache, key) => cache.incr(key),
  decr: (cache, key) => cache.decr(key),
  incrVersion: (cache, key) => cache.incrVersion(key),
  decrVersion: (cache, key) => cache.decrVersion(key),
  ttl: (cache, key) => cache.ttl(key),
  pttl: (cache, key) => cache.pttl(key),
  touch: (cache, key) => cache.touch(key),
  expire: (cache, key) => cache.expire(key, 1),
  pexpire: (cache, key) => cache.pexpire(key, 1),
  expireAt: (cache, key) => cache.expireAt(key, 1),
  pexpireAt: (cache, key) => cache.pexpireAt(key, 1),
  persist: (cache, key) => cache.persist(key),
  sadd: (cache, key) => cache.sadd(key, [1]),
  srem: (cache, key) => cache.srem(key, [1]),
  scard: (cache, key) => cache.scard(key),
  sismember: (cache, key) => cache.sismember(key, 1),
  smismember: (cache, key) => cache.smismember(key, [1]),
  smembers: (cache, key) => cache.smembers(key),
  sdiff: (cache, key) => cache.sdiff(["a", key]),
  sinter: (cache, key) => cache.sinter(["a", key]),
  sunion: (cache, key) => cache.sunion(["a", key]),
  "sdiffstore into": (cache, key) => cache.sdiffstore(key, ["a"]),
  "sinterstore of": (cache, key) => cache.sinterstore("a", [key]),
  "sunionstore of": (cache, key) => cache.sunionstore("a", [key]),
  "smove from": (cache, key) => cache.smove(key, "a", 1),
  "smove to": (cache, key) => cache.smove("a", key, 1),
  spop: (cache, key) => cache.spop(key),
  srandmember: (cache, key) => cache.srandmember(key),
  sscan: (cache, key) => cache.sscan(key),
  sscanIter: (cache, key) => all(cache.sscanIter(key)),
  hset: (cache, key) => cache.hset(key, "f", 1),
  hget: (cache, key) => cache.hget(key, "f"),
  hgetAll: (cache, key) => cache.hgetAll(key),
  hdel: (cache, key) => cache.hdel(key, "f"),
  hlen: (cache, key) => cache.hlen(key),
  hkeys: (cache, key) => cache.hkeys(key),
  hexists: (cache, key) => cache.hexists(key, "f"),
  lock: (cache, key) => cache.lock(key),
};

/** Every method that takes a lifetime, with that lifetime. */
const WITH_TTL: Record<string, (cache: Cache, ttl: Duration) => Promise<unknown>> = {
  set: (cache, ttl) => cache.set("a", 1, { ttl }),
  "set nx": (cache, ttl) => cache.set("a", 1, { ttl, nx: true }),
  add: (cache, ttl) => cache.add("a", 1, { ttl }),
  getOrSet: (cache, ttl) => cache.getOrSet("a", () => 1, { ttl }),
  getOrSetMany: (cache, ttl) => cache.getOrSetMany(["a"], () => ({ a: 1 }), { ttl }),
  setMany: (cache, ttl) => cache.setMany({ a: 1 }, { ttl }),
  mset: (cache, ttl) => cache.mset({ a: 1 }, { ttl }),
  "incr create": (cache, ttl) => cache.incr("a", 1, { create: true, ttl }),
  touch: (cache, ttl) => cache.touch("a", ttl),
  expire: (cache, ttl) => cache.expire("a", ttl),
  lock: (cache, ttl) => cache.lock("a", { ttl }),
};

describe("before any I/O", () => {
  describe.each(Object.entries(WITH_KEY))("%s refuses", (_, call) => {
    it.each(["", 5, 0, null, undefined, {}, ["a"], true, Symbol("a")])("a key that is none: %s", (key) =>
      refusedBeforeIo((cache) => call(cache, wrong(key)), /key: .*; give /),
    );
  });

  describe.each(Object.entries(WITH_TTL))("%s refuses", (_, call) => {
    it.each([Number.NaN, Number.POSITIVE_INFINITY, "5 parsecs", "5", "", true, {}, [], 5n, new Date(), Symbol("1s")])(
      "a lifetime that is none: %s",
      (ttl) => refusedBeforeIo((cache) => call(cache, wrong(ttl)), /ttl: .* is not a duration; give seconds/),
    );
  });

  it.each([1.5, Number.NaN, "1", null, "*", {}])("every method refuses the version %j", async (version) => {
    const options = { version: wrong<number>(version) };
    for (const call of [
      (cache: Cache) => cache.get("a", options),
      (cache: Cache) => cache.set("a", 1, options),
      (cache: Cache) => cache.getMany(["a"], options),
      (cache: Cache) => cache.setMany({ a: 1 }, options),
      (cache: Cache) => cache.delete("a", options),
      (cache: Cache) => cache.incrVersion("a", 1, options),
      (cache: Cache) => cache.keys("*", options),
      (cache: Cache) => cache.deletePattern("*", options),
      (cache: Cache) => cache.sadd("a", [1], options),
      (cache: Cache) => cache.sunionstore("a", ["b"], { versionKeys: wrong<number>(version) }),
      (cache: Cache) => cache.hget("a", "f", options),
    ]) {
      await refusedBeforeIo(call, /version: .* is not a version; give a whole number/);
    }
  });

  it.each([5, null, {}])("every method refuses the prefix %j", async (prefix) => {
    const options = { prefix: wrong<string>(prefix) };
    for (const call of [
      (cache: Cache) => cache.get("a", options),
      (cache: Cache) => cache.keys("*", options),
      (cache: Cache) => cache.clear(options),
      (cache: Cache) => cache.lock("a", options),
      (cache: Cache) => cache.sunionstore("a", ["b"], options),
    ]) {
      await refusedBeforeIo(call, /prefix: .* is not a prefix; give a string/);
    }
  });

  it.each<[string, Call, RegExp]>([
    ["set of nx and xx", (cache) => cache.set("a", 1, { nx: true, xx: true }), /nx and xx/],
    ["set of undefined", (cache) => cache.set("a", undefined), /undefined can't be stored/],
    ["setMany of undefined", (cache) => cache.setMany({ b: 1, a: undefined }), /undefined can't be stored/],
    ["mset of undefined", (cache) => cache.mset({ b: 1, a: undefined }), /undefined can't be stored/],
    ["hset of undefined", (cache) => cache.hset("a", { b: 1, c: undefined }), /undefined can't be stored/],
    ["getOrSet without a loader", (cache) => cache.getOrSet("a", wrong("value")), /loader: "value" is not a function/],
    ["getOrSetMany without a loader", (cache) => cache.getOrSetMany(["a"], wrong({})), /loader: .* is not a function/],
    ["getMany of a text", (cache) => cache.getMany("abc"), /keys: "abc" is not a list/],
    ["getMany of nothing", (cache) => cache.getMany(wrong(undefined)), /keys: undefined is not a list/],
    ["mget of an object", (cache) => cache.mget(wrong({ a: 1 })), /keys: an object is not a list/],
    ["deleteMany of a text", (cache) => cache.deleteMany("abc"), /keys: "abc" is not a list/],
    ["setMany of a text", (cache) => cache.setMany(wrong("abc")), /entries: "abc"/],
    ["setMany of nothing", (cache) => cache.setMany(wrong(null)), /entries: null/],
    ["setMany of keys", (cache) => cache.setMany(wrong(["ab", "cd"])), /entries: "ab" is not a pair/],
    ["mset of a number", (cache) => cache.mset(wrong(5)), /entries: 5/],
    ["expire of null", (cache) => cache.expire("a", wrong(null)), /ttl: null is not a duration/],
    ["pexpire of a text", (cache) => cache.pexpire("a", wrong("5s")), /ttl/],
    ["incr by half", (cache) => cache.incr("a", 0.5), /delta: 0.5 is not a whole number/],
    ["incr by too much", (cache) => cache.incr("a", 2n ** 63n), /delta: .* is not a whole number of 64 bits/],
    ["incr by an unsafe number", (cache) => cache.incr("a", 2 ** 53), /delta/],
    ["decr by half", (cache) => cache.decr("a", 0.5), /delta/],
    ["decr by too much", (cache) => cache.decr("a", 2n ** 64n), /delta/],
    ["incrVersion by half", (cache) => cache.incrVersion("a", 0.5), /delta/],
    ["spop of a part", (cache) => cache.spop("a", 0.5), /count: 0.5 is not a count/],
    ["spop of less than none", (cache) => cache.spop("a", -1), /count: -1/],
    ["srandmember of a part", (cache) => cache.srandmember("a", 0.5), /count/],
    ["sscan from nowhere", (cache) => cache.sscan("a", "there"), /cursor: "there" is not a cursor/],
    ["sdiff of nothing", (cache) => cache.sdiff([]), /keys: there are none/],
    ["sunionstore of nothing", (cache) => cache.sunionstore("a", []), /keys: there are none/],
    ["deletePattern of nothing", (cache) => cache.deletePattern(""), /pattern: "" is not a pattern/],
    ["keys of nothing", (cache) => cache.keys(""), /pattern: "" is not a pattern/],
    ["lock for nothing", (cache) => cache.lock("a", { ttl: 0 }), /ttl/],
    ["lock with a wait of less than nothing", (cache) => cache.lock("a", { wait: -1 }), /wait: -1/],
  ])("is refused: %s", (_, call, message) => refusedBeforeIo(call, message));

  it.each(["1", true, null, {}, [1], Symbol("1")])("a step of %s is refused", async (step) => {
    for (const call of [
      (cache: Cache) => cache.incr("a", wrong(step)),
      (cache: Cache) => cache.decr("a", wrong(step)),
      (cache: Cache) => cache.incrVersion("a", wrong(step)),
      (cache: Cache) => cache.decrVersion("a", wrong(step)),
    ]) {
      await refusedBeforeIo(call, /delta: .* is not a whole number/);
    }
  });

  it.each(["2030-01-01", "1", null, undefined, true, Number.NaN, new Date(Number.NaN), 1n, {}, []])(
    "a moment of %s is refused, not taken for a time long past",
    async (at) => {
      await refusedBeforeIo((cache) => cache.expireAt("a", wrong(at)), /at: .* is not a moment; give a Date/);
      await refusedBeforeIo((cache) => cache.pexpireAt("a", wrong(at)), /at: .* is not a moment; give a Date/);
    },
  );

  it("a value that can't be stored is refused", async () => {
    const calls: Call[] = [
      (cache) => cache.set("a", () => 1),
      (cache) => cache.add("a", Symbol("s")),
      (cache) => cache.setMany({ b: 1, a: () => 1 }),
      (cache) => cache.mset({ b: 1, a: () => 1 }),
      (cache) => cache.sadd("a", [1, () => 1]),
      (cache) => cache.srem("a", [() => 1]),
      (cache) => cache.sismember("a", () => 1),
      (cache) => cache.smismember("a", [() => 1]),
      (cache) => cache.smove("a", "b", () => 1),
      (cache) => cache.hset("a", "f", () => 1),
      (cache) => cache.hset("a", { g: 1, f: () => 1 }),
    ];
    for (const call of calls) {
      const { cache, flights } = open();
      await expect(call(cache)).rejects.toMatchObject({ name: "EncodeError", message: expect.stringMatching(/:1:a/) });
      expect(flights).toEqual([]);
    }
  });

  it("nothing is asked for no keys, no entries, no members", async () => {
    const { cache, flights } = open();
    function* none(): Iterable<never> {}
    expect(await cache.getMany([])).toEqual(new Map());
    expect(await cache.mget(none())).toEqual(new Map());
    expect(await cache.getOrSetMany(new Set<string>(), () => expect.unreachable())).toEqual(new Map());
    expect(await cache.setMany({})).toEqual([]);
    expect(await cache.setMany([])).toEqual([]);
    expect(await cache.mset(new Map())).toBeUndefined();
    expect(await cache.deleteMany(none())).toBe(0);
    expect(await cache.sadd("a", [])).toBe(0);
    expect(await cache.srem("a", none())).toBe(0);
    expect(await cache.smismember("a", [])).toEqual([]);
    expect(await cache.hset("a", {})).toBe(0);
    expect(await cache.hdel("a", [])).toBe(0);
    expect(flights).toEqual([]);
  });

  it("a cache and its clients are made without asking anything", async () => {
    const { factory, flights } = watched(memory());
    const cache = createCache({ location: "memory:", connectionFactory: factory });
    cache.makeKey("a");
    cache.makePattern("a*");
    cache.for();
    await cache.encode(1);
    await cache.decode("1");
    await cache.close();
    expect(flights).toEqual([]);
  });
});
