import { randomUUID } from "node:crypto";
import { serialize } from "node:v8";
import { afterEach, describe, expect, inject, it } from "vitest";
import { keyvStore } from "../../src/adapters/keyv.js";
import { placeholder } from "../../src/codec/envelope.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { gzip, zlib } from "../../src/compressors/deflate.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import type { Argument } from "../../src/core/connection.js";
import { StoredKey } from "../../src/core/key.js";
import type { Serializer } from "../../src/core/value-format.js";
import { cachedHandler } from "../../src/fetch/index.js";
import { type Cache, type CacheOptions, createCache, herd, json } from "../../src/index.js";
import { inspectEntry } from "../../src/inspect/entry.js";
import type { EntryReport } from "../../src/inspect/port.js";
import { sealEntry } from "../../src/next/stored.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { structuredClone as cloned } from "../../src/serializers/structured-clone.js";
import { until } from "../support/wait.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

function make(options: Partial<CacheOptions> = {}): Cache {
  const cache = createCache({ location: "memory:", keyPrefix: randomUUID(), logger: false, ...options });
  open.push(cache);
  return cache;
}

async function put(cache: Cache, key: string, value: Argument, ...more: string[]): Promise<EntryReport> {
  await cache.connection.send([["SET", String(cache.makeKey(key)), value, ...more]]);
  return inspectEntry(cache, key);
}

/** Reads nothing. */
const unable: Serializer = {
  name: "unable",
  text: false,
  serialize: () => "",
  deserialize() {
    throw new Error("it reads nothing");
  },
};

const VALUE = { name: "Ann", list: [1, 2, 3], text: "x".repeat(2_000) };

describe("values of any codec", () => {
  const serializers = { json, msgpack, structuredClone: cloned };
  const compressors = { zlib, gzip, zstd, lz4, lzma, bz2 };
  const pairs = Object.keys(serializers).flatMap((serializer) =>
    ["none", ...Object.keys(compressors)].map((compressor) => [serializer, compressor] as const),
  );

  it.each(pairs)("%s with %s is decoded by a cache of another codec", async (serializer, compressor) => {
    const keyPrefix = randomUUID();
    const location = `memory:${keyPrefix}`;
    const own = {
      serializer: serializers[serializer as keyof typeof serializers](),
      ...(compressor === "none" ? {} : { compressor: compressors[compressor as keyof typeof compressors]() }),
    };
    const name = compressor === "none" ? serializer : `${serializer} with ${compressor}`;
    for (const client of [undefined, herd()]) {
      const writer = make({ location, keyPrefix, ...own, ...(client ? { client } : {}) });
      await writer.set("a", VALUE);
      expect((await inspectEntry(writer, "a")).value).toMatchObject({ codec: name, isOwnCodec: true, json: VALUE });
      const reader = make({ location, keyPrefix, serializer: unable });
      const entry = await inspectEntry(reader, "a");
      expect(entry.value).toMatchObject({ codec: name, isOwnCodec: false, json: VALUE, error: undefined });
      expect(entry.state).toBe("unreadable");
    }
  });

  it("numbers, plain text and bytes without a form are shown as they are", async () => {
    const cache = make();
    expect((await put(cache, "n", "42")).value).toMatchObject({ json: 42, isOwnCodec: true });
    expect((await put(cache, "t", "hello")).value).toMatchObject({ codec: "plain text", text: '"hello"' });
    const { value, state } = await put(cache, "b", Uint8Array.of(0xc1, 0x41, 0x00));
    expect(value).toMatchObject({ codec: "unknown", text: "\\xc1A\\x00", json: undefined });
    expect(value?.error).toContain("were not written by json");
    expect(state).toBe("unreadable");
  });

  it("a pickle is named and never loaded", async () => {
    const pickle = Uint8Array.of(0x80, 4, 0x4b, 1, 0x2e);
    const { value } = await put(make(), "p", pickle);
    expect(value).toMatchObject({ codec: "pickle", json: undefined });
    expect(value?.error).toContain("never loaded");
  });

  it("a value that decompresses to too much is not decoded", async () => {
    const bomb = await zlib().compress(new Uint8Array(5_000_000));
    const { value } = await put(make({ maxDecompressedSize: 1_000_000 }), "z", bomb);
    expect(value).toMatchObject({ codec: "zlib", json: undefined });
    expect(value?.error).toContain("maxDecompressedSize");
  });

  it("what JSON lacks is shown in words, and hostile values cost no more than others", async () => {
    const cache = make({ serializer: cloned() });
    const cyclic: Record<string, unknown> = {
      map: new Map([["a", new Set([1n])]]),
      date: new Date(0),
      bytes: Uint8Array.of(1, 2),
    };
    cyclic.self = cyclic;
    await cache.set("c", cyclic);
    const { value } = await inspectEntry(cache, "c");
    expect(value?.json).toBeUndefined();
    for (const part of [
      'Map(1) {\n    "a" => Set(1) {\n      1n',
      "Date(1970-01-01T00:00:00.000Z)",
      "(2 bytes) 01 02",
      "[Circular]",
    ])
      expect(value?.text).toContain(part);
    const deep = await put(make(), "d", "[".repeat(200_000) + "]".repeat(200_000));
    expect(deep.value).toMatchObject({ json: undefined, isCut: true, isOwnCodec: true });
    // An array of 4,294,967,295 elements without any.
    const forged = Uint8Array.of(
      0xff,
      0x0f,
      0x61,
      0xff,
      0xff,
      0xff,
      0xff,
      0x0f,
      0x40,
      0x00,
      0xff,
      0xff,
      0xff,
      0xff,
      0x0f,
    );
    const sparse = await put(make(), "s", forged);
    expect(sparse.value?.text.length).toBeLessThanOrEqual(2 ** 20);
    const own = await put(make(), "o", '{"__proto__":{"polluted":1},"constructor":2}');
    expect(JSON.stringify(own.value?.json)).toBe('{"__proto__":{"polluted":1},"constructor":2}');
    expect(own.value?.text).toContain('"__proto__": {');
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect((await put(make(), "v", serialize(new Array(2)))).value).toMatchObject({
      codec: "structuredClone",
      json: undefined,
    });
  });

  it("no more than maxBytes is read and shown", async () => {
    const cache = make();
    await cache.set("long", "y".repeat(10_000));
    const entry = await inspectEntry(cache, "long", { maxBytes: 100 });
    expect(entry.size).toBe(10_002);
    expect(entry.value).toMatchObject({ isCut: true, text: `"${"y".repeat(99)}` });
    expect(entry.value?.error).toContain("raise maxBytes");
    expect(entry.state).toBe("fresh");
    await expect(inspectEntry(cache, "long", { maxBytes: 0 })).rejects.toThrow("maxBytes: 0");
    expect((await inspectEntry(cache, "long", { value: false })).value).toBeUndefined();
  });
});

describe.each(["memory:", "server"])("what a key holds, over %s", (place) => {
  const location = place === "server" ? inject("valkeyUrl") : place;

  it("is recognised: leases, locks, sets, hashes, the purge log, foreign data, nothing", async () => {
    const cache = make({ location, client: herd() });
    const kindOf = async (key: Parameters<typeof inspectEntry>[1]) => {
      const { kind, type, state } = await inspectEntry(cache, key);
      return `${kind} ${type} ${state}`;
    };
    expect(await kindOf("none")).toBe("none none none");
    const lease = await put(cache, "lease", placeholder("abcdefghijkl", Date.now() + 5_000), "PX", "5000");
    expect(lease).toMatchObject({ kind: "lease", state: "loading", lease: { holder: "abcdefghijkl" } });
    await using lock = await cache.lock("job", { ttl: 30 });
    expect(lock).toBeDefined();
    const held = await inspectEntry(cache, new StoredKey(`${cache.parts.settings.prefix}:lock:job`));
    expect(held).toMatchObject({ kind: "lock", state: "fresh", key: "job", version: undefined });
    expect((held.lease?.untilMs ?? 0) - held.atMs).toBeGreaterThan(20_000);
    expect((held.lease?.untilMs ?? 0) - held.atMs).toBeLessThanOrEqual(30_000);
    await cache.sets.add("set", ["ann", { n: 1 }]);
    const set = await inspectEntry(cache, "set");
    expect(set).toMatchObject({ kind: "set", size: 2, state: "fresh" });
    expect(set.value?.json).toEqual(expect.arrayContaining(["ann", { n: 1 }]));
    await cache.hashes.set("hash", { __proto__: 0, a: 1, "b c": ["x"] });
    expect((await inspectEntry(cache, "hash")).value?.json).toEqual({ a: 1, "b c": ["x"] });
    await cache.purgeTags(["news"]);
    const log = await inspectEntry(cache, new StoredKey(`${cache.parts.settings.prefix}:1:`));
    expect(log).toMatchObject({ kind: "purge-log", type: "zset", size: 2 });
    expect(JSON.stringify(log.value?.json)).toContain('"tag":"news","kind":"hard"');
    const foreign = new StoredKey(`other:${randomUUID()}`);
    await cache.connection.send([["SET", String(foreign), "session data", "PX", "10000"]]);
    expect(await kindOf(foreign)).toBe("foreign string unreadable");
  });

  it("is a response of the HTTP cache, with the variants of its URL and its tags", async () => {
    const cache = make({ location, compressor: gzip() });
    const handler = cachedHandler(
      (request) => {
        const fields: Record<string, string> = {
          "cache-control": "max-age=60, stale-while-revalidate=30",
          "cache-tag": "news, front",
        };
        if (request.url.endsWith("/vary")) fields.vary = "accept-language";
        if (request.url.endsWith("/private")) fields["cache-control"] = "private";
        return new Response(JSON.stringify({ page: "x".repeat(1_000) }), {
          headers: { ...fields, "content-type": "application/json" },
        });
      },
      { cache },
    );
    const found: EntryReport[] = [];
    for (const path of ["plain", "vary", "private"]) {
      await (await handler(new Request(`https://example.com/${path}`))).text();
    }
    await cache.parts.client.close();
    for await (const keys of cache.connection.scan({ match: `${cache.parts.settings.prefix}:*`, count: 500 })) {
      for (const key of keys) found.push(await inspectEntry(cache, new StoredKey(key)));
    }
    const responses = found.filter(({ kind }) => kind === "response");
    expect(responses.map(({ value }) => value?.response?.url).sort()).toEqual([
      "https://example.com/plain",
      "https://example.com/vary",
    ]);
    for (const { value, tags, state, storedMs, freshUntilMs } of responses) {
      expect(value).toMatchObject({
        codec: "HTTP response with gzip",
        isOwnCodec: true,
        json: { page: "x".repeat(1_000) },
      });
      expect(value?.response).toMatchObject({ status: 200, bodySize: 1_011 });
      expect(tags.map(({ tag, purged }) => [tag, purged])).toEqual([
        ["news", "no"],
        ["front", "no"],
      ]);
      expect(state).toBe("fresh");
      const freshMs = (freshUntilMs ?? 0) - (storedMs ?? 0);
      expect(freshMs).toBeGreaterThan(50_000);
      expect(freshMs).toBeLessThanOrEqual(60_000);
    }
    expect(found.map(({ kind }) => kind).sort()).toEqual([
      "purge-log",
      "response",
      "response",
      "uncacheable",
      "variants",
    ]);
    await cache.purgeTags(["news"], { soft: true });
    await cache.purgeTags(["front"]);
    const [after] = await Promise.all(
      responses.slice(0, 1).map(({ storedKey }) => inspectEntry(cache, new StoredKey(storedKey))),
    );
    expect(after).toMatchObject({
      state: "ended",
      tags: [
        { tag: "news", purged: "soft" },
        { tag: "front", purged: "hard" },
      ],
    });
  });

  it("has tags, by whose purges it is stale or has ended", async () => {
    const cache = make({ location, client: herd() });
    const shop = cache.namespace("shop").namespace("eu (west)");
    await shop.set("a", 1, { tags: ["one", "two"], ttl: 60 });
    const key = shop.makeKey("a");
    const tagsOf = async (reader: Cache, tags?: string[]) =>
      Object.fromEntries(
        (await inspectEntry(reader, key, { tags })).tags.map(({ tag, label, purged }) => [tag ?? label, purged]),
      );
    const all = { one: "no", two: "no", "ns(shop):": "no", "ns(shop):ns(eu %28west%29):": "no" };
    expect(await tagsOf(cache)).toEqual(all);
    expect((await inspectEntry(cache, key)).namespaces).toEqual(["shop", "eu (west)"]);
    await cache.purgeTags(["one"], { soft: true });
    expect(await tagsOf(cache)).toEqual({ ...all, one: "soft" });
    expect((await inspectEntry(cache, key)).state).toBe("stale");
    await cache.purgeTags(["one", "two"], { match: "all" });
    expect(await tagsOf(cache)).toEqual({ ...all, one: "hard", two: "hard" });
    expect((await inspectEntry(cache, key)).state).toBe("ended");
    await shop.set("a", 1, { tags: ["one", "two"], ttl: 60 });
    await cache.namespace("shop").purge();
    expect(await tagsOf(cache)).toEqual({ ...all, "ns(shop):": "hard" });
  });
});

it("what an ACL refuses is left out, and nothing throws", async () => {
  const location = inject("valkeyUrl");
  const owner = make({ location, client: herd() });
  const user = `user-${randomUUID()}`;
  const { prefix } = owner.parts.settings;
  await owner.set("a", { n: 1 }, { ttl: 60 });
  const password = "password";
  const rules = [
    "on",
    `>${password}`,
    "~*",
    "&*",
    "+@all",
    "-type",
    "-pttl",
    "-time",
    "-object",
    "-memory",
    "-strlen",
    "-getrange",
  ];
  await owner.connection.send([["ACL", "SETUSER", user, ...rules]]);
  const { hostname, port } = new URL(location);
  const cache = make({
    location: `valkey://${user}:${password}@${hostname}:${port}`,
    keyPrefix: prefix,
    client: herd(),
  });
  const entry = await inspectEntry(cache, "a");
  expect(entry).toMatchObject({
    type: "string",
    state: "fresh",
    value: { json: { n: 1 } },
    idleMs: undefined,
    memoryBytes: undefined,
    expiresMs: undefined,
  });
  expect(await inspectEntry(cache, "none")).toMatchObject({ state: "none" });
  await owner.connection.send([["ACL", "SETUSER", user, "-get"]]);
  expect(await inspectEntry(cache, "a")).toMatchObject({ state: "unreadable", value: { json: undefined } });
  await owner.connection.send([["ACL", "DELUSER", user]]);
});

it("keys of a user's own functions are taken apart, and without a reverse function the caller's key is known", async () => {
  const keyFunction = (key: string, prefix: string, version: number | string) => `${prefix}/${key}/v${version}`;
  const reverseKeyFunction = (stored: string, prefix: string) =>
    stored.slice(prefix.length + 1, stored.lastIndexOf("/v"));
  const cache = make({ keyFunction, reverseKeyFunction, version: 3 });
  await cache.namespace("n").set("a/7", 1);
  const entry = await inspectEntry(cache, cache.namespace("n").makeKey("a/7"));
  expect(entry).toMatchObject({ key: "a/7", version: 3, namespaces: ["n"] });
  const blind = make({ keyFunction });
  await blind.set("b", 1);
  expect(await inspectEntry(blind, "b")).toMatchObject({ key: "b", version: 1, kind: "value", state: "fresh" });
});

it("an entry is read in one round trip, which says when it was used before", async () => {
  const cache = make({ location: inject("valkeyUrl"), client: herd() });
  await cache.set("a", "x".repeat(10_000), { tags: ["news"], ttl: 600 });
  const idle = async () => {
    const [reply = null] = await cache.connection.send([["OBJECT", "IDLETIME", String(cache.makeKey("a"))]]);
    return Number(reply) >= 1;
  };
  await until(idle, { what: "the server to count a second without a use" });
  const trips: (readonly string[])[] = [];
  const end = cache.on("roundTrip", ({ commands }) => void trips.push(commands));
  const entry = await inspectEntry(cache, "a");
  end();
  expect(trips).toHaveLength(1);
  expect(entry.idleMs).toBeGreaterThanOrEqual(1_000);
  expect(entry.memoryBytes).toBeGreaterThan(10_000);
  expect((entry.expiresMs ?? 0) - (entry.staleUntilMs ?? 0)).toBeLessThan(5_000);
});

it("entries of Next and of Keyv are recognised", async () => {
  const cache = make({ compressor: gzip() });
  const met = await cache.parts.settings.tags.meet();
  const { codec } = cache.parts.settings;
  for (const length of [10, 100_000]) {
    const fields = { kind: "PAGE", tags: ["a"], value: new TextEncoder().encode("x".repeat(length)) };
    const sealing = { codec, met, fields, tags: ["page"], stamp: undefined, ttlMs: 60_000, durationMs: 5 };
    const entry = await put(cache, "next", await sealEntry(sealing));
    expect(entry).toMatchObject({ kind: "value", state: "stale", tags: [{ tag: "page", purged: "soft" }] });
    expect(entry.value).toMatchObject({
      codec: "next",
      json: { fields: { kind: "PAGE" }, parts: [["value", "bytes", length]] },
    });
  }
  const keyPrefix = randomUUID();
  const location = `memory:${keyPrefix}`;
  const store = keyvStore({ cache: make({ location, keyPrefix, client: herd() }) });
  await store.set("k", "plain", 60_000);
  const reader = make({ location, keyPrefix });
  const keys: string[] = [];
  for await (const some of reader.connection.scan({ match: "*", count: 100 })) keys.push(...some);
  expect((await inspectEntry(reader, new StoredKey(keys[0] ?? ""))).value).toMatchObject({
    codec: "keyv",
    text: '"plain"',
  });
});
