import { describe, expect, it } from "vitest";
import { type Cache, createCache, type Duration, memory } from "../../src/index.js";
import { all } from "../contract/cache/sets.js";
import { watched } from "../support/watched.js";

/** A cache, and whatever it sent. */
function open() {
  const { factory, roundTrips } = watched(memory());
  // A failure to be ignored would hide none of these, as they are the caller's own.
  const cache = createCache({ location: "memory:", connectionFactory: factory, ignoreErrors: true });
  return { cache, roundTrips };
}

type Call = (cache: Cache) => Promise<unknown>;

async function refusedBeforeIo(call: Call, message: RegExp | string): Promise<void> {
  const { cache, roundTrips } = open();
  const error: unknown = await call(cache).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).toMatch(message);
  expect(roundTrips).toEqual([]);
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
  touch: (cache, key) => cache.touch(key),
  expire: (cache, key) => cache.expire(key, 1),
  expireAt: (cache, key) => cache.expireAt(key, 1),
  expireSoftMany: (cache, key) => cache.expireSoftMany(["a", key]),
  persist: (cache, key) => cache.persist(key),
  "sets.add": (cache, key) => cache.sets.add(key, [1]),
  "sets.delete": (cache, key) => cache.sets.delete(key, [1]),
  "sets.size": (cache, key) => cache.sets.size(key),
  "sets.has": (cache, key) => cache.sets.has(key, 1),
  "sets.hasMany": (cache, key) => cache.sets.hasMany(key, [1]),
  "sets.members": (cache, key) => cache.sets.members(key),
  "sets.difference": (cache, key) => cache.sets.difference(["a", key]),
  "sets.intersection": (cache, key) => cache.sets.intersection(["a", key]),
  "sets.union": (cache, key) => cache.sets.union(["a", key]),
  "sets.differenceStore into": (cache, key) => cache.sets.differenceStore(key, ["a"]),
  "sets.intersectionStore of": (cache, key) => cache.sets.intersectionStore("a", [key]),
  "sets.unionStore of": (cache, key) => cache.sets.unionStore("a", [key]),
  "sets.move from": (cache, key) => cache.sets.move(key, "a", 1),
  "sets.move to": (cache, key) => cache.sets.move("a", key, 1),
  "sets.pop": (cache, key) => cache.sets.pop(key),
  "sets.random": (cache, key) => cache.sets.random(key),
  "sets.scan": (cache, key) => cache.sets.scan(key),
  "sets.iterate": (cache, key) => all(cache.sets.iterate(key)),
  "hashes.set": (cache, key) => cache.hashes.set(key, "f", 1),
  "hashes.get": (cache, key) => cache.hashes.get(key, "f"),
  "hashes.getAll": (cache, key) => cache.hashes.getAll(key),
  "hashes.delete": (cache, key) => cache.hashes.delete(key, "f"),
  "hashes.size": (cache, key) => cache.hashes.size(key),
  "hashes.fields": (cache, key) => cache.hashes.fields(key),
  "hashes.has": (cache, key) => cache.hashes.has(key, "f"),
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
    it.each(["", 5, 0, null, undefined, {}, ["a"], true, Symbol("a"), "half \ud83d"])("a key that is none: %s", (key) =>
      refusedBeforeIo((cache) => call(cache, wrong(key)), /key: .*; give /),
    );
  });

  describe.each(Object.entries(WITH_TTL))("%s refuses", (_, call) => {
    it.each([Number.NaN, Number.POSITIVE_INFINITY, "5 parsecs", "5", "", true, {}, [], 5n, new Date(), Symbol("1s")])(
      "a lifetime that is none: %s",
      (ttl) => refusedBeforeIo((cache) => call(cache, wrong(ttl)), /ttl: .* is not a duration; give seconds/),
    );
  });

  it("the name of a field with half of a surrogate pair is refused, in every method that takes one", async () => {
    const field = "\ud83d";
    for (const call of [
      (cache: Cache) => cache.hashes.set("h", field, 1),
      (cache: Cache) => cache.hashes.set("h", { [field]: 1 }),
      (cache: Cache) => cache.hashes.set("h", new Map([[field, 1]])),
      (cache: Cache) => cache.hashes.get("h", field),
      (cache: Cache) => cache.hashes.has("h", field),
      (cache: Cache) => cache.hashes.delete("h", [field]),
    ]) {
      await refusedBeforeIo(call, /field: .* half of a surrogate pair/);
    }
  });

  it("a key function that cuts a character in half, or returns no key, is an error", async () => {
    const cut = createCache({ location: "memory:", keyFunction: (key) => key.slice(0, 3) });
    await cut.set("ab", 1);
    await expect(cut.set("ab\u{1f3d9}", 1)).rejects.toThrow(/keyFunction: .* half of a surrogate pair/);
    await expect(cut.getMany(["ab\u{1f3d9}"])).rejects.toThrow(/keyFunction: .* half of a surrogate pair/);
    for (const nothing of ["", undefined, 5, Promise.resolve("a")]) {
      const cache = createCache({ location: "memory:", keyFunction: () => nothing as string });
      await expect(cache.get("a")).rejects.toThrow(
        /keyFunction: it returned .* for "a"; let it return the text of a key/,
      );
    }
  });

  it("a pattern or a prefix with half of a surrogate pair is refused, as it would also match other halves", async () => {
    await refusedBeforeIo((cache) => cache.keys("\udfff*"), /pattern: .* half of a surrogate pair/);
    await refusedBeforeIo((cache) => cache.deletePattern("\udfff*"), /pattern: .* half of a surrogate pair/);
    await refusedBeforeIo((cache) => cache.clear({ prefix: "\udfff" }), /prefix: .* half of a surrogate pair/);
    expect(() => createCache({ location: "memory:", keyPrefix: "a\ud83d" })).toThrow(
      /option "keyPrefix" is "a.*"; give a string of whole characters/,
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
      (cache: Cache) => cache.sets.add("a", [1], options),
      (cache: Cache) => cache.sets.unionStore("a", ["b"], { versionKeys: wrong<number>(version) }),
      (cache: Cache) => cache.hashes.get("a", "f", options),
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
      (cache: Cache) => cache.sets.unionStore("a", ["b"], options),
    ]) {
      await refusedBeforeIo(call, /prefix: .* is not a prefix; give a string/);
    }
  });

  it.each<[string, Call, RegExp]>([
    ["set of nx and xx", (cache) => cache.set("a", 1, { nx: true, xx: true }), /nx and xx/],
    ["set of undefined", (cache) => cache.set("a", undefined), /undefined can't be stored/],
    ["setMany of undefined", (cache) => cache.setMany({ b: 1, a: undefined }), /undefined can't be stored/],
    ["mset of undefined", (cache) => cache.mset({ b: 1, a: undefined }), /undefined can't be stored/],
    ["hashes.set of undefined", (cache) => cache.hashes.set("a", { b: 1, c: undefined }), /undefined can't be stored/],
    [
      "getOrSet without a loader",
      (cache) => cache.getOrSet("a", wrong<() => never>("value")),
      /loader: "value" is not a function/,
    ],
    [
      "getOrSetMany without a loader",
      (cache) => cache.getOrSetMany(["a"], wrong<() => never>({})),
      /loader: .* is not a function/,
    ],
    ["getMany of a text", (cache) => cache.getMany("abc"), /keys: "abc" is not a list/],
    ["getMany of nothing", (cache) => cache.getMany(wrong(undefined)), /keys: undefined is not a list/],
    ["mget of an object", (cache) => cache.mget(wrong({ a: 1 })), /keys: an object is not a list/],
    ["expireSoftMany of a text", (cache) => cache.expireSoftMany("abc"), /keys: "abc" is not a list/],
    ["deleteMany of a text", (cache) => cache.deleteMany("abc"), /keys: "abc" is not a list/],
    ["setMany of a text", (cache) => cache.setMany(wrong("abc")), /entries: "abc"/],
    ["setMany of nothing", (cache) => cache.setMany(wrong(null)), /entries: null/],
    ["setMany of keys", (cache) => cache.setMany(wrong(["ab", "cd"])), /entries: "ab" is not a pair/],
    ["mset of a number", (cache) => cache.mset(wrong(5)), /entries: 5/],
    ["expire of null", (cache) => cache.expire("a", wrong(null)), /ttl: null is not a duration/],
    ["expire of a number in a text", (cache) => cache.expire("a", wrong("5")), /ttl: "5" is not a duration/],
    ["incr by half", (cache) => cache.incr("a", 0.5), /delta: 0.5 is not a whole number/],
    ["incr by too much", (cache) => cache.incr("a", 2n ** 63n), /delta: .* is not a whole number of 64 bits/],
    ["incr by an unsafe number", (cache) => cache.incr("a", 2 ** 53), /delta/],
    ["decr by half", (cache) => cache.decr("a", 0.5), /delta/],
    ["decr by too much", (cache) => cache.decr("a", 2n ** 64n), /delta/],
    ["incrVersion by half", (cache) => cache.incrVersion("a", 0.5), /delta/],
    ["sets.pop of a part", (cache) => cache.sets.pop("a", 0.5), /count: 0.5 is not a count/],
    ["sets.pop of less than none", (cache) => cache.sets.pop("a", -1), /count: -1/],
    ["sets.random of a part", (cache) => cache.sets.random("a", 0.5), /count/],
    ["sets.scan from nowhere", (cache) => cache.sets.scan("a", "there"), /cursor: "there" is not a cursor/],
    ["sets.difference of nothing", (cache) => cache.sets.difference([]), /keys: there are none/],
    ["sets.unionStore of nothing", (cache) => cache.sets.unionStore("a", []), /keys: there are none/],
    ["deletePattern of nothing", (cache) => cache.deletePattern(""), /pattern: "" is not a pattern/],
    ["keys of nothing", (cache) => cache.keys(""), /pattern: "" is not a pattern/],
    ["lock for nothing", (cache) => cache.lock("a", { ttl: 0 }), /ttl/],
    ["lock for a lifetime of null", (cache) => cache.lock("a", { ttl: wrong(null) }), /ttl: null is not a duration/],
    ["lock with a wait of null", (cache) => cache.lock("a", { waitTimeout: wrong(null) }), /waitTimeout: null/],
    ["lock with a wait of less than nothing", (cache) => cache.lock("a", { waitTimeout: -1 }), /waitTimeout: -1/],
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
    },
  );

  it("a value that can't be stored is refused", async () => {
    const calls: Call[] = [
      (cache) => cache.set("a", () => 1),
      (cache) => cache.add("a", Symbol("s")),
      (cache) => cache.setMany({ b: 1, a: () => 1 }),
      (cache) => cache.mset({ b: 1, a: () => 1 }),
      (cache) => cache.sets.add("a", [1, () => 1]),
      (cache) => cache.sets.delete("a", [() => 1]),
      (cache) => cache.sets.has("a", () => 1),
      (cache) => cache.sets.hasMany("a", [() => 1]),
      (cache) => cache.sets.move("a", "b", () => 1),
      (cache) => cache.hashes.set("a", "f", () => 1),
      (cache) => cache.hashes.set("a", { g: 1, f: () => 1 }),
    ];
    for (const call of calls) {
      const { cache, roundTrips } = open();
      await expect(call(cache)).rejects.toMatchObject({ name: "EncodeError", message: expect.stringMatching(/:1:a/) });
      expect(roundTrips).toEqual([]);
    }
  });

  it("nothing is asked for no keys, no entries, no members", async () => {
    const { cache, roundTrips } = open();
    function* none(): Iterable<never> {}
    expect(await cache.getMany([])).toEqual(new Map());
    expect(await cache.mget(none())).toEqual(new Map());
    expect(await cache.getOrSetMany(new Set<string>(), () => expect.unreachable())).toEqual(new Map());
    expect(await cache.setMany({})).toEqual([]);
    expect(await cache.setMany([])).toEqual([]);
    expect(await cache.mset(new Map())).toBeUndefined();
    expect(await cache.deleteMany(none())).toBe(0);
    expect(await cache.sets.add("a", [])).toBe(0);
    expect(await cache.sets.delete("a", none())).toBe(0);
    expect(await cache.sets.hasMany("a", [])).toEqual([]);
    expect(await cache.hashes.set("a", {})).toBe(0);
    expect(await cache.hashes.delete("a", [])).toBe(0);
    expect(roundTrips).toEqual([]);
  });

  it("a cache and its clients are made without asking anything", async () => {
    const { factory, roundTrips } = watched(memory());
    const cache = createCache({ location: "memory:", connectionFactory: factory });
    cache.makeKey("a");
    cache.makePattern("a*");
    cache.for();
    await cache.codec.encode(1);
    await cache.codec.decode("1");
    await cache.close();
    expect(roundTrips).toEqual([]);
  });
});
