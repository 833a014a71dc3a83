import { createHash } from "node:crypto";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { cachedFetch } from "../../src/fetch/index.js";
import { ConfigurationError, createCache, nearCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { until } from "../support/wait.js";
import { how, page, startSite, testFetch } from "./site.js";

const FRESH = { "cache-control": "max-age=60" };

describe("a cached fetch", () => {
  it("asks the origin once, and answers from the store with what fetch says of a response", async () => {
    const site = await startSite(page({ ...FRESH, etag: '"1"' }, '{"a":1}'));
    const fetch = testFetch();
    const first = await fetch(`${site.url}/a#top`);
    expect(how(first)).toMatch(/^fwd=uri-miss/);
    expect(await first.json()).toEqual({ a: 1 });
    const second = await fetch(new URL("/a", site.url));
    expect(how(second)).toMatch(/^hit; ttl=\d+$/);
    expect(await second.clone().json()).toEqual({ a: 1 });
    for (const response of [first, second, second.clone()])
      expect({ ...facts(response), etag: response.headers.get("etag") }).toEqual({
        url: `${site.url}/a`,
        redirected: false,
        type: "basic",
        ok: true,
        etag: '"1"',
      });
    expect(site.asked).toEqual(["GET /a"]);
  });

  it("gives each caller bytes of its own, however it reads a large body", async () => {
    const large = "0123456789".repeat(10_000);
    const site = await startSite(page({ ...FRESH, "content-length": String(large.length) }, large));
    const near = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix(), nearCache: nearCache() });
    onTestFinished(() => near.close());
    const fetch = testFetch({ cache: near });
    const get = async () => {
      const { body } = await fetch(site.url);
      if (!body) throw new Error("there is no body");
      return body;
    };
    await (await fetch(site.url)).text();
    const isNear = async () => {
      await (await fetch(site.url)).text();
      return (await near.health()).nearCache?.entries === 1;
    };
    await until(isNear, { what: "the near cache to have the response" });
    for await (const chunk of await get()) chunk.fill(0);
    const reader = (await get()).getReader({ mode: "byob" });
    for (let chunk = new Uint8Array(4_096); ; ) {
      const { done, value } = await reader.read(chunk);
      if (done || !value) break;
      chunk = new Uint8Array(value.fill(0).buffer);
    }
    await (await get()).cancel();
    const last = await fetch(site.url);
    expect(how(last)).toMatch(/^hit/);
    expect(last.headers.get("content-length")).toBe(String(large.length));
    expect(await last.text()).toBe(large);
  });

  it("asks the origin once for 50 calls at once", async () => {
    const site = await startSite((_request, response) => {
      setTimeout(() => response.writeHead(200, FRESH).end("page"), 50);
    });
    const fetch = testFetch();
    const texts = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(site.url)).text()));
    expect(new Set(texts)).toEqual(new Set(["page"]));
    expect(site.asked).toHaveLength(1);
  });

  it("stores nothing that says nothing of caching, and what a rule gives a lifetime", async () => {
    const site = await startSite(page({}));
    const plain = testFetch();
    for (const _ of [1, 2]) await (await plain(site.url)).text();
    expect(site.asked).toHaveLength(2);
    const fetch = testFetch({ rules: [{ match: "/products/*", ttl: "1m", tags: ["products"] }] });
    for (const _ of [1, 2]) await (await fetch(`${site.url}/products/1`)).text();
    expect(site.asked).toHaveLength(3);
    await fetch.purgeTags(["products"]);
    expect(how(await fetch(`${site.url}/products/1`))).toContain("uri-miss");
  });

  it("sends what the caller gives with a miss, and with a background refresh", async () => {
    const site = await startSite(page({ "cache-control": "max-age=0, stale-while-revalidate=60" }));
    const fetch = testFetch();
    const headers = { accept: "application/json", "x-version": "2" };
    await (await fetch(site.url, { headers })).text();
    expect(how(await fetch(site.url, { headers }))).toMatch(/^hit; ttl=-\d+$/);
    await until(() => site.asked.length === 2, { what: "the refresh" });
    for (const request of site.requests) expect(request.headers).toMatchObject(headers);
  });

  it("gives fetch what else a call or its Request says, after a redirect, too", async () => {
    const seen: [input: string | URL | Request, init: RequestInit | undefined][] = [];
    const fetch = testFetch({
      fetch: async (input, init) => {
        seen.push([input, init]);
        const isOld = new Request(input).url.endsWith("/old");
        return new Response(null, isOld ? { status: 302, headers: { location: "/new" } } : { headers: FRESH });
      },
    });
    const own = { referrerPolicy: "no-referrer" as const, cf: { cacheTtl: 1 } };
    await fetch("https://api.example/old", { keepalive: true, ...own });
    expect(seen.map(([input]) => input)).toEqual(["https://api.example/old", "https://api.example/new"]);
    for (const [, init] of seen) expect(init).toMatchObject({ keepalive: true, redirect: "manual", ...own });
    const request = new Request("https://other.example/old", { credentials: "include", keepalive: true });
    await fetch(request, own);
    expect(seen[2]).toEqual([request, expect.objectContaining(own)]);
    expect(seen[3]).toEqual(["https://other.example/new", expect.objectContaining({ credentials: "include", ...own })]);
  });

  it("answers from the store when the origin can't be reached, by stale-if-error", async () => {
    const site = await startSite(page({ "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' }));
    const fetch = testFetch();
    expect(await (await fetch(site.url)).text()).toBe("page");
    site.server.close();
    site.server.closeAllConnections();
    expect(await (await fetch(site.url)).text()).toBe("page");
    await expect(fetch(`${site.url}/other`)).rejects.toThrow(TypeError);
  });

  it("invalidates a URL by an unsafe request, whose body is passed on", async () => {
    const site = await startSite((request, response) => {
      const hash = createHash("sha256");
      request.on("data", (chunk) => hash.update(chunk));
      request.on("end", () => response.writeHead(200, FRESH).end(hash.digest("hex")));
    });
    const fetch = testFetch();
    await (await fetch(site.url)).text();
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("abc"));
        controller.close();
      },
    });
    const posted = await fetch(site.url, { method: "post", body, duplex: "half" });
    expect(how(posted)).toBe("fwd=method");
    expect(await posted.text()).toBe(createHash("sha256").update("abc").digest("hex"));
    expect(how(await fetch(site.url))).toContain("uri-miss");
  });

  it.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
  ])("stores a body that came as %s decoded, for callers with any Accept-Encoding", async (coding, compress) => {
    const fields = { ...FRESH, "content-encoding": coding, vary: "Accept-Encoding, Accept" };
    const site = await startSite((_request, response) => {
      const body = compress("text ".repeat(100));
      response.writeHead(200, { ...fields, "content-length": String(body.length) }).end(body);
    });
    const fetch = testFetch();
    for (const headers of [{}, { "accept-encoding": coding }, { "accept-encoding": "identity" }]) {
      const response = await fetch(site.url, { headers });
      expect(await response.text()).toBe("text ".repeat(100));
      expect(response.headers.get("content-encoding")).toBeNull();
      expect(response.headers.get("vary")).toBe("Accept");
    }
    expect(site.asked).toHaveLength(1);
  });

  it("passes on what no cache has a part in", async () => {
    const fetch = testFetch();
    expect(await (await fetch("data:text/plain,hello")).text()).toBe("hello");
    await expect(fetch("/relative")).rejects.toThrow("Failed to parse URL");
    await expect(fetch("http://user:pass@127.0.0.1/")).rejects.toThrow("credentials");
  });
});

describe("options of a cached fetch", () => {
  const cache = createCache({ location: "memory:" });

  it.each([
    [{}, 'option "cache" is missing'],
    [{ cache, rules: [], routes: {} }, 'options "rules" and "routes" are both given'],
    [{ cache, rules: {} }, 'option "rules" is'],
    [{ cache, trustForwarded: ["proto"] }, 'option "trustForwarded" is'],
    [{ cache, credentialsInKey: "authorization" }, 'option "credentialsInKey" is'],
    [{ cache, fetch: cachedFetch({ cache }) }, 'option "fetch" is a cachedFetch with the same cache'],
  ])("%# are refused by name", (options, message) => {
    // @ts-expect-error
    expect(() => cachedFetch(options)).toThrow(ConfigurationError);
    // @ts-expect-error
    expect(() => cachedFetch(options)).toThrow(message);
  });

  it("may hold a cached fetch with another cacheName", async () => {
    const site = await startSite(page(FRESH));
    const fetch = testFetch({ fetch: testFetch({ cacheName: "inner" }) });
    await (await fetch(site.url)).text();
    expect((await fetch(site.url)).headers.get("cache-status")).toMatch(/^inner; fwd=uri-miss.*, .*hit/);
  });

  it("keep responses apart from those of the application itself, in one store", async () => {
    const site = await startSite(page(FRESH));
    const own = createCache({ location: inject("valkeyUrl"), keyPrefix: crypto.randomUUID() });
    const fetch = testFetch({ cache: own });
    await (await fetch(site.url)).text();
    await until(async () => (await own.keys("*")).length > 0, { what: "a stored response" });
    for (const key of await own.keys("*")) expect(String(key)).toMatch(/^http:valkey-edge-cache-fetch:/);
    await own.close();
  });
});

function facts({ url, redirected, type, ok }: Response) {
  return { url, redirected, type, ok };
}
