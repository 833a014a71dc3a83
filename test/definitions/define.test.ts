import { describe, expect, inject, it, onTestFinished } from "vitest";
import {
  type Cache,
  type CacheOptions,
  ConfigurationError,
  createCache,
  define,
  herd,
  type LoaderContext,
} from "../../src/index.js";
import { NAMED } from "../contract/cache/definitions.js";
import { ownPrefix } from "../contract/cache/stored.js";

function open(options: Partial<CacheOptions> = {}): Cache {
  const cache = createCache({ location: "memory:", keyPrefix: ownPrefix(), ...options });
  onTestFinished(() => cache.close());
  return cache;
}

const key = (id: string) => `user:${id}`;
const load = (id: string) => ({ name: id });

describe("define", () => {
  it.each<[unknown, RegExp]>([
    [undefined, /^define: options must be an object, not undefined/],
    [{ load }, /^define: option "key" is missing; give a function$/],
    [{ key }, /^define: option "load" is missing; give a function$/],
    [{ key: "user", load }, /^define: option "key" is "user"; give a function$/],
    [{ key, load, loadMany: 1 }, /^define: option "loadMany" is 1; give a function$/],
    [{ key, load, ttl: "soon" }, /^define: option "ttl" is "soon"; give seconds/],
    [{ key, load, softTimeout: -1 }, /^define: option "softTimeout" is -1; give seconds/],
    [{ key, load, hardTimeout: 0 }, /^define: option "hardTimeout" is 0; give a duration above 0, or null$/],
    [{ key, load, version: "" }, /^define: option "version" is ""; give a whole number, or a string/],
    [{ key, load, version: 1.5 }, /^define: option "version" is 1\.5; give a whole number, or a string/],
    [{ key, load, schema: {} }, /^define: option "schema" is an object; give a schema with Standard Schema/],
    [{ key, load, tags: [""] }, /^define: option "tags" is an array; give at most 128 texts of 1 to 1,024 characters/],
    [{ key, load, tags: "users" }, /^define: option "tags" is "users"; give at most 128 texts/],
    [{ key, load, lifetime: 5 }, /^define: unknown option "lifetime"; known options are: ttl, version/],
  ])("refuses %o", (options, message) => {
    const make = () => Reflect.apply(define, undefined, [open(), options]);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it("refuses options of a call that are unknown, or no options", async () => {
    const users = define(open(), { key, load });
    await expect(Reflect.apply(users.get, users, ["7", { ttl: 5 }])).rejects.toThrow(
      /^get: unknown option "ttl"; known options are: signal, softTimeout, hardTimeout$/,
    );
    await expect(Reflect.apply(users.getMany, users, [["7"], null])).rejects.toThrow(
      /^getMany: options are null; give/,
    );
    await expect(Reflect.apply(users.refresh, users, ["7", { prefix: "a" }])).rejects.toThrow(
      /^refresh: unknown option/,
    );
  });

  it("rejects when its key function gives no key, before it loads", async () => {
    let loads = 0;
    const users = define(open(), { key: () => "", load: () => ++loads });
    for (const call of [
      users.get(1),
      users.getMany([1]),
      users.set(1, 1),
      users.delete(1),
      users.peek(1),
      users.refresh(1),
    ])
      await expect(call).rejects.toThrow(/^key: the definition's function returned ""; return a string/);
    expect(loads).toBe(0);
  });

  it("passes the loader's context on: signal, lifetime and stale value", async () => {
    const cache = open();
    let context: LoaderContext | undefined;
    const users = define(cache, {
      key,
      load: (id: string, given) => {
        context = given;
        given.ttl("1h");
        return id;
      },
      ttl: "5m",
    });
    await users.get("7", { signal: new AbortController().signal });
    expect(context?.signal).toBeInstanceOf(AbortSignal);
    expect(await cache.ttl(users.key("7"))).toBeGreaterThan(3_000);
  });

  it("stores with its lifetime", async () => {
    const cache = open();
    const users = define(cache, { key, load, loadMany: (ids) => new Map(ids.map((id) => [id, load(id)])), ttl: "1h" });
    await users.get("a");
    await users.getMany(["b"]);
    await users.set("c", { name: "c" });
    for (const id of ["a", "b", "c"]) expect(await cache.ttl(users.key(id))).toBeGreaterThan(3_000);
  });

  it("without loadMany loads the missing ones at the same time, one by one", async () => {
    let running = 0;
    let most = 0;
    const users = define(open(), {
      key,
      load: async (id: string) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        return id === "none" ? undefined : id;
      },
    });
    expect([...(await users.getMany(["a", "none", "b", "a"]))]).toEqual([
      ["a", "a"],
      ["b", "b"],
    ]);
    expect(most).toBe(3);
  });

  it("takes what loadMany returns by id from a Map, and by the id's text from an object", async () => {
    const both = [1, 2] as const;
    for (const loadMany of [
      (ids: number[]) => new Map(ids.map((id) => [id, `v${id}`])),
      (ids: number[]) => Object.fromEntries(ids.map((id) => [id, `v${id}`])),
    ]) {
      const values = define(open(), { key: (id: number) => `n:${id}`, load: (id) => `v${id}`, loadMany });
      expect([...(await values.getMany(both))]).toEqual([
        [1, "v1"],
        [2, "v2"],
      ]);
    }
  });

  it("refuses a list that loadMany returns", async () => {
    const users = Reflect.apply(define, undefined, [open(), { key, load, loadMany: (ids: string[]) => ids }]);
    await expect(users.getMany(["a"])).rejects.toThrow(/loader: it returned an array; return a Map or an object/);
  });

  it("takes no text for a list of ids", async () => {
    const users = define(open(), { key, load });
    await expect(users.getMany("ab")).rejects.toThrow(/^ids: "ab" is not a list; give an array/);
  });

  it("answers ids that have one key alike", async () => {
    const users = define(open(), {
      key: (id: string | number) => `user:${id}`,
      load: String,
      loadMany: (ids) => new Map(ids.map((id) => [id, String(id)])),
    });
    expect([...(await users.getMany([7, "7"]))]).toEqual([
      [7, "7"],
      ["7", "7"],
    ]);
  });

  it("works over a view of the cache", async () => {
    const cache = open();
    const users = define(cache, { key, load });
    await using view = cache.for();
    expect(await users.with(view).get("7")).toEqual({ name: "7" });
    expect(await users.peek("7")).toEqual({ name: "7" });
  });

  it("works over a namespace, whose values are its own, also when they are replaced", async () => {
    const cache = open();
    const tenant = cache.namespace("tenant");
    const users = define(cache, { key, load, schema: NAMED });
    await cache.set("user:7", { name: "whole" });
    await tenant.set("user:7", { title: "old" });
    expect(await users.with(tenant).get("7")).toEqual({ name: "7", greeting: "Hello 7" });
    expect(await users.get("7")).toEqual({ name: "whole", greeting: "Hello whole" });
    expect(await tenant.get("user:7")).toEqual({ name: "7" });
  });
});

describe.each([
  ["over Valkey", () => inject("valkeyUrl")],
  ["in memory", () => "memory:definitions"],
])("a stored value that the schema refuses, %s", (_, location) => {
  it("is loaded once by many caches under herd(), also when it is stale", async () => {
    const keyPrefix = ownPrefix();
    const caches = Array.from({ length: 5 }, () =>
      open({ location: location(), keyPrefix, client: herd({ grace: "5m" }) }),
    );
    let loads = 0;
    const asking = caches.map((cache) =>
      define(cache, {
        key,
        load: async (id: string) => {
          loads++;
          return { name: id };
        },
        schema: NAMED,
      }),
    );
    await caches[0]?.set("user:7", { title: "old" });
    expect(await Promise.all(asking.map((users) => users.get("7")))).toEqual(
      Array(5).fill({ name: "7", greeting: "Hello 7" }),
    );
    expect(loads).toBe(1);
  });

  it("is not deleted any more when another process has replaced it", async () => {
    const keyPrefix = ownPrefix();
    const [cache, other] = [open({ location: location(), keyPrefix }), open({ location: location(), keyPrefix })];
    let loads = 0;
    const users = define(cache, { key, load: (id) => ({ name: id, loads: ++loads }), schema: NAMED });
    await cache.set("user:7", { title: "old" });
    const { connection } = cache;
    const script = connection.script.bind(connection);
    const replacing: typeof script = async (...call) => {
      if (call[0].name === "delete if") await other.set("user:7", { name: "newer" });
      return script(...call);
    };
    Object.assign(connection, { script: replacing });
    expect(await users.get("7")).toEqual({ name: "newer", greeting: "Hello newer" });
    expect(loads).toBe(0);
  });
});
