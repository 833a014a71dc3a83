import { randomUUID } from "node:crypto";
import { Keyv as Keyv5, type KeyvStoreAdapter } from "keyv";
import { Keyv as Keyv6 } from "keyv-6";
import { type CacheOptions, createCache, herd, iovalkey, nearCache } from "valkey-edge-cache";
import { type KeyvStoreOptions, keyvStore } from "valkey-edge-cache/keyv";
import { zlib } from "valkey-edge-cache/zlib";
import { afterAll, describe, expect, inject, it } from "vitest";
import { startProxy } from "../support/proxy.js";
import { until } from "../support/wait.js";

/** What both versions of Keyv have. */
interface AnyKeyv {
  get(key: string): Promise<unknown>;
  getMany(keys: string[]): Promise<unknown[]>;
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<boolean[]>;
  has(key: string): Promise<boolean>;
  hasMany(keys: string[]): Promise<boolean[]>;
  delete(key: string): Promise<boolean>;
  deleteMany(keys: string[]): Promise<boolean | boolean[]>;
  clear(): Promise<void>;
  disconnect(): Promise<void>;
  entries(): AsyncIterable<[string, unknown]>;
}

type Make = (options: KeyvStoreOptions, namespace?: string) => AnyKeyv;

const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

const withKeyv5: Make = (options, namespace) => {
  const keyv = new Keyv5({ store: keyvStore(options), ...(namespace !== undefined && { namespace }) });
  ends.push(() => keyv.disconnect());
  return Object.assign(keyv, { entries: () => keyv.iterator?.(undefined) ?? [] }) as AnyKeyv;
};

const withKeyv5Unprefixed: Make = (options, namespace) => {
  const keyv = new Keyv5({ store: keyvStore(options), namespace: namespace ?? "", useKeyPrefix: false });
  ends.push(() => keyv.disconnect());
  return Object.assign(keyv, { entries: () => keyv.iterator?.(undefined) ?? [] }) as AnyKeyv;
};

const withKeyv6: Make = (options, namespace) => {
  const keyv = new Keyv6({ store: keyvStore(options), ...(namespace !== undefined && { namespace }) });
  ends.push(() => keyv.disconnect());
  return Object.assign(keyv, { entries: () => keyv.iterator() });
};

const versions: [string, Make][] = [
  ["Keyv 5", withKeyv5],
  ["Keyv 5 without useKeyPrefix", withKeyv5Unprefixed],
  ["Keyv 6", withKeyv6],
];

const places: [string, () => Omit<CacheOptions, "serializer">][] = [
  ["a server", () => ({ location: inject("valkeyUrl") })],
  ["a server, over iovalkey()", () => ({ location: inject("valkeyUrl"), connectionFactory: iovalkey() })],
  [
    "a server, with herd() and nearCache()",
    () => ({ location: inject("valkeyUrl"), client: herd(), nearCache: nearCache() }),
  ],
  ["a server, compressed", () => ({ location: inject("valkeyUrl"), compressor: zlib({ minLength: 10 }) })],
  ["memory:", () => ({ location: `memory:${randomUUID()}` })],
];

const keyPrefix = () => `keyv-${randomUUID()}`;
async function all(keyv: AnyKeyv): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for await (const [key, value] of keyv.entries()) found.set(key, value);
  return found;
}

describe.each(versions)("%s", (_, make) => {
  describe.each(places)("in %s", (_, place) => {
    it("reads what it has written, of each kind of value", async () => {
      const keyv = make({ ...place(), keyPrefix: keyPrefix() }, "values");
      const values: Record<string, unknown> = {
        text: "bar",
        quotes: "\"'",
        none: null,
        no: false,
        zero: 0,
        deep: { a: [1] },
      };
      for (const [key, value] of Object.entries(values)) expect(await keyv.set(key, value)).toBe(true);
      for (const [key, value] of Object.entries(values)) expect(await keyv.get(key)).toEqual(value);
      expect(await keyv.getMany([...Object.keys(values), "absent"])).toEqual([...Object.values(values), undefined]);
      const bytes = Buffer.from("bytes");
      await keyv.set("bytes", { bytes });
      expect(Buffer.compare(Object(await keyv.get("bytes")).bytes, bytes)).toBe(0);
      expect(await keyv.get("absent")).toBeUndefined();
    });

    it("takes lifetimes as milliseconds, and never expires an entry without one", async () => {
      const options = { ...place(), keyPrefix: keyPrefix() };
      const keyv = make(options, "ttl");
      await using cache = createCache(options);
      await keyv.set("long", 1, 90_000);
      await keyv.set("never", 1);
      await keyv.setMany([
        { key: "first", value: 1, ttl: 30_000 },
        { key: "second", value: 2, ttl: 60_000 },
        { key: "third", value: 3 },
      ]);
      const ttl = async (key: string) => {
        const [name = ""] = (await cache.keys(`ttl:*${key}`)) ?? [];
        return cache.ttl(name);
      };
      expect((await ttl("long")) ?? 0).toBeCloseTo(90, -1);
      expect(await ttl("never")).toBeNull();
      expect((await ttl("first")) ?? 0).toBeCloseTo(30, -1);
      expect((await ttl("second")) ?? 0).toBeCloseTo(60, -1);
      expect(await ttl("third")).toBeNull();
      await keyv.set("short", 1, 40);
      await until(async () => (await keyv.get("short")) === undefined, { what: "the end of the entry" });
      expect(await keyv.has("short")).toBe(false);
    });

    it("has bulk methods with a result for each key", async () => {
      const keyv = make({ ...place(), keyPrefix: keyPrefix() }, "bulk");
      expect(
        await keyv.setMany([
          { key: "a", value: 1 },
          { key: "b", value: 2 },
        ]),
      ).toEqual([true, true]);
      expect(await keyv.hasMany(["a", "b", "c"])).toEqual([true, true, false]);
      expect(await keyv.has("a")).toBe(true);
      expect(await keyv.delete("a")).toBe(true);
      expect(await keyv.delete("a")).toBe(false);
      const deleted = await keyv.deleteMany(["a", "b"]);
      expect(deleted).toEqual(make === withKeyv6 ? [false, true] : true);
      const none = await keyv.deleteMany(["a", "b"]);
      expect(none).toEqual(make === withKeyv6 ? [false, false] : false);
      expect(await keyv.getMany(["a", "b"])).toEqual([undefined, undefined]);
      expect(await keyv.getMany([])).toEqual([]);
    });

    it("iterates over its namespace, with the keys as they were given", async () => {
      const options = { ...place(), keyPrefix: keyPrefix() };
      const [keyv, other] = [make(options, "mine"), make(options, "mine-too")];
      await keyv.setMany([
        { key: "a", value: 1 },
        { key: "b:c", value: 2 },
        { key: ":d", value: 3 },
      ]);
      await other.set("x", 3);
      expect(await all(keyv)).toEqual(
        new Map<string, unknown>([
          ["a", 1],
          ["b:c", 2],
          [":d", 3],
        ]),
      );
      expect(await all(other)).toEqual(new Map([["x", 3]]));
    });

    it("clears its namespace and no other one, also of entries that are not Keyv's", async () => {
      const options = { ...place(), keyPrefix: keyPrefix() };
      const names = ["a", "a:b", "ab", "a*", "*", "[a]", "%3a", undefined];
      await using cache = createCache(options);
      await cache.set("other", 1);
      const keyvs = new Map(names.map((name) => [name, make(options, name)]));
      const isFilled = (keyv: AnyKeyv | undefined) => keyv?.getMany(["k", "b:k"]);
      for (const cleared of names) {
        for (const keyv of keyvs.values())
          await keyv.setMany([
            { key: "k", value: 1 },
            { key: "b:k", value: 1 },
          ]);
        await keyvs.get(cleared)?.clear();
        for (const [name, keyv] of keyvs) {
          const expected = name === cleared ? [undefined, undefined] : [1, 1];
          expect(await isFilled(keyv), `${name} after ${cleared}.clear()`).toEqual(expected);
        }
      }
      expect(await cache.get("other")).toBe(1);
    });
  });

  it("keeps apart the keys of namespaces whose texts begin with each other", async () => {
    const options = { location: `memory:${randomUUID()}` };
    const pairs: [string, string][] = [
      ["a", "b:c"],
      ["a:b", "c"],
      ["a", ":c"],
      ["a:", "c"],
      ["a%3ab", "c"],
      ["a", "a:a:c"],
    ];
    for (const [i, [namespace, key]] of pairs.entries()) await make(options, namespace).set(key, i);
    for (const [i, [namespace, key]] of pairs.entries()) expect(await make(options, namespace).get(key)).toBe(i);
  });

  it("iterates over more entries than one batch has", async () => {
    const keyv = make({ location: `memory:${randomUUID()}` }, "many");
    const entries = Array.from({ length: 1_201 }, (_, value) => ({ key: `k${value}`, value }));
    await keyv.setMany(entries);
    expect(await all(keyv)).toEqual(new Map(entries.map(({ key, value }) => [key, value])));
  });

  it("needs one round trip for several keys", async () => {
    const { port, hostname } = new URL(inject("valkeyUrl"));
    await using proxy = await startProxy({ host: hostname, port: Number(port) });
    const keyv = make({ location: proxy.url, keyPrefix: keyPrefix(), connectionFactory: iovalkey() }, "trips");
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const entries = keys.map((key, value) => ({ key, value, ttl: 60_000 }));
    const tripsOf = async (work: () => Promise<unknown>) => {
      const before = proxy.roundTrips;
      await work();
      return proxy.roundTrips - before;
    };
    await keyv.get("warm");
    expect(await tripsOf(() => keyv.setMany(entries))).toBe(1);
    expect(await tripsOf(() => keyv.setMany(entries.map((one, i) => ({ ...one, ttl: 60_000 + i }))))).toBe(1);
    expect(await tripsOf(() => keyv.getMany(keys))).toBe(1);
    expect(await tripsOf(() => keyv.hasMany(keys))).toBe(1);
    expect(await tripsOf(() => keyv.deleteMany(keys))).toBe(1);
  });

  it("opens no connection before the first call", async () => {
    const { port, hostname } = new URL(inject("valkeyUrl"));
    await using proxy = await startProxy({ host: hostname, port: Number(port) });
    const keyv = make({ location: proxy.url }, "lazy");
    await new Promise((resolve) => setImmediate(resolve));
    expect(proxy.accepted).toBe(0);
    await keyv.get("a");
    expect(proxy.accepted).toBeGreaterThan(0);
  });
});

describe("keyvStore", () => {
  it("is a store by Keyv 5's types", () => {
    const store = keyvStore({ location: "memory:" });
    // Its type says that setMany returns nothing, while Keyv returns what the store does.
    store satisfies Omit<KeyvStoreAdapter, "setMany" | "deleteMany" | "on">;
    expect(store.opts).toEqual({ dialect: "valkey" });
  });

  it.each([
    ["Keyv 5", (store: object) => new Keyv5({ store, namespace: "app" }), "app:7"],
    [
      "Keyv 5 without useKeyPrefix",
      (store: object) => new Keyv5({ store, namespace: "app", useKeyPrefix: false }),
      "app::7",
    ],
    ["Keyv 6", (store: object) => new Keyv6({ store, namespace: "app" }), "app::7"],
    ["Keyv 6 without a namespace", (store: object) => new Keyv6({ store }), ":7"],
  ] as const)("stores the text of %s as it is, under a key with the namespace once", async (_, make, key) => {
    await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: keyPrefix() });
    const keyv = make(keyvStore({ cache }));
    await keyv.set("7", { name: "Ann" });
    const [stored] = await cache.connection.send([["GET", String(cache.makeKey(key))]]);
    expect(String(stored)).toBe('{"value":{"name":"Ann"}}');
  });

  it("keeps any text that a serializer makes", async () => {
    const options = { location: `memory:${randomUUID()}` };
    for (const text of ["7", "", "-1.5", "nan", "=", "{", "text", '{"value":1}']) {
      const keyv = new Keyv5({
        store: keyvStore(options),
        serialize: () => text,
        deserialize: (value) => ({ value }) as never,
      });
      expect(await keyv.set("a", 1)).toBe(true);
      expect(await keyv.get("a")).toBe(text);
    }
  });

  it("refuses values that Keyv hasn't made text of, and says what to do", async () => {
    const store = keyvStore({ location: "memory:" });
    await expect(store.set("a", { value: 1 })).rejects.toThrow(
      /key ":1::a": an object can't be stored by keyv: .* leave Keyv a serializer/,
    );
  });

  it("leaves a cache that was given open, and closes its own", async () => {
    await using cache = createCache({ location: "memory:" });
    const keyv = new Keyv5({ store: keyvStore({ cache }) });
    await keyv.disconnect();
    expect(await keyv.set("a", 1)).toBe(true);
    const own = keyvStore({ location: "memory:" });
    await own.disconnect();
    await expect(own.set("a", "1")).rejects.toThrow("closed");
  });

  it("is within the namespace of a cache that was given", async () => {
    await using cache = createCache({ location: `memory:${randomUUID()}` });
    const keyv = new Keyv5({ store: keyvStore({ cache: cache.namespace("tenant") }) });
    await keyv.set("a", 1);
    expect(await keyv.get("a")).toBe(1);
    expect(await cache.keys()).toEqual(["ns(tenant):keyv:a"]);
    await cache.namespace("tenant").purge();
    expect(await keyv.get("a")).toBeUndefined();
  });

  it("has a default lifetime by its option, in seconds", async () => {
    await using cache = createCache({ location: `memory:${randomUUID()}` });
    const keyv = new Keyv5({ store: keyvStore({ cache, ttl: "5m" }) });
    await keyv.set("a", 1);
    expect((await cache.ttl("keyv:a")) ?? 0).toBeCloseTo(300, -1);
    await keyv.set("a", 1, 1_000);
    expect((await cache.ttl("keyv:a")) ?? 0).toBeCloseTo(1, 0);
  });

  it.each([
    [{ location: "memory:", throwOnErrors: 1 }, 'keyvStore: option "throwOnErrors" is 1; give true or false'],
    [{ location: "memory:", serializer: {} }, 'keyvStore: option "serializer" is an object; give it to Keyv'],
    [{ location: "memory:", url: "x" }, 'createCache: unknown option "url"'],
    [{ location: "memory:", ttl: "soon" }, 'keyvStore: option "ttl" is "soon"; give seconds'],
    [{}, "location"],
  ])("refuses the options %o", (options, message) => {
    expect(() => keyvStore(options as never)).toThrow(message);
  });
});
