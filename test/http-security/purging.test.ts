import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import { PurgeLog } from "../../src/tags/purge-log.js";
import { HONO_CALLED } from "../adapters/hono.js";
import { type Handler, SHOP } from "../adapters/host.js";
import { type Cases, casesOf, HTTP_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, text } from "../adapters/replies.js";
import { raw } from "../contract/cache/stored.js";
import { testApp } from "../hono/app.js";

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** Stored keys, of leases and marks, too. */
const storedKeys = async (): Promise<string[]> => (await cache.keys("*")).map((key) => String(cache.makeKey(key)));

const ELSEWHERE: Cases<[what: string, location: string]> = {
  all: [["another host", "http://other.example/"]],
  engine: [
    ["another scheme", `https://${SHOP}/`],
    ["another port", `http://${SHOP}:8080/`],
    ["a host without a scheme", "//other.example/"],
    ["user information that looks like the host", `http://${SHOP}@other.example/`],
    ["backslashes", "\\\\other.example\\"],
    ["no URL", "http://["],
    ["another kind of URL", "javascript:other.example"],
  ],
};

describe.each(HTTP_HOSTS)("CWE-639, unsafe requests through $name, empty no other origin's cache:", (host) => {
  it.each(casesOf(host, ELSEWHERE))("by a Location with %s", async (_what, location) => {
    const handler: Handler = ({ method }) =>
      method === "POST" ? text(null, 201, { location, "content-location": location }) : text("page", 200, FRESH);
    const site = { cache, handler, options: { awaitBackground: true } };
    await using opened = await host.open(site);
    // Without a server, as that would be one for each origin.
    await using origins = await HONO_CALLED.open(site);
    const pages = [`http://${SHOP}/`, "http://other.example/", `https://${SHOP}/`, `http://${SHOP}:8080/`];
    for (const target of pages) await origins.send({ target });
    expect((await opened.send({ method: "POST", target: "/login", body: "x" })).status).toBe(201);
    for (const target of pages) expect((await origins.send({ target })).how, target).toMatch(/^hit/);
  });

  it("and a safe one empties nothing at all", async () => {
    const evil = { location: "/", "content-location": "/", "cache-group-invalidation": '"all"' };
    const handler: Handler = (_request, { path }) =>
      path === "/evil" ? text(null, 200, evil) : text("page", 200, { ...FRESH, "cache-groups": '"all"' });
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    await opened.send();
    for (const method of ["GET", "HEAD", "OPTIONS"]) await opened.send({ method, target: "/evil" });
    expect((await opened.send()).how).toMatch(/^hit/);
  });

  it("but their own page goes, for every way to write its URL", async () => {
    const handler: Handler = ({ method }) => (method === "POST" ? text(null, 204) : text("page", 200, FRESH));
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    for (const attack of [{}, { host: "SHOP.example" }, { host: `${SHOP}:80` }, { target: "/#x" }]) {
      await opened.send();
      expect((await opened.send()).how).toMatch(/^hit/);
      await opened.send({ method: "POST", ...attack, body: "x" });
      expect((await opened.send()).how).not.toMatch(/^hit/);
    }
  });
});

describe("CWE-639, purges of many pages", () => {
  it("by a prefix take whole segments of one origin alone", async () => {
    const { app, get, http } = testApp(cache, { awaitBackground: true, prefixPurges: true });
    app.get("*", (c) => c.text("page", 200, FRESH));
    const under = ["/a", "/a/", "/a/b", "/a?b", "/a/b?c=/d", "/a//b"];
    const beside = ["/", "/ab", "/A", "/a%2fb", "/%61", "/a;b", "/a.css", "/b/a", "/?/a", "//a", "/aa/b"];
    const elsewhere = [`http://${SHOP}/a`, "https://localhost/a", "http://localhost:81/a", "http://x.localhost/a"];
    const all = [...under, ...beside, ...elsewhere];
    for (const path of all) await get(path);
    await http.purgePrefix("http://localhost/a");
    const left = [];
    for (const path of all) {
      if ((await get(path, { headers: { "cache-control": "only-if-cached" } })).status === 200) left.push(path);
    }
    // Two slashes are one path for prefixes.
    expect(left).toEqual([...beside.filter((path) => path !== "//a"), ...elsewhere]);
  });

  it("by a prefix refuse what is no URL of this service", async () => {
    const { http } = testApp(cache, { prefixPurges: true, hosts: ["localhost"] });
    for (const url of ["", "/", "*", "http://", "http://evil.example/", "http://localhost/a?b", "ftp://localhost/"]) {
      await expect(http.purgePrefix(url), url).rejects.toThrow(/purgePrefix/);
    }
  });

  it("by a tag take that tag alone, whatever is in it", async () => {
    const { app, get, http } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text("page", 200, { ...FRESH, "cache-tag": c.req.query("tag") ?? "" }));
    const tags = ["a", "b", "a b", "A", "a*", "*", "a:b", '"a', "a}", "#a", "3:tag1:a"];
    const path = (tag: string): string => `/?tag=${encodeURIComponent(tag)}`;
    for (const tag of tags) await get(path(tag));
    for (const bad of [["a,b"], ["a", ","], [""], [" "], "a", undefined]) {
      await expect(http.purgeTags(bad as string[])).rejects.toThrow(/no list of tags/);
    }
    for (const tag of tags) expect((await get(path(tag))).how, tag).toMatch(/^hit/);
    await http.purgeTags(["a"]);
    expect((await get(path("a"))).how).not.toMatch(/^hit/);
    for (const tag of tags.slice(1)) expect((await get(path(tag))).how, tag).toMatch(/^hit/);
  });

  it("by a group take that of one origin alone", async () => {
    const { app, get, http } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text("page", 200, { ...FRESH, "cache-groups": '"all"', "cache-tag": "tagged" }));
    app.post("*", (c) => c.body(null, 400, { "cache-group-invalidation": '"all"' }));
    const pages = ["http://a.example/", "http://b.example/", "https://a.example/"];
    for (const page of pages) await get(page);
    await http.purgeGroups("http://a.example", ["tagged"]);
    for (const page of pages) expect((await get(page)).how).toMatch(/^hit/);
    await http.purgeGroups("http://a.example", ["all"]);
    expect((await get("http://a.example/")).how).not.toMatch(/^hit/);
    for (const page of pages.slice(1)) expect((await get(page)).how).toMatch(/^hit/);
    await get("http://b.example/", { method: "POST" });
    expect((await get("http://b.example/")).how).not.toMatch(/^hit/);
    expect((await get("https://a.example/")).how).toMatch(/^hit/);
  });

  it("give no client the tags that are hidden", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true, hiddenTagFields: ["Surrogate-Key", "Cache-Tag"] });
    const tags = { "surrogate-key": "secret", "cache-tag": "secret" };
    app.all("*", (c) => c.text("page", 200, c.req.query("no") === undefined ? { ...FRESH, ...tags } : tags));
    for (const [path, init] of [
      ["/", {}],
      ["/", {}],
      ["/?no", {}],
      ["/", { method: "POST" }],
      ["/", { method: "HEAD" }],
    ] as const) {
      expect([...(await get(path, init)).headers.values()].join()).not.toContain("secret");
    }
  });
});

describe("CWE-772, what purges leave in the store", () => {
  it.each([false, true])("is little after 50 rounds of variants and purges, soft: %s", async (soft) => {
    const { app, get, http, errors } = testApp(cache, { awaitBackground: true, maxVariants: 8 });
    app.get("*", (c) => c.text("page", 200, { ...FRESH, vary: "foo", etag: '"1"' }));
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 4; i++) await get("/", { headers: { foo: `${round} ${i}` } });
      expect(await http.purge("http://localhost/", { soft })).toBeGreaterThanOrEqual(4);
    }
    expect(errors).toEqual([]);
    expect((await storedKeys()).length).toBeLessThanOrEqual(soft ? 1 + 8 : 0);
  });

  it("is a log of a fixed size after many purges by tag", async () => {
    cache.purges.log = new PurgeLog(cache.purges.key(), 16);
    const { app, get, http } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text("page", 200, { ...FRESH, "cache-tag": "own" }));
    await get("/");
    for (let i = 0; i < 100; i++) await http.purgeTags([`t${i}`]);
    expect(await raw(cache, "ZCARD", cache.purges.key())).toBeLessThanOrEqual(16 + 1);
    // The page and the log.
    expect(await raw(cache, "KEYS", `${cache.purges.key()}*`)).toHaveLength(2);
  });

  it("holds no lease: the next client makes the page at once", async () => {
    const { app, get, http } = testApp(cache, { awaitBackground: true, lease: "10m", waitTimeout: "10m" });
    app.get("*", (c) => c.text("page", 200, FRESH));
    for (let i = 0; i < 5; i++) {
      await Promise.all([get("/"), http.purge("http://localhost/"), get("/"), http.purge("http://localhost/")]);
      expect((await get("/")).body).toBe("page");
    }
  });
});
