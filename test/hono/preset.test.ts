import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { HttpCacheOptions } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { type TestApp, testApp } from "./app.js";

type Headers = Record<string, string>;

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** An application whose middleware outside sets these headers before it goes on. */
function behind(
  preset: Headers | ((c: Context) => void),
  options: HttpCacheOptions = {},
): TestApp & { runs: () => number } {
  let runs = 0;
  const test = testApp(cache, { awaitBackground: true, ...options }, (outer) => {
    outer.use(async (c, next) => {
      if (typeof preset === "function") preset(c);
      else for (const [name, value] of Object.entries(preset)) c.header(name, value);
      await next();
    });
  });
  test.app.use(async (_c, next) => {
    runs++;
    await next();
  });
  return { ...test, runs: () => runs };
}

describe("what middleware outside says before next()", () => {
  it.each<[Headers, Headers]>([
    [{ "cache-control": "private" }, { "cache-control": "public, max-age=60" }],
    [{ "cache-control": "no-store" }, { "cache-control": "max-age=60" }],
    [{ "cache-control": "no-store" }, { "cdn-cache-control": "max-age=60" }],
    [{ "cdn-cache-control": "no-store" }, { "cache-control": "max-age=60" }],
    [{ "cdn-cache-control": "private" }, { "cdn-cache-control": "max-age=60" }],
    [{ vary: "*" }, { "cache-control": "max-age=60" }],
    [{ vary: "Accept, *" }, { "cache-control": "max-age=60" }],
    [{ "cdn-cache-control": "max-age=60" }, { "cache-control": "private" }],
    [{ "cache-control": "max-age=60" }, { "cache-control": "no-store" }],
    [{ "cache-control": "max-age=0" }, { "cache-control": "max-age=60" }],
    [{ expires: "0" }, { "cache-control": "max-age=60" }],
    [{ "cache-control": "private" }, {}],
  ])("keeps the response from being reused: %j, with %j of its own", async (preset, own) => {
    for (const options of [{}, { cacheControl: "max-age=60" }, { defaultTtl: 60 }]) {
      const { app, get, runs } = behind(preset, { ...options, cacheName: randomUUID() });
      app.get("/", (c) => c.text("full", 200, own));
      for (let i = 0; i < 3; i++) await get("/");
      expect(runs()).toBe(3);
    }
  });

  it("gives a lifetime to what has none of its own", async () => {
    const { app, get, runs } = behind({ "cache-control": "max-age=60" });
    app.get("/", (c) => c.text("full"));
    for (let i = 0; i < 3; i++) expect((await get("/")).headers.get("cache-control")).toBe("max-age=60");
    expect(runs()).toBe(1);
  });

  it("is in the response, and so are the response's own words, the stricter ones where they differ", async () => {
    const clients: [Headers, Headers, string | null][] = [
      [{ "cache-control": "private" }, { "cache-control": "public, max-age=60" }, "max-age=60, private"],
      [{ "cache-control": "private" }, {}, "private"],
      [{ "cache-control": "max-age=10" }, { "cache-control": "max-age=60" }, "max-age=10"],
    ];
    for (const [preset, own, control] of clients) {
      const { app, get } = behind(preset, { cacheControl: "max-age=60", cacheName: randomUUID() });
      app.get("/", (c) => c.text("full", 200, own));
      for (let i = 0; i < 2; i++) expect((await get("/")).headers.get("cache-control")).toBe(control);
    }
  });

  it("separates variants by the fields that its Vary names", async () => {
    const { app, get } = behind({ vary: "X-Tenant" });
    app.get("/", (c) => c.text(`for ${c.req.header("x-tenant")}`, 200, { "cache-control": "max-age=60" }));
    const tenant = (name: string) => get("/", { headers: { "x-tenant": name } });
    for (const name of ["a", "b", "a", "b"]) expect((await tenant(name)).body).toBe(`for ${name}`);
    const hit = await tenant("a");
    expect([hit.how.slice(0, 3), hit.headers.get("vary")]).toEqual(["hit", "X-Tenant"]);
  });

  it("separates origins where cors() answers to several", async () => {
    const test = testApp(cache, { awaitBackground: true }, (outer) => {
      outer.use(cors({ origin: ["https://a.example", "https://b.example"] }));
    });
    test.app.get("/", (c) => c.text("full", 200, { "cache-control": "max-age=60" }));
    for (const origin of ["https://a.example", "https://b.example", "https://a.example"]) {
      const got = await test.get("/", { headers: { origin } });
      expect(got.headers.get("access-control-allow-origin")).toBe(origin);
    }
  });

  it.each(["cache-tag", "surrogate-key"])("has the response purged by its %s", async (field) => {
    const { app, get, http, runs } = behind({ [field]: "outside" });
    app.get("/", (c) => c.text("full", 200, { "cache-control": "max-age=60", [field]: "inside" }));
    for (const [i, tag] of ["outside", "inside", "outside"].entries()) {
      await get("/");
      expect((await get("/")).how).toMatch(/^hit/);
      expect(runs()).toBe(i + 1);
      await http.purgeTags([tag]);
    }
    await get("/");
    expect(runs()).toBe(4);
  });

  it("still counts after the response was validated", async () => {
    const { app, get, http, runs } = behind({ "cache-tag": "outside", vary: "X-Tenant" });
    app.get("/", (c) => {
      const headers = { "cache-control": "no-cache", etag: '"1"' };
      return c.req.header("if-none-match") ? c.body(null, 304, headers) : c.text(String(runs()), 200, headers);
    });
    for (let i = 0; i < 3; i++) expect((await get("/", { headers: { "x-tenant": "a" } })).body).toBe("1");
    expect((await get("/", { headers: { "x-tenant": "b" } })).body).toBe("4");
    await http.purgeTags(["outside"]);
    expect((await get("/", { headers: { "x-tenant": "a" } })).body).toBe("5");
  });

  it("counts for a response that a background refresh has made", async () => {
    let isPrivate = false;
    const test = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        if (isPrivate) c.header("cache-control", "private");
        await next();
      });
    });
    let runs = 0;
    test.app.get("/", (c) => c.text(String(++runs), 200, { "cache-control": "max-age=0, stale-while-revalidate=60" }));
    await test.get("/");
    isPrivate = true;
    await until(async () => Number((await test.get("/")).body) > 1, { what: "a response of its own" });
    isPrivate = false;
    const bodies = [await test.get("/"), await test.get("/")];
    expect(bodies.every(({ how }) => !how.startsWith("hit") || how.includes("ttl=-"))).toBe(true);
  });

  it.each<[Headers]>([
    [{ "cache-control": "no-cache" }],
    [{ "cache-control": "max-age=0" }],
    [{ "cdn-cache-control": "no-cache" }],
    [{ expires: "0" }],
    [{ vary: "X-Tenant" }],
  ])("holds for a response that was stored without it: %j", async (late) => {
    let preset: Headers = {};
    const { app, get, runs } = behind((c) => {
      for (const [name, value] of Object.entries(preset)) c.header(name, value);
    });
    app.get("/", (c) => c.text(String(runs()), 200, { "cache-control": "max-age=60" }));
    for (let i = 0; i < 2; i++) expect((await get("/")).body).toBe("1");
    preset = late;
    expect((await get("/")).body).toBe("2");
  });

  it.each<[Headers, Headers]>([
    [{ pragma: "no-cache" }, { "last-modified": "Mon, 12 Jan 1970 13:46:40 GMT" }],
    [{ "set-cookie": "a=b" }, { "last-modified": "Mon, 12 Jan 1970 13:46:40 GMT" }],
  ])("keeps a lifetime from being guessed: %j", async (preset, own) => {
    const { app, get, runs } = behind(preset);
    app.get("/", (c) => c.text("full", 200, own));
    for (let i = 0; i < 3; i++) await get("/");
    expect(runs()).toBe(3);
  });

  it("has groups invalidated by a POST", async () => {
    const { app, get } = behind((c) => {
      if (c.req.method === "POST") c.header("cache-group-invalidation", '"g"');
    });
    app.get("/", (c) => c.text("full", 200, { "cache-control": "max-age=60", "cache-groups": '"g"' }));
    app.post("/other", (c) => c.body(null, 204));
    await get("/");
    expect((await get("/")).how).toMatch(/^hit/);
    await get("/other", { method: "POST" });
    expect((await get("/")).how).toBe("fwd=uri-miss; stored");
  });

  it("gives clients the earlier expiry of two", async () => {
    const [sooner, later] = [10_000, 100_000].map((ms) => new Date(Date.now() + ms).toUTCString());
    const clients: [string | undefined, Headers, RegExp, string | undefined][] = [
      [sooner, { expires: later ?? "" }, /^$/, sooner],
      [later, { expires: sooner ?? "" }, /^$/, sooner],
      ["0", { "cache-control": "max-age=60" }, /^max-age=0$/, "0"],
      [sooner, { "cache-control": "max-age=60" }, /^max-age=(?:\d|10)$/, sooner],
    ];
    for (const [preset = "", own, control, expires] of clients) {
      const { app, get } = behind({ expires: preset }, { cacheName: randomUUID() });
      app.get("/", (c) => c.text("full", 200, own));
      const { headers } = await get("/");
      expect(headers.get("cache-control") ?? "").toMatch(control);
      expect(headers.get("expires")).toBe(expires);
    }
  });

  it.each<[string, (c: Context) => void]>([
    ["c.header()", (c) => c.header("cache-control", "private")],
    ["c.res.headers", (c) => c.res.headers.set("cache-control", "private")],
    [
      "a response of its own",
      (c) => {
        c.res = new Response(null, { headers: { "cache-control": "private" } });
      },
    ],
  ])("counts when it is set by %s", async (_how, set) => {
    const { app, get, runs } = behind(set);
    app.get("/", (c) => c.text("full", 200, { "cache-control": "max-age=60" }));
    for (let i = 0; i < 3; i++) expect((await get("/")).headers.get("cache-control")).toContain("private");
    expect(runs()).toBe(3);
  });

  it("stays the answer where middleware outside has made one and no handler makes another", async () => {
    const { get } = behind((c) => {
      c.res = new Response("fallback");
    });
    expect(await get("/nothing")).toMatchObject({ status: 200, body: "fallback" });
  });

  it("reaches neither what is stored nor clients for whom it was not set", async () => {
    let tenant = "a";
    const { app, get } = behind((c) => {
      c.header("cache-tag", `tenant-${tenant}`);
      c.header("x-tenant", tenant);
    });
    app.get("/", (c) => c.text("full", 200, { "cache-control": "max-age=60" }));
    await get("/");
    tenant = "b";
    const hit = await get("/");
    expect([hit.how.slice(0, 3), hit.headers.get("cache-tag"), hit.headers.get("x-tenant")]).toEqual([
      "hit",
      "tenant-b",
      "b",
    ]);
  });
});
