import { createStorage, type Storage } from "unstorage";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { type ValkeyDriverOptions, valkeyDriver } from "../../src/adapters/unstorage.js";
import { type ConnectionFactory, createCache, glide, iovalkey } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { command } from "../support/command.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";

const port = () => Number(new URL(inject("valkeyUrl")).port);

/** A storage whose driver ends with the test. */
function open(options: ValkeyDriverOptions): { storage: Storage; driver: ReturnType<typeof valkeyDriver> } {
  const driver = valkeyDriver(options);
  const storage = createStorage({ driver });
  onTestFinished(() => storage.dispose());
  return { storage, driver };
}

const TRANSPORTS: readonly (readonly [name: string, factory: (timeouts: object) => ConnectionFactory])[] = [
  ["valkey-glide", (timeouts) => glide(timeouts)],
  ["iovalkey", (timeouts) => iovalkey(timeouts)],
];

/** Each call of a storage, and what it answers where store errors are ignored. */
const CALLS: readonly (readonly [name: string, call: (storage: Storage) => unknown, otherwise: unknown])[] = [
  ["hasItem", (storage) => storage.hasItem("a"), false],
  ["getItem", (storage) => storage.getItem("a"), null],
  ["getItems", (storage) => storage.getItems(["a"]), [{ key: "a", value: null }]],
  ["getItemRaw", (storage) => storage.getItemRaw("a"), null],
  ["setItem", (storage) => storage.setItem("a", 1), undefined],
  ["setItems", (storage) => storage.setItems([{ key: "a", value: 1 }]), undefined],
  ["setItemRaw", (storage) => storage.setItemRaw("a", Uint8Array.of(255)), undefined],
  ["removeItem", (storage) => storage.removeItem("a"), undefined],
  ["getMeta", (storage) => storage.getMeta("a"), {}],
  ["getKeys", (storage) => storage.getKeys("a"), []],
  ["clear", (storage) => storage.clear(), undefined],
];

describe.each(TRANSPORTS)("over %s, a storage", (_, factory) => {
  it("opens no connection before its first call, and closes its own when it is disposed", async () => {
    await using proxy = await startProxy({ port: port() });
    const { storage } = open({ location: proxy.url, keyPrefix: ownPrefix(), connectionFactory: factory({}) });
    expect(proxy.accepted).toBe(0);
    await storage.setItem("a", 1);
    expect(proxy.accepted).toBeGreaterThan(0);
    await storage.dispose();
    await until(() => proxy.connections === 0, { what: "the end of the connections" });
    await expect(storage.getItem("a")).rejects.toThrow("closed");
  });

  it("sends what it reads or sets together in one batch", async () => {
    await using proxy = await startProxy({ port: port() });
    const { storage } = open({ location: proxy.url, keyPrefix: ownPrefix(), connectionFactory: factory({}) });
    const items = Array.from({ length: 10 }, (_, i) => ({ key: `item:${i}`, value: i }));
    await storage.setItem("first", 1);
    // A client may give a batch to its socket in two parts.
    const taken = async (work: Promise<unknown>): Promise<number> => {
      const before = proxy.roundTrips;
      await work;
      return proxy.roundTrips - before;
    };
    expect(await taken(storage.setItems(items, { ttl: 10 }))).toBeLessThanOrEqual(2);
    expect(await taken(storage.getItems(items.map(({ key }) => key)))).toBeLessThanOrEqual(2);
    expect(await storage.getItems(items.map(({ key }) => key))).toEqual(items);
  });

  it.each(["killed", "frozen"] as const)(
    "ends every call in time when the server is %s, and goes on after",
    async (how) => {
      await using server = await startValkey();
      const timeouts = { connectTimeout: "200ms", commandTimeout: "200ms" };
      const options = { location: server.url, keyPrefix: ownPrefix(), connectionFactory: factory(timeouts) };
      const { storage } = open(options);
      const { storage: lenient } = open({ ...options, ignoreErrors: true, onError: () => {} });
      await storage.setItem("a", 1);
      await lenient.setItem("a", 1);
      await server.kill(how === "killed" ? "SIGKILL" : "SIGSTOP");
      for (const [name, call, otherwise] of CALLS) {
        const took = stopwatch();
        // One that has begun before the loss of the connection is known may take a deadline and a dial.
        await expect(call(storage), name).rejects.toThrow(/\w/);
        expect(await call(lenient), name).toEqual(otherwise);
        expect(took(), name).toBeLessThan(2_000);
      }
      if (how === "killed") await server.restart();
      else await server.kill("SIGCONT");
      await until(async () => (await storage.hasItem("b")) === false, { what: "an answer", timeoutMs: 10_000 });
      await storage.setItem("b", 2);
      expect(await storage.getItem("b")).toBe(2);
    },
  );
});

describe("the driver of unstorage", () => {
  it("stores items as plain text under its base, which other clients read, and bytes as unstorage does", async () => {
    const keyPrefix = ownPrefix();
    const { storage } = open({ location: inject("valkeyUrl"), keyPrefix, base: "app:" });
    await storage.setItem("text", "Grüße");
    await storage.setItem("object", { a: [1] });
    await storage.setItem("number", 12);
    await storage.setItemRaw("bytes", Buffer.from("plain bytes"));
    await storage.setItemRaw("control", Uint8Array.of(2, 0, 2, 5));
    await storage.setItemRaw("binary", Uint8Array.of(1, 255));
    const at = (key: string) => command(port(), ["GET", `${keyPrefix}:1:app:${key}`]);
    expect(await at("text")).toBe("Grüße");
    expect(await at("object")).toBe('{"a":[1]}');
    expect(await at("number")).toBe("12");
    expect(await at("bytes")).toBe("plain bytes");
    expect(await at("control")).toBe("\x02\x00\x02\x05");
    expect(await at("binary")).toBe("base64:Af8=");
    expect(await command(port(), ["KEYS", `${keyPrefix}*`])).toHaveLength(6);
    expect((await storage.getKeys()).sort()).toEqual(["binary", "bytes", "control", "number", "object", "text"]);
  });

  it("reads what other drivers have stored: text, JSON, and bytes as unstorage writes them into stores of text", async () => {
    const keyPrefix = ownPrefix();
    const { storage } = open({ location: inject("valkeyUrl"), keyPrefix });
    const plant = (key: string, text: string) => command(port(), ["SET", `${keyPrefix}:1:${key}`, text]);
    await plant("text", "plain");
    await plant("object", '{ "a": 1 }');
    await plant("quoted", '"a');
    await plant("bytes", `base64:${Buffer.from([1, 255]).toString("base64")}`);
    await plant("no base64", "base64:?");
    expect(await storage.getItem("text")).toBe("plain");
    expect(await storage.getItem("object")).toEqual({ a: 1 });
    expect(await storage.getItem("quoted")).toBe('"a');
    expect(await storage.getItemRaw("bytes")).toEqual(Buffer.from([1, 255]));
    expect(await storage.getItemRaw("no base64")).toEqual(Buffer.from("base64:?"));
  });

  it("has the values of a cache that the application uses as well, both ways, and doesn't close it", async () => {
    await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
    const users = cache.namespace("users");
    const { storage, driver } = open({ cache: users, base: "by-id" });
    expect(driver.getInstance?.()).toBe(users);
    await storage.setItem("1", { name: "Ann" });
    await storage.setItem("2", "Bob");
    await storage.setItem("3", 3);
    expect(await users.get("by-id:1")).toEqual({ name: "Ann" });
    expect(await users.get("by-id:2")).toBe("Bob");
    expect(await users.get("by-id:3")).toBe(3);
    const load = vi.fn(() => ({ name: "loaded" }));
    expect(await users.getOrSet("by-id:1", load)).toEqual({ name: "Ann" });
    expect(await users.getOrSet("by-id:4", load)).toEqual({ name: "loaded" });
    expect(load).toHaveBeenCalledOnce();
    expect(await storage.getItem("4")).toEqual({ name: "loaded" });
    await cache.set("other", 1);
    await users.set("other", 1);
    await storage.clear();
    expect(await users.getMany(["by-id:1", "by-id:4", "other"])).toEqual(new Map([["other", 1]]));
    await storage.dispose();
    expect(await cache.get("other")).toBe(1);
  });

  it("gives items of a cache that is given the cache's lifetime, and those of its own none", async () => {
    await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ttl: 30 });
    const { storage: theirs } = open({ cache });
    const { storage: set } = open({ cache, ttl: "1m" });
    const { storage: own } = open({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
    const { storage: timed } = open({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), ttl: 90 });
    const { storage: never } = open({ cache, ttl: 0 });
    const ttls: unknown[] = [];
    for (const storage of [theirs, set, own, timed, never]) {
      await storage.setItem("a", 1);
      ttls.push((await storage.getMeta("a")).ttl);
    }
    expect(ttls).toEqual([
      expect.closeTo(30, -0.5),
      expect.closeTo(60, -0.5),
      undefined,
      expect.closeTo(90, -0.5),
      undefined,
    ]);
  });

  it("names the key in errors: of entries that it can't read, and of those that the server refuses to overwrite", async () => {
    const keyPrefix = ownPrefix();
    await using cache = createCache({ location: inject("valkeyUrl"), keyPrefix });
    const { storage } = open({ cache });
    await command(port(), ["SET", `${keyPrefix}:1:dir:item`, "{not json"]);
    await expect(storage.getItem("dir:item")).rejects.toThrow(`key "${keyPrefix}:1:dir:item": the stored bytes`);
  });

  it("takes its server from the environment, when it is called", async () => {
    vi.stubEnv("VALKEY_URL", undefined);
    const { storage } = open({ keyPrefix: ownPrefix() });
    await expect(storage.getItem("a")).rejects.toThrow(
      'valkeyDriver: there is no server; give the option "location" or "cache", or set VALKEY_URL in the environment',
    );
    await storage.dispose();
    vi.stubEnv("VALKEY_URL", inject("valkeyUrl"));
    await storage.setItem("a", 1);
    expect(await storage.getItem("a")).toBe(1);
  });

  it.each<[string, unknown, string]>([
    ["no object", 5, "valkeyDriver: options must be an object"],
    ["an unknown option", { location: "memory:", url: "a" }, 'valkeyDriver: unknown option "url"; known options are'],
    ["a base that is no text", { location: "memory:", base: 5 }, 'valkeyDriver: option "base" is 5; give a string'],
    ["a lifetime that is none", { location: "memory:", ttl: "soon" }, 'valkeyDriver: option "ttl" is "soon"; give sec'],
    ["a cache that is none", { cache: {} }, 'valkeyDriver: option "cache" is an object; give a cache'],
    ["a near cache that is none", { location: "memory:", nearCache: 1 }, 'option "nearCache" is 1; give true'],
    ["options of a near cache", { location: "memory:", nearCache: { size: 1 } }, 'nearCache: unknown option "size"'],
    ["a wrong location", { location: "http://a" }, "location"],
  ])("refuses %s when it is made", (_, options, message) => {
    expect(() => valkeyDriver(options as ValkeyDriverOptions)).toThrow(message);
  });

  it("refuses options of a cache beside a cache", async () => {
    await using cache = createCache({ location: "memory:" });
    expect(() => valkeyDriver({ cache, keyPrefix: "a" })).toThrow(
      'valkeyDriver: option "keyPrefix" is given beside a cache, which has its own',
    );
    expect(() => valkeyDriver({ cache, base: "a", ttl: 5, driver: "valkey-edge-cache/unstorage" })).not.toThrow();
  });
});

describe("watch", () => {
  it("notifies of changes by all processes under the driver's base while the near cache listens, expiry included", async () => {
    const options = { location: inject("valkeyUrl"), keyPrefix: ownPrefix() };
    const { storage, driver } = open({ ...options, base: "app", nearCache: { maxStaleness: "2s" } });
    const { storage: other } = open({ ...options, base: "app" });
    const { storage: outside } = open(options);
    const events: string[] = [];
    const unwatch = await storage.watch((event, key) => void events.push(`${event} ${key}`));
    expect((await driver.getInstance?.().health())?.nearCache?.listening).toBe(true);
    const next = (event: string) => until(() => events.includes(event), { what: event });
    await outside.setItem("apps:a", 1);
    await other.setItem("dir:a", 1);
    await next("update dir:a");
    await other.removeItem("dir:a");
    await next("remove dir:a");
    await storage.setItem("b", 1);
    await next("update b");
    await other.setItem("short", 1, { ttl: 0.05 });
    // A server with many keys finds out late that one has expired, unless it is read.
    const isRemoved = async () => !(await other.hasItem("short")) && events.includes("remove short");
    await until(isRemoved, { what: "remove short" });
    await other.clear();
    await next("remove b");
    expect(new Set(events.map((event) => event.split(" ")[1]))).toEqual(new Set(["dir:a", "b", "short"]));
    // Own changes are heard of once.
    expect(events.filter((event) => event === "update b")).toHaveLength(1);
    await unwatch();
    await other.setItem("c", 1);
    await storage.setItem("d", 1);
    await outside.setItem("e", 1);
    expect(events.filter((event) => /[cde]$/.test(event))).toEqual([]);
  });

  it("hears of items that are set while the server can't say whether they are still there", async () => {
    const { storage, driver } = open({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), nearCache: true });
    const events: string[] = [];
    await storage.watch((event, key) => void events.push(`${event} ${key}`));
    const cache = driver.getInstance?.() ?? expect.fail();
    vi.spyOn(cache, "has").mockRejectedValue(new Error("lost"));
    await storage.setItem("a", 1);
    await until(() => events.includes("update a"), { what: "the event" });
  });

  it("notifies of the driver's own changes only, where there is no near cache", async () => {
    const options = { location: inject("valkeyUrl"), keyPrefix: ownPrefix() };
    const { storage } = open(options);
    const { storage: other } = open(options);
    const events: string[] = [];
    await storage.watch((event, key) => void events.push(`${event} ${key}`));
    await other.setItem("a", 1);
    await storage.setItems([{ key: "b", value: 1 }]);
    await storage.removeItem("b");
    await storage.unwatch();
    await storage.setItem("c", 1);
    expect(events).toEqual(["update b", "remove b"]);
  });

  it("reports what a listener throws, and goes on", async () => {
    const onError = vi.fn();
    const { storage } = open({ location: "memory:", onError });
    await storage.watch(() => {
      throw new Error("by a listener");
    });
    await storage.setItem("a", 1);
    expect(await storage.getItem("a")).toBe(1);
    expect(onError).toHaveBeenCalledWith(new Error("by a listener"), { method: "watch", key: "a" });
  });
});
