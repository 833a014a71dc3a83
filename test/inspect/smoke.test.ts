import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache, herd } from "../../src/index.js";
import { inspectEntry } from "../../src/inspect/entry.js";
import { listKeys } from "../../src/inspect/list.js";
import type { KeyRow } from "../../src/inspect/port.js";
import { previewPurge, purge } from "../../src/inspect/purge.js";
import { explain } from "../../src/inspect/why.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

describe.each(["memory:", "server"])("looking into a cache over %s", (place) => {
  const make = () => {
    const location = place === "server" ? inject("valkeyUrl") : place;
    const cache = createCache({ location, keyPrefix: randomUUID(), client: herd() });
    open.push(cache);
    return cache;
  };

  it("reports an entry with its value, tags and lifetime", async () => {
    const cache = make();
    await cache.namespace("shop").set("a", { n: 1 }, { ttl: 60, tags: ["news"] });
    const stored = cache.namespace("shop").makeKey("a");
    const entry = await inspectEntry(cache, stored);
    expect(entry).toMatchObject({
      key: "a",
      version: 1,
      namespaces: ["shop"],
      kind: "value",
      type: "string",
      state: "fresh",
    });
    expect(entry.tags.map(({ tag }) => tag).sort()).toEqual(["news", "ns(shop):"]);
    expect(entry.value).toMatchObject({ codec: "json", isOwnCodec: true, text: '{\n  "n": 1\n}', json: { n: 1 } });
    expect((entry.freshUntilMs ?? 0) - entry.atMs).toBeGreaterThan(50_000);
  });

  it("explains what a call would do", async () => {
    const cache = make();
    expect(await explain(cache, "a")).toMatchObject({ outcome: "load", get: "miss" });
    await cache.set("a", 1, { ttl: 60 });
    expect(await explain(cache, "a")).toMatchObject({ outcome: "hit", get: "hit" });
    await cache.expireSoft("a");
    expect(await explain(cache, "a")).toMatchObject({ outcome: "refresh", get: "miss" });
  });

  it("lists keys, previews a purge and purges", async () => {
    const cache = make();
    for (let i = 0; i < 30; i++) await cache.set(`user:${i}`, i, { ttl: 60, tags: i % 2 ? ["odd"] : [] });
    await cache.set("other", 1);
    const rows: KeyRow[] = [];
    for await (const batch of listKeys(cache, { pattern: "user:*" })) rows.push(...batch.rows);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(30);
    expect(await previewPurge(cache, { by: "tag", tags: ["odd"] }, {})).toMatchObject({ matched: 15 });
    expect(await purge(cache, { by: "pattern", pattern: "user:*" }, {})).toMatchObject({ matched: 30 });
    expect(await cache.keys("*")).toEqual(["other"]);
  });
});
