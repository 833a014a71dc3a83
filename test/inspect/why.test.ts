import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, inject, it } from "vitest";
import { placeholder } from "../../src/codec/envelope.js";
import { StoredKey } from "../../src/core/key.js";
import { cachedHandler } from "../../src/fetch/index.js";
import { type Cache, type CacheOptions, createCache, herd } from "../../src/index.js";
import { explain } from "../../src/inspect/why.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { tagLabels } from "../../src/tags/labels.js";
import { startValkey } from "../support/servers.js";

const open: Cache[] = [];
afterEach(() => Promise.all(open.splice(0).map((cache) => cache.close())));

function make(options: Partial<CacheOptions> = {}): Cache {
  const given = { location: inject("valkeyUrl"), keyPrefix: randomUUID(), logger: false, client: herd() } as const;
  const cache = createCache({ ...given, ...options });
  open.push(cache);
  return cache;
}

it("names a tag by its hash where this process doesn't know it", async () => {
  const cache = make();
  await cache.set("a", 1, { tags: ["forgotten"] });
  await cache.purgeTags(["forgotten"]);
  const [label] = await tagLabels(["forgotten"]);
  // The process remembers so many.
  await tagLabels(Array.from({ length: 1_000 }, (_, i) => `other ${i}`));
  const said = async (tags: string[]) => (await explain(cache, "a", { tags })).summary;
  expect(await said([])).toBe(`getOrSet would load: the tag #${label} was purged since`);
  expect(await said(["forgotten"])).toBe('getOrSet would load: the tag "forgotten" was purged since');
});

it("names what decides: the grace, the lease, the purged tag, the bytes", async () => {
  const cache = make();
  await cache.set("purged", 1, { tags: ["news", "front"] });
  await cache.purgeTags(["news"]);
  expect((await explain(cache, "purged")).summary).toBe('getOrSet would load: the tag "news" was purged since');
  await cache.set("both", 1, { tags: ["news", "front"] });
  await cache.purgeTags(["news", "front"]);
  expect((await explain(cache, "both")).summary).toBe(
    'getOrSet would load: the tags "news", "front" were purged since',
  );
  await cache.set("soft", 1, { tags: ["news"] });
  await cache.purgeTags(["news"], { soft: true });
  expect((await explain(cache, "soft")).summary).toBe(
    'getOrSet would return the stale value while it loads a new one: the tag "news" was purged softly since',
  );
  const lease = placeholder("abcdefghijkl", Date.now() + 30_000);
  await cache.connection.send([["SET", String(cache.makeKey("leased")), lease, "PX", "30000"]]);
  const leased = await explain(cache, "leased");
  expect(leased).toMatchObject({ outcome: "wait", entry: { lease: { holder: "abcdefghijkl" } } });
  expect(leased.summary).toMatch(/the caller with the token abcdefghijkl holds the lease for (?:30|29) s more/);
  expect(leased.reasons.join(" ")).toContain("It waits for 10 s at most");
  await cache.set("good", 1, { tags: ["front"], ttl: 60 });
  const good = await explain(cache, "good");
  expect(good.reasons).toEqual([
    expect.stringMatching(/^The value is fresh for (?:60|59) s more\.$|1 min more/),
    expect.stringContaining('"front"'),
  ]);
  await cache.connection.send([["SET", String(cache.makeKey("bytes")), "{"]]);
  expect((await explain(cache, "bytes")).summary).toContain("the stored bytes can't be decoded");
});

it("hints: other versions, a stored key that was given as a user's, another serializer, another prefix", async () => {
  const cache = make({ version: 2 });
  await cache.set("a", 1, { version: 1 });
  await cache.set("b", 1);
  expect((await explain(cache, "a")).hints).toEqual(["The key exists in version 1, and this is version 2."]);
  const pasted = String(cache.makeKey("b"));
  expect((await explain(cache, pasted)).hints.join()).toContain("is itself a stored key");
  const { prefix } = cache.parts.settings;
  await make({ keyPrefix: prefix, version: 2, serializer: msgpack() }).set("packed", { a: [1, 2, 3] });
  const packed = await explain(cache, "packed");
  expect(packed.hints.join()).toContain("written by msgpack");
  expect(packed.entry.value).toMatchObject({ codec: "msgpack", json: { a: [1, 2, 3] } });
  const elsewhere = await explain(cache, new StoredKey(`other:1:${randomUUID()}`));
  expect(elsewhere.hints.join()).toContain(`does not begin with the prefix "${prefix}"`);
  await cache.namespace("n").set("c", 1, { version: 3 });
  const inNamespace = await explain(cache, cache.namespace("n").makeKey("c"));
  expect(inNamespace.hints).toEqual(["The key exists in version 3, and this is version 2."]);
});

it("hints at the prefix and the version where nothing else is known of a missing key", async () => {
  const cache = make({ version: 2 });
  const { prefix } = cache.parts.settings;
  const compare = `If another process has written the key, compare its keyPrefix and version with those here: "${prefix}" and 2.`;
  expect((await explain(cache, "none")).hints).toEqual([compare]);
  await cache.set("a", 1, { version: 1 });
  expect((await explain(cache, "a")).hints).not.toContain(compare);
  await cache.set("stored", 1);
  expect((await explain(cache, "stored")).hints).toEqual([]);
});

it("hints at eviction, and says that a full server or a replica stores nothing", async () => {
  await using server = await startValkey({ args: ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"] });
  const cache = make({ location: server.url });
  for (let i = 0; i < 40; i++) await cache.set(`k${i}`, "x".repeat(100_000));
  const evicted = await explain(cache, "none");
  expect(evicted.outcome).toBe("load");
  expect(evicted.hints.join()).toMatch(/has evicted \d+ keys? since its start, under the policy allkeys-lru/);
  await cache.connection.send([["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1mb"]]);
  const full = await explain(cache, "none");
  expect(full).toMatchObject({
    outcome: "alone",
    reasons: [expect.anything(), expect.stringContaining("memory is full")],
  });
  expect(await cache.getOrSet("none", () => 1)).toBe(1);
  expect((await explain(cache, "none")).entry.state).toBe("none");
});

it("a user whose ACL allows no scripts loads without leases", async () => {
  const location = inject("valkeyUrl");
  const owner = make({ location });
  const user = `user-${randomUUID()}`;
  await owner.connection.send([["ACL", "SETUSER", user, "on", ">password", "~*", "&*", "+@all", "-eval", "-evalsha"]]);
  const { hostname, port } = new URL(location);
  const cache = make({ location: `valkey://${user}:password@${hostname}:${port}` });
  await cache.connection.script({ name: "any", lua: "return 1" }, ["a"], []).catch(() => {});
  const why = await explain(cache, "a");
  expect(why).toMatchObject({ outcome: "load" });
  expect(why.reasons.join(" ")).toContain("No lease is taken");
  await owner.connection.send([["ACL", "DELUSER", user]]);
});

it("a store that can't be reached is an answer, and a closed cache an error", async () => {
  const server = await startValkey();
  const cache = make({ location: server.url });
  await cache.set("a", 1);
  await server.stop();
  const why = await explain(cache, "a");
  expect(why).toMatchObject({ outcome: "alone", get: "fail", entry: { state: "none", kind: "none" } });
  expect(why.summary).toContain("the store can't be reached");
  await cache.close();
  await expect(explain(cache, "a")).rejects.toThrow("closed");
});

describe("responses of the HTTP cache", () => {
  it("are explained as a request would meet them", async () => {
    const cache = make({ location: "memory:" });
    const handler = cachedHandler(
      (request) => {
        const fields: Record<string, string> = { "cache-control": "max-age=60", "cache-tag": "news" };
        if (request.url.endsWith("/stale")) fields["cache-control"] = "max-age=0, stale-while-revalidate=60";
        if (request.url.endsWith("/vary")) fields.vary = "accept";
        if (request.url.endsWith("/large")) fields["cache-control"] = "no-store";
        return new Response("page", { headers: fields });
      },
      { cache },
    );
    for (const path of ["fresh", "stale", "vary", "large"]) {
      await (await handler(new Request(`https://example.com/${path}`))).text();
    }
    await cache.parts.client.close();
    const summaries = async () => {
      const all: string[] = [];
      for await (const keys of cache.connection.scan({ match: `${cache.parts.settings.prefix}:1:http*`, count: 100 })) {
        for (const key of keys) {
          const { summary, outcome } = await explain(cache, new StoredKey(key));
          all.push(`${outcome}: ${summary.replace(/\d+(?:\.\d+)? (?:ms|s|min)( \d+ s)?/g, "…")}`);
        }
      }
      return all.sort();
    };
    expect(await summaries()).toEqual([
      "hit: A request would be answered from the store: it is fresh for … more",
      "hit: A request would be answered from the store: it is fresh for … more",
      "hit: A request would look for the variant that its fields choose: the URL has 1 variant by accept",
      "load: A request would ask the origin, and wait for no other request: the last response of the URL could not be stored",
      "refresh: A request would be answered from the store while it is validated: it has been stale for …",
    ]);
    await cache.purgeTags(["news"]);
    expect(
      (await summaries()).filter((summary) => summary.includes("a tag of the response was purged since")),
    ).toHaveLength(3);
  });
});
