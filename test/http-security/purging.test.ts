import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { PurgeLog } from "../../src/tags/purge-log.js";
import { raw } from "../contract/cache/stored.js";
import { testApp, toGot } from "../hono/app.js";
import { ATTACK_HOSTS, type Attack, type Opened, OVER_HTTP1, SHOP } from "./hosts.js";

const FRESH = { "cache-control": "public, max-age=60" };
const TOKEN = { authorization: "Bearer purger" };
const authorize = (c: Context): boolean => c.req.header("authorization") === TOKEN.authorization;

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** A site with pages under every path, and a route for PURGE. */
function site(options: HttpCacheOptions = {}, soft = false) {
  const test = testApp(cache, { awaitBackground: true, ...options });
  test.app.on("PURGE", "*", test.http.purgeRoute({ authorize, soft }));
  test.app.get("*", (c) => c.text("page", 200, { ...FRESH, etag: '"1"' }));
  return test;
}

const isStored = async (opened: Opened, attack: Attack = {}): Promise<boolean> =>
  (await opened.send({ ...attack, fields: { "cache-control": "only-if-cached" } })).status === 200;

/** Stored keys, of leases and marks, too. */
const storedKeys = async (): Promise<string[]> => (await cache.keys("*")).map((key) => String(cache.makeKey(key)));

describe.each(ATTACK_HOSTS)("CWE-285, PURGE requests through $name,", (host) => {
  it("without permission purge nothing, however they ask", async () => {
    const { app } = site();
    await using opened = await host.open(app);
    await opened.send();
    for (const attack of [
      {},
      { fields: { authorization: "Bearer evil" } },
      { fields: { authorization: "" } },
      { fields: { authorization: `x, ${TOKEN.authorization}` } },
      { fields: { "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1" } },
      { fields: { cookie: "authorization=Bearer purger" } },
      { fields: { "x-http-method-override": "PURGE" } },
      { body: "x" },
    ]) {
      const got = await opened.send({ method: "PURGE", ...attack });
      expect([got.status, got.headers.get("cache-control")]).toEqual([403, "no-store"]);
    }
    await opened.send({ fields: { "x-http-method-override": "PURGE", ...TOKEN } });
    await opened.send({ method: "POST", fields: { "x-http-method-override": "PURGE" } });
    expect(await isStored(opened)).toBe(true);
  });

  it("with permission purge the URL that they name, and say so", async () => {
    for (const soft of [false, true]) {
      const { app } = site({ cacheName: soft ? "soft" : "hard" }, soft);
      await using opened = await host.open(app);
      for (const target of ["/", "/other", "/?q"]) await opened.send({ target });
      await opened.send({ host: "other.example" });
      const purge = () => opened.send({ method: "PURGE", fields: TOKEN });
      expect(JSON.parse((await purge()).body)).toEqual({ purged: 1 });
      expect(await isStored(opened)).toBe(false);
      for (const left of [{ target: "/other" }, { target: "/?q" }, { host: "other.example" }]) {
        expect(await isStored(opened, left)).toBe(true);
      }
    }
  });

  it("by odd targets purge nothing else", async () => {
    const { app } = site({ hosts: [SHOP] });
    await using opened = await host.open(app);
    await opened.send();
    await opened.send({ target: "/a" });
    for (const attack of [
      { host: "evil.example" },
      { target: "//shop.example/" },
      { target: "/*" },
      { target: "/%2a" },
      { target: "/?*" },
      { target: "/a/.." + "/b" },
      { target: "/a%2f.." },
      { target: `/${"x".repeat(9_000)}` },
    ]) {
      const got = await opened.send({ method: "PURGE", ...attack, fields: TOKEN });
      if (got.status === 200) expect(JSON.parse(got.body)).toEqual({ purged: 0 });
      else expect([0, 400, 414, 431]).toContain(got.status);
    }
    expect([await isStored(opened), await isStored(opened, { target: "/a" })]).toEqual([true, true]);
  });
});

describe("CWE-285, the PURGE route", () => {
  it("can't be made without authorize", () => {
    const { http } = testApp(cache);
    for (const options of [{}, { authorize: undefined }, { authorize: true }, { authorize: "yes" }]) {
      expect(() => http.purgeRoute(options as never)).toThrow(/authorize/);
    }
  });

  it("takes nothing but true for a permission, and purges nothing where the check throws", async () => {
    const answers: unknown[] = ["yes", 1, {}, undefined, null, Promise.resolve(false), Promise.resolve("true")];
    const { app, http, get } = testApp(cache, { awaitBackground: true });
    let answer: unknown;
    app.onError((_error, c) => c.text("failed", 500));
    app.on("PURGE", "*", http.purgeRoute({ authorize: () => answer as boolean }));
    const throwing = http.purgeRoute({
      authorize: () => {
        throw new Error("the check failed");
      },
    });
    app.on("PURGE", "/thrown", throwing);
    app.get("*", (c) => c.text("page", 200, FRESH));
    await get("/");
    for (answer of answers) expect((await get("/", { method: "PURGE" })).status).toBe(403);
    expect((await get("/")).how).toMatch(/^hit/);
    const other = new Hono();
    other.onError((_error, c) => c.text("failed", 500));
    other.on("PURGE", "*", throwing);
    expect((await toGot(await other.request("http://localhost/", { method: "PURGE" }))).status).toBe(500);
    expect((await get("/")).how).toMatch(/^hit/);
  });

  it("behind a trusted proxy purges what the proxy names, and nothing by what clients put before", async () => {
    const hosts = [SHOP, "other.example"];
    const { app } = site({ trustForwarded: ["host"], hosts });
    await using opened = await OVER_HTTP1.open(app);
    const named = (host: string) => ({ host: "cluster.internal", fields: { "x-forwarded-host": host } });
    for (const host of hosts) await opened.send(named(host));
    const stored = async (host: string) => {
      const { fields } = named(host);
      return (await opened.send({ ...named(host), fields: { ...fields, "cache-control": "only-if-cached" } })).status;
    };
    const purge = (value: string) =>
      opened.send({ method: "PURGE", host: SHOP, fields: { ...TOKEN, "x-forwarded-host": value } });
    expect((await purge(`${SHOP}, evil.example`)).status).toBe(400);
    expect((await purge("")).status).toBe(400);
    expect([await stored(SHOP), await stored("other.example")]).toEqual([200, 200]);
    expect(JSON.parse((await purge(`evil.example, ${SHOP}`)).body)).toEqual({ purged: 1 });
    expect([await stored(SHOP), await stored("other.example")]).toEqual([504, 200]);
  });
});

describe.each(ATTACK_HOSTS)("CWE-639, unsafe requests through $name, empty no other origin's cache:", (host) => {
  it.each([
    ["another host", "http://other.example/"],
    ["another scheme", `https://${SHOP}/`],
    ["another port", `http://${SHOP}:8080/`],
    ["a host without a scheme", "//other.example/"],
    ["user information that looks like the host", `http://${SHOP}@other.example/`],
    ["backslashes", "\\\\other.example\\"],
    ["no URL", "http://["],
    ["another kind of URL", "javascript:other.example"],
  ])("by a Location with %s", async (_what, location) => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.post("/login", (c) => c.body(null, 201, { location, "content-location": location }));
    app.get("*", (c) => c.text("page", 200, FRESH));
    await using opened = await host.open(app);
    const pages = [`http://${SHOP}/`, "http://other.example/", `https://${SHOP}/`, `http://${SHOP}:8080/`];
    for (const page of pages) await (await app.request(page)).text();
    await opened.send({ method: "POST", target: "/login", body: "x" });
    for (const page of pages) {
      expect((await toGot(await app.request(page))).how, page).toMatch(/^hit/);
    }
  });

  it("and a safe one empties nothing at all", async () => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.on(["GET", "HEAD", "OPTIONS"], "/evil", (c) =>
      c.body(null, 200, { location: "/", "content-location": "/", "cache-group-invalidation": '"all"' }),
    );
    app.get("*", (c) => c.text("page", 200, { ...FRESH, "cache-groups": '"all"' }));
    await using opened = await host.open(app);
    await opened.send();
    for (const method of ["GET", "HEAD", "OPTIONS"]) await opened.send({ method, target: "/evil" });
    expect((await opened.send()).how).toMatch(/^hit/);
  });

  it("but their own page goes, for every way to write its URL", async () => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.post("*", (c) => c.body(null, 204));
    app.get("*", (c) => c.text("page", 200, FRESH));
    await using opened = await host.open(app);
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

it("CWE-285, a middleware on its own path purges nothing beside it by what it is asked", async () => {
  const app = new Hono();
  const http = httpCache({ cache, app, awaitBackground: true });
  app.use(http);
  app.on("PURGE", "/api/*", http.purgeRoute({ authorize }));
  app.get("*", (c) => c.text("page", 200, FRESH));
  const get = async (path: string, init?: RequestInit) => toGot(await app.request(path, init));
  for (const path of ["/", "/api/x"]) await get(path);
  expect((await get("/", { method: "PURGE", headers: TOKEN })).status).toBe(404);
  expect((await get("/api/x", { method: "PURGE", headers: TOKEN })).status).toBe(200);
  expect((await get("/")).how).toMatch(/^hit/);
});
