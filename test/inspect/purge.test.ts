import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { cachedHandler } from "../../src/fetch/index.js";
import { type Cache, type CacheOptions, createCache, glideCluster, herd } from "../../src/index.js";
import type { Progress, PurgeTarget } from "../../src/inspect/port.js";
import { previewPurge, purge } from "../../src/inspect/purge.js";
import { deferred } from "../support/deferred.js";
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

const numbered = (prefix: string, count: number) =>
  new Map(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, i]));

describe.each([
  ["memory", () => make()],
  ["a server", () => make({ location: inject("valkeyUrl") })],
  ["a cluster", () => make({ location: inject("clusterUrl").split(","), connectionFactory: glideCluster() })],
] as const)("over %s", (_name, open) => {
  it("a preview says what a purge by pattern would delete, and the purge deletes just that", async () => {
    const cache = open();
    await cache.setMany(numbered("user:", 50));
    await cache.setMany(numbered("item:", 5));
    await cache.set("user:1", 1, { version: 2 });
    await cache.namespace("shop").setMany(numbered("user:", 7));
    const target: PurgeTarget = { by: "pattern", pattern: "user:*" };
    const preview = await previewPurge(cache, target);
    expect(preview).toMatchObject({ matched: 50 });
    expect(preview.samples).toHaveLength(20);
    expect(preview.bytes).toBeGreaterThan(50 * 56);
    expect(await cache.keys("user:*")).toHaveLength(50);
    const within: PurgeTarget = { ...target, namespaces: ["shop"] };
    expect(await previewPurge(cache, within)).toMatchObject({ matched: 7 });
    const seen: Progress[] = [];
    const done = await purge(cache, target, { onProgress: (progress) => void seen.push(progress), scanCount: 10 });
    expect(done).toEqual(seen.at(-1));
    expect(done).toMatchObject({ matched: 50, bytes: preview.bytes });
    expect(seen.map(({ matched }) => matched)).toEqual(seen.map(({ matched }) => matched).sort((a, b) => a - b));
    expect((await cache.keys("*")).sort()).toEqual(
      [...numbered("item:", 5).keys(), ...[...numbered("ns(shop):user:", 7).keys()]].sort(),
    );
    expect(await cache.get("user:1", { version: 2 })).toBe(1);
    expect(await purge(cache, within)).toMatchObject({ matched: 7 });
  });

  it("a soft purge makes entries stale", async () => {
    const cache = open();
    await cache.setMany(numbered("a", 5));
    await purge(cache, { by: "pattern", pattern: "a*" }, { soft: true });
    expect(await cache.get("a1")).toBeUndefined();
    expect(await cache.getOrSet("a1", () => "new")).toBe(1);
    await cache.set("b", 1);
    await purge(cache, { by: "key", key: "b" }, { soft: true });
    expect(await cache.getOrSet("b", () => "new")).toBe(1);
  });

  it("a purge by key takes the user's key or a stored one", async () => {
    const cache = open();
    await cache.setMany(numbered("a", 2));
    expect(await previewPurge(cache, { by: "key", key: "a0" })).toMatchObject({ matched: 1, samples: [{ key: "a0" }] });
    expect(await purge(cache, { by: "key", key: "a0" })).toMatchObject({ matched: 1 });
    expect(await purge(cache, { by: "key", key: String(cache.makeKey("a1")), isStored: true })).toMatchObject({
      matched: 1,
    });
    expect(await purge(cache, { by: "key", key: "a1" })).toMatchObject({ matched: 0 });
    expect(await cache.keys("*")).toEqual([]);
  });

  it("a purge by tags is one write, which deletes with `free` what it has ended and nothing that came later", async () => {
    const cache = open();
    for (const [key, value] of numbered("k", 12)) {
      await cache.set(key, value, { tags: [value % 2 ? "odd" : "even", value % 3 ? "other" : "third"] });
    }
    const target: PurgeTarget = { by: "tag", tags: ["odd", "third"], match: "all" };
    expect(await previewPurge(cache, target)).toMatchObject({ matched: 2 });
    expect(await previewPurge(cache, { ...target, match: "any" })).toMatchObject({ matched: 8 });
    await purge(cache, target);
    expect((await cache.keys("*")).length).toBe(12);
    expect([await cache.get("k3"), await cache.get("k5"), await cache.get("k6")]).toEqual([undefined, 5, 6]);
    await cache.set("k3", "later", { tags: ["odd", "third"] });
    const adding = cache.on("purge", () => void cache.set("k9", "later", { tags: ["even"] }));
    expect(await purge(cache, { by: "tag", tags: ["even"] }, { free: true })).toMatchObject({ matched: 6 });
    adding();
    expect((await cache.keys("*")).sort()).toEqual(["k1", "k11", "k3", "k5", "k7", "k9"]);
    expect(await cache.get("k3")).toBe("later");
  });

  it("a purge of a namespace is one write, and with `free` clears it and those within it", async () => {
    const cache = open();
    const shop = cache.namespace("shop");
    await cache.set("a", 1);
    await shop.set("a", 2);
    await shop.namespace("eu").set("a", 3);
    await cache.namespace("shop2").set("a", 4);
    const target: PurgeTarget = { by: "namespace", namespaces: ["shop"] };
    expect(await previewPurge(cache, target)).toMatchObject({ matched: 2 });
    expect(await purge(cache, target, { soft: true })).toMatchObject({ matched: 0 });
    expect(await shop.getOrSet("a", () => "new")).toBe(2);
    await purge(cache, target);
    expect([await shop.get("a"), await shop.namespace("eu").get("a")]).toEqual([undefined, undefined]);
    expect(await purge(cache, target, { free: true })).toMatchObject({ matched: 2 });
    expect((await cache.keys("*")).sort()).toEqual(["a", "ns(shop2):a"]);
    await expect(purge(cache, { by: "namespace", namespaces: [] })).rejects.toThrow("namespaces: there is none");
    expect(await purge(cache, { by: "namespace", namespaces: [] }, { free: true })).toMatchObject({ matched: 2 });
    const rest = cache.connection.scan({ match: `${cache.parts.settings.prefix}:*`, count: 500 });
    for await (const keys of rest) expect(keys).toEqual([]);
  });

  it("an interrupted purge has done what it has done, and the same once more does the rest", async () => {
    const cache = open();
    await cache.setMany(numbered("gone:", 1_000));
    await cache.setMany(numbered("kept:", 100));
    const controller = new AbortController();
    let batches = 0;
    const onProgress = ({ matched }: Progress): void => {
      if (matched > 0 && ++batches === 3) controller.abort(new Error("interrupted"));
    };
    const target: PurgeTarget = { by: "pattern", pattern: "gone:*" };
    const work = { signal: controller.signal, onProgress, scanCount: 50 };
    await expect(purge(cache, target, work)).rejects.toThrow("interrupted");
    const left = (await cache.keys("gone:*")).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(1_000);
    expect(await purge(cache, target)).toMatchObject({ matched: left });
    expect(await cache.keys("gone:*")).toEqual([]);
    expect(await cache.keys("kept:*")).toHaveLength(100);
    await expect(purge(cache, { by: "pattern", pattern: "*" }, { signal: controller.signal })).rejects.toThrow(
      "interrupted",
    );
    expect(await cache.keys("kept:*")).toHaveLength(100);
  });

  it("a purge of a response by its key ends all responses of its URL", async () => {
    const cache = open();
    let made = 0;
    const handler = cachedHandler(
      () => new Response(`page ${++made}`, { headers: { "cache-control": "max-age=60", vary: "accept-language" } }),
      { cache },
    );
    const ask = async (language: string) =>
      (await handler(new Request("https://example.com/a", { headers: { "accept-language": language } }))).text();
    const all = async () => [await ask("de"), await ask("en")];
    expect(await all()).toEqual(["page 1", "page 2"]);
    await cache.parts.client.close();
    const rows = (await previewPurge(cache, { by: "pattern", pattern: "*" })).samples;
    const response = rows.find(({ kind }) => kind === "response");
    const target: PurgeTarget = { by: "key", key: response?.storedKey ?? "", isStored: true };
    expect(await all()).toEqual(["page 1", "page 2"]);
    await purge(cache, target);
    expect(await all()).toEqual(["page 3", "page 4"]);
  });
});

it("a load under way when a purge begins does not store its value behind it", async () => {
  const cache = make({ location: inject("valkeyUrl") });
  const [loading, begun] = [deferred<number>(), deferred<void>()];
  const value = cache.getOrSet("a", () => {
    begun.resolve();
    return loading.promise;
  });
  await begun.promise;
  await purge(cache, { by: "pattern", pattern: "*" });
  loading.resolve(1);
  expect(await value).toBe(1);
  expect(await cache.get("a")).toBeUndefined();
});

it("errors of the store are thrown, also by a cache that ignores them", async () => {
  const server = await startValkey();
  const cache = make({ location: server.url, ignoreErrors: true });
  await cache.setMany(numbered("a", 10));
  await server.stop();
  for (const target of [
    { by: "key", key: "a" },
    { by: "pattern", pattern: "*" },
    { by: "tag", tags: ["a"] },
    { by: "namespace", namespaces: ["a"] },
  ] as const) {
    await expect(purge(cache, target)).rejects.toThrow();
    await expect(previewPurge(cache, target)).rejects.toThrow();
  }
});

it("progress is reported after each batch, out of about how many keys there are", async () => {
  const cache = make();
  await cache.setMany(numbered("k", 20_000));
  const total = (await previewPurge(cache, { by: "key", key: "none" })).total ?? 0;
  const seen: Progress[] = [];
  await purge(cache, { by: "pattern", pattern: "k*" }, { onProgress: (progress) => void seen.push(progress) });
  expect(seen.length).toBeGreaterThanOrEqual(40);
  expect(seen.at(-1)).toMatchObject({ matched: 20_000, total });
});
