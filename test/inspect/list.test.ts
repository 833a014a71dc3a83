import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { rest } from "../../src/connection/rest/factory.js";
import type { Connection, ConnectionFactory } from "../../src/core/connection.js";
import { type Cache, type CacheOptions, createCache, glideCluster, herd, iovalkey } from "../../src/index.js";
import { countKeys, listKeys } from "../../src/inspect/list.js";
import type { KeyRow, KeySelection } from "../../src/inspect/port.js";
import { startRestServer } from "../support/rest-server.js";
import { startValkey } from "../support/servers.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

function make(options: Partial<CacheOptions> = {}): Cache {
  const cache = createCache({
    location: "memory:",
    keyPrefix: randomUUID(),
    logger: false,
    client: herd(),
    ...options,
  });
  open.push(cache);
  return cache;
}

async function list(cache: Cache, selection: KeySelection = {}, scanCount?: number): Promise<KeyRow[]> {
  const rows = new Map<string, KeyRow>();
  for await (const batch of listKeys(cache, selection, { scanCount })) {
    for (const row of batch.rows) rows.set(row.storedKey, row);
  }
  return [...rows.values()].sort((a, b) => (a.storedKey < b.storedKey ? -1 : 1));
}

const namesOf = (rows: readonly KeyRow[]) =>
  rows.map(({ key, version, namespaces }) => [...namespaces, `${key} v${version}`].join("/"));

describe.each([
  ["memory", () => make()],
  ["valkey-glide", () => make({ location: inject("valkeyUrl") })],
  ["iovalkey", () => make({ location: inject("valkeyUrl"), connectionFactory: iovalkey() })],
  ["a cluster", () => make({ location: inject("clusterUrl").split(","), connectionFactory: glideCluster() })],
] as const)("a list of keys over %s", (_name, open) => {
  it("has what is selected by pattern, namespace, version and tag", async () => {
    const cache = open();
    await cache.set("user:1", "a", { tags: ["even"] });
    await cache.set("user:2", "b", { ttl: 60, tags: ["even", "two"] });
    await cache.set("user:3", "c", { version: 2 });
    await cache.namespace("shop").set("user:4", "d");
    await cache
      .namespace("shop")
      .namespace("eu")
      .set("user:5", "e", { tags: ["two"] });
    await cache.set("item [1]*", "f");
    const all = ["item [1]*", "user:1", "user:2"].map((key) => `${key} v1`);
    const users = [...all.slice(1), "shop/eu/user:5 v1", "shop/user:4 v1", "user:3 v2"];
    const log = " v1";
    expect(namesOf(await list(cache)).sort()).toEqual([log, ...all, ...users.slice(2)].sort());
    expect(namesOf(await list(cache, { pattern: "user:*" })).sort()).toEqual(users.sort());
    expect(namesOf(await list(cache, { pattern: "item \\[1]\\*" }))).toEqual(["item [1]* v1"]);
    expect(namesOf(await list(cache, { namespaces: ["shop"] })).sort()).toEqual([
      "shop/eu/user:5 v1",
      "shop/user:4 v1",
    ]);
    expect(namesOf(await list(cache, { namespaces: ["shop", "eu"], pattern: "user:?" }))).toEqual([
      "shop/eu/user:5 v1",
    ]);
    expect(namesOf(await list(cache, { namespaces: ["sho"] }))).toEqual([]);
    expect(namesOf(await list(cache, { version: 2 }))).toEqual(["user:3 v2"]);
    expect(namesOf(await list(cache, { tag: "two" })).sort()).toEqual(["shop/eu/user:5 v1", "user:2 v1"]);
    expect(await countKeys(cache)).toBeGreaterThanOrEqual(7);
  });

  it("has rows with kind, state, size, lifetime and tags, whatever is stored", async () => {
    const cache = open();
    const many = Array.from({ length: 100 }, (_, i) => `tag ${i}`);
    await cache.set("many tags", "x".repeat(3_000), { tags: many, ttl: 60 });
    await cache.set("stale", 1, { ttl: 60 });
    await cache.expireSoft("stale");
    await cache.set("ended", 1, { tags: ["gone"] });
    await cache.purgeTags(["gone"]);
    await cache.sets.add("set", [1, 2, 3]);
    await cache.hashes.set("hash", { a: 1 });
    const rows = new Map((await list(cache)).map((row) => [row.key, row]));
    expect(rows.get("many tags")).toMatchObject({ kind: "value", state: "fresh", type: "string" });
    expect(rows.get("many tags")?.tags.map(({ tag }) => tag)).toEqual(many);
    expect(rows.get("many tags")?.size).toBeGreaterThan(3_000 + 100 * 12);
    expect(rows.get("stale")).toMatchObject({ state: "stale" });
    expect(rows.get("ended")).toMatchObject({ state: "ended", tags: [{ tag: "gone", purged: "hard" }] });
    expect(rows.get("set")).toMatchObject({ kind: "set", size: 3 });
    expect(rows.get("hash")).toMatchObject({ kind: "hash", size: 1 });
    expect(rows.get("")).toMatchObject({ kind: "purge-log", type: "zset" });
  });

  it("is left early without more work, and ends with the reason of a signal", async () => {
    const cache = open();
    await cache.setMany(new Map(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, i])));
    const keys = listKeys(cache, {}, { scanCount: 10 })[Symbol.asyncIterator]();
    await keys.next();
    let trips = 0;
    const end = cache.on("roundTrip", () => void trips++);
    await keys.return?.();
    expect(await keys.next()).toEqual({ done: true, value: undefined });
    // An answer to a later command shows that nothing was sent before it.
    await cache.connection.send([["PING"]]);
    expect(trips).toBe(1);
    end();
    const controller = new AbortController();
    const seen: number[] = [];
    const listing = (async () => {
      for await (const { scanned } of listKeys(cache, {}, { scanCount: 10, signal: controller.signal })) {
        seen.push(scanned);
        if (seen.length === 3) controller.abort(new Error("enough"));
      }
    })();
    await expect(listing).rejects.toThrow("enough");
    expect(seen).toHaveLength(3);
    const aborted = list.bind(undefined, cache, {});
    expect(await aborted()).toHaveLength(2_000);
  });
});

it("works over HTTP", async () => {
  await using server = await startRestServer({ port: Number(new URL(inject("valkeyUrl")).port) });
  const connectionFactory = rest({ url: server.url, token: server.token });
  const cache = createCache({ keyPrefix: randomUUID(), connectionFactory });
  open.push(cache);
  await cache.set("a", { n: 1 }, { ttl: 60, tags: ["news"] });
  expect(await list(cache, { tag: "news" })).toMatchObject([{ key: "a", state: "fresh", kind: "value" }]);
});

it("hostile keys: control characters, a megabyte, other applications' bytes, names of the language", async () => {
  await using server = await startValkey();
  const cache = make({ location: server.url });
  const { prefix } = cache.parts.settings;
  const names = [
    "__proto__",
    "constructor",
    "a\nb\u0000\u001b[31m",
    '<script>alert("x")</script>',
    "é😀",
    "ns():x",
    "ns(%zz):x",
    `ns(${"n".repeat(2_000)}):x`,
    "ns(a",
    "k".repeat(2 ** 20),
  ];
  for (const name of names) await cache.set(name, 1);
  await cache.connection.send([["SET", Uint8Array.of(...new TextEncoder().encode(`${prefix}:1:`), 0xff, 0xfe), "x"]]);
  await cache.connection.send([
    ["SET", `${prefix}x:1:a`, "x"],
    ["SET", `${prefix}:b:1:a`, "x"],
  ]);
  const rows = await list(cache);
  expect(
    new Set(rows.map(({ key, namespaces }) => (namespaces.length > 0 ? `ns(${namespaces[0]}):${key}` : key))),
  ).toEqual(new Set(names));
  expect(await list(cache, { pattern: "__proto__" })).toHaveLength(1);
});

it("keys that change while they are listed are rows or none, and the rest is complete", async () => {
  const cache = make({ location: inject("valkeyUrl") });
  const keys = Array.from({ length: 3_000 }, (_, i) => `k${i}`);
  await cache.setMany(new Map(keys.map((key) => [key, 1])));
  const found = new Set<string | undefined>();
  let turn = 0;
  for await (const { rows } of listKeys(cache, {}, { scanCount: 100 })) {
    for (const row of rows) found.add(row.key);
    // Every third key is deleted, and others come.
    await cache.deleteMany([`k${turn * 3}`, `k${turn * 3 + 3}`]);
    await cache.sets.add(`s${turn++}`, [1]);
  }
  for (const [i, key] of keys.entries()) if (i % 3 !== 0) expect(found.has(key), key).toBe(true);
});

it("a store that goes away in the middle is an error at once", async () => {
  await using server = await startValkey();
  const cache = make({ location: server.url });
  await cache.setMany(new Map(Array.from({ length: 2_000 }, (_, i) => [`k${i}`, i])));
  const keys = listKeys(cache, {}, { scanCount: 10 })[Symbol.asyncIterator]();
  await keys.next();
  await server.kill("SIGKILL");
  const startMs = performance.now();
  await expect(keys.next()).rejects.toThrow(server.url.replace("valkey://", ""));
  expect(performance.now() - startMs).toBeLessThan(3_000);
  expect(await keys.next()).toEqual({ done: true, value: undefined });
});

it("a list asks with SCAN for no more keys than scanCount at once", async () => {
  const commands: (readonly unknown[])[] = [];
  const inner = iovalkey();
  const factory: ConnectionFactory = {
    shares: true,
    connect(...given): Connection {
      const connection = inner.connect(...given);
      const scan = connection.scan.bind(connection);
      connection.scan = (options) => {
        commands.push([options.match, options.count]);
        return scan(options);
      };
      return connection;
    },
  };
  const cache = make({ location: inject("valkeyUrl"), connectionFactory: factory });
  await list(cache);
  await list(cache, {}, 50);
  expect(commands.map(([, count]) => count)).toEqual([500, 50]);
  await expect(list(cache, {}, 0)).rejects.toThrow("scanCount");
  await expect(list(cache, {}, 1e6)).rejects.toThrow("scanCount");
  await expect(list(cache, { pattern: "" })).rejects.toThrow("pattern");
});
