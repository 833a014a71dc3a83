import { randomUUID } from "node:crypto";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, expectTypeOf, inject, it } from "vitest";
import { type HttpCacheEnv, httpCache } from "../../src/hono/index.js";
import { type Cache, ConfigurationError, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { listen, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
const STALE = { "cache-control": "max-age=0, stale-while-revalidate=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** Asks until the answer comes from the store. */
const stored = (get: () => Promise<{ how: string }>) =>
  until(async () => (await get()).how.startsWith("hit"), { what: "a hit" });

describe("httpCache in Hono", () => {
  it("revalidates in the background through the app, once, with nothing of the client's", async () => {
    const asked: Record<string, string>[] = [];
    const { app, get, errors } = testApp(cache);
    app.get("/", (c) => {
      asked.push(c.req.header());
      return c.text(`answer ${asked.length}`, 200, STALE);
    });
    await get("/", { headers: { secret: "1" } });
    await until(async () => (await get("/", { headers: { secret: "1" } })).body === "answer 2", { what: "a refresh" });
    expect(asked.slice(1).every((headers) => !("secret" in headers))).toBe(true);
    expect(errors).toEqual([]);
  });

  it("revalidates in the foreground where it is given no app", async () => {
    let answers = 0;
    const app = new Hono().use(httpCache({ cache })).get("/", (c) => c.text(`answer ${++answers}`, 200, STALE));
    await (await app.request("/")).text();
    await until(async () => (await (await app.request("/")).text()) === "answer 2", { what: "a refresh" });
  });

  it("warns when the app that it is given is another one", async () => {
    const { app, get, errors } = testApp(cache, { app: new Hono() });
    app.get("/", (c) => c.text("old", 200, STALE));
    await get("/");
    await until(async () => (await get("/")).body === "old" && errors.length > 0, { what: "the failure" });
    expect(String(errors[0])).toMatch(/did not reach httpCache, .* give it the application that it is used in, as app/);
  });

  it("lets the handler see the validators, and outer middleware the client's request", async () => {
    let seen: string | undefined;
    const { app, get } = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        await next();
        seen = c.req.header("if-none-match");
      });
    });
    app.get("/", (c) =>
      c.req.header("if-none-match") === '"1"'
        ? c.body(null, 304)
        : c.text("full", 200, { etag: '"1"', "cache-control": "no-cache" }),
    );
    await get("/");
    await until(async () => (await get("/", { headers: { "if-none-match": '"2"' } })).how.includes("fwd-status=304"), {
      what: "a validation",
    });
    expect(seen).toBe('"2"');
  });

  it("stores nothing of a handler that failed, and serves stale in its place", async () => {
    let fails = false;
    const { app, get } = testApp(cache);
    app.get("/", (c) => {
      if (fails) throw new Error("broken");
      return c.text("old", 200, { "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' });
    });
    app.onError((_error, c) => c.text("sorry", 500, FRESH));
    await get("/");
    fails = true;
    await until(async () => (await get("/")).body === "old", { what: "the stale response" });
    expect((await get("/other")).status).toBe(404);
  });

  it("keeps an error's response from the store whatever it says", async () => {
    let runs = 0;
    const { app, get } = testApp(cache);
    app.get("/", () => {
      runs++;
      throw new Error("broken");
    });
    app.onError((_error, c) => c.text("sorry", 500, FRESH));
    for (let i = 0; i < 3; i++) expect(await get("/")).toMatchObject({ status: 500, body: "sorry" });
    expect(runs).toBe(3);
  });

  it("replaces headers rather than merging old ones over new ones", async () => {
    const { app, get } = testApp(cache);
    app.get("/", (c) => c.text("full", 200, { ...FRESH, "content-length": "4" }));
    await get("/");
    await stored(() => get("/"));
    const part = await get("/", { headers: { range: "bytes=0-1" } });
    expect([part.status, part.body, part.headers.get("content-length")]).toEqual([206, "fu", "2"]);
  });

  it("answers HEAD without a body, and doesn't take its response for a GET's", async () => {
    const { app, get } = testApp(cache);
    app.get("/", (c) => c.text("full", 200, FRESH));
    expect(await get("/", { method: "HEAD" })).toMatchObject({ status: 200, body: "", how: "fwd=uri-miss" });
    expect(await get("/")).toMatchObject({ body: "full", how: "fwd=uri-miss; stored" });
    await stored(() => get("/", { method: "HEAD" }));
    expect((await get("/", { method: "HEAD" })).body).toBe("");
  });

  it.each(["by c.header()", "by c.res.headers"])("stores no header of outer middleware, set %s", async (how) => {
    let requests = 0;
    const { app, get } = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        const id = String(++requests);
        if (how === "by c.header()") c.header("x-request-id", id);
        else c.res.headers.set("x-request-id", id);
        c.res.headers.append("vary", "Origin");
        c.res.headers.append("set-cookie", `id=${id}`);
        await next();
        c.res.headers.set("x-after", id);
      });
    });
    app.get("/", (c) => c.text("full", 200, { ...FRESH, vary: "Accept" }));
    const first = await get("/");
    expect(first).toMatchObject({ how: "fwd=uri-miss; stored" });
    expect([first.headers.get("x-request-id"), first.headers.get("x-after"), first.headers.get("vary")]).toEqual([
      "1",
      "1",
      "Accept, Origin",
    ]);
    await stored(() => get("/"));
    const hit = await get("/");
    expect([hit.headers.get("x-request-id"), hit.headers.get("x-after"), hit.headers.get("vary")]).toEqual([
      String(requests),
      String(requests),
      "Accept, Origin",
    ]);
    expect(hit.headers.getSetCookie()).toEqual([`id=${requests}`]);
  });

  it("stores no header of outer middleware when it refreshes in the background", async () => {
    let requests = 0;
    const { app, get } = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        c.header("x-request-id", String(++requests));
        await next();
      });
    });
    let answers = 0;
    app.get("/", (c) => c.text(`answer ${++answers}`, 200, answers > 1 ? FRESH : STALE));
    await get("/");
    await until(async () => (await get("/")).body === "answer 2", { what: "a refresh" });
    expect((await get("/")).headers.get("x-request-id")).toBe(String(requests));
  });

  it("leaves event streams, and responses that are sent already, as they are", async () => {
    const { app, get } = testApp(cache);
    app.get("/events", (c) => c.body("data: 1\n\n", 200, { ...FRESH, "content-type": "text/event-stream" }));
    app.get("/sent", () => RESPONSE_ALREADY_SENT);
    for (let i = 0; i < 2; i++) expect((await get("/events")).how).toBe("fwd=uri-miss");
    for (let i = 0; i < 2; i++) expect(await app.request("/sent")).toBe(RESPONSE_ALREADY_SENT);
    expect(RESPONSE_ALREADY_SENT.headers.has("cache-status")).toBe(false);
  });

  it("gives work in the background to the host, by its own way or the option's", async () => {
    const work: Promise<unknown>[] = [];
    const { app } = testApp(cache);
    app.get("/", (c) => c.text("full", 200, FRESH));
    const context = {
      waitUntil: (promise: Promise<unknown>) => void work.push(promise),
      passThroughOnException: () => {},
      props: {},
    };
    await (await app.request("/", {}, {}, context)).text();
    await until(() => work.length > 1, { what: "the store to be given to the host" });
    await Promise.all(work);
    const given: Promise<void>[] = [];
    const other = testApp(cache, { waitUntil: (_c, promise) => given.push(promise) });
    other.app.get("/other", (c) => c.text("full", 200, FRESH));
    await other.get("/other");
    await until(() => given.length > 1, { what: "the store to be given to the option" });
    await Promise.all(given);
  });

  it("has stored when its answer ends, where it is to wait", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("/", (c) => c.text("full", 200, FRESH));
    await get("/");
    expect((await get("/")).how).toMatch(/^hit/);
  });

  it("uses the cache in the context, and says so when there is none", async () => {
    const app = new Hono<HttpCacheEnv>();
    app.use("/with/*", async (c, next) => {
      c.set("cache", cache);
      await next();
    });
    app.use(httpCache());
    app.get("/with/a", (c) => {
      expectTypeOf(c.var.cache).toEqualTypeOf<Cache>();
      return c.text("full", 200, FRESH);
    });
    let error: unknown;
    app.onError((thrown, c) => {
      error = thrown;
      return c.text("", 500);
    });
    expect((await toGot(await app.request("/with/a"))).how).toBe("fwd=uri-miss; stored");
    await app.request("/without");
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toMatch(/there is no cache; give the option cache, or use valkeyCache\(\) before/);
  });

  it("takes a key of its own making, and purges by it", async () => {
    const { app, http, get } = testApp(cache, { keyGenerator: (c) => c.req.path, awaitBackground: true });
    app.get("/a", (c) => c.text(c.req.url, 200, FRESH));
    await get("/a?utm=1");
    expect((await get("/a?utm=2")).body).toContain("utm=1");
    await http.purge("/a");
    expect((await get("/a?utm=3")).body).toContain("utm=3");
  });

  it("gives Cache-Control where there is none, and adds to Vary", async () => {
    const { app, get } = testApp(cache, { cacheControl: "max-age=60", vary: ["X-Tenant"], awaitBackground: true });
    app.get("/", (c) => c.text(`for ${c.req.header("x-tenant")}`));
    app.get("/own", (c) => c.text("own", 200, { "cache-control": "no-store" }));
    const tenant = (name: string) => get("/", { headers: { "x-tenant": name } });
    await tenant("a");
    expect([(await tenant("a")).how.slice(0, 3), (await tenant("b")).body]).toEqual(["hit", "for b"]);
    expect((await get("/own")).headers.get("cache-control")).toBe("no-store");
  });

  it("purges by URL and by tag, softly too", async () => {
    const { app, http, get } = testApp(cache, { awaitBackground: true });
    app.get("/", (c) => c.text("full", 200, { ...FRESH, "cache-tag": "t" }));
    await get("/");
    await http.purge("http://localhost/");
    expect((await get("/")).how).toBe("fwd=uri-miss; stored");
    await http.purgeTags(["t"]);
    expect((await get("/")).how).toBe("fwd=uri-miss; stored");
    await http.purgeTags(["t"], { soft: true });
    expect((await get("/")).how).toBe("fwd=stale; stored");
  });

  it.each([
    [{ maxBodySize: -1 }, /option "maxBodySize" is -1; give a whole number above 0/],
    [{ cacheName: "a b" }, /option "cacheName"/],
    [{ unknown: 1 }, /unknown option "unknown"; known options are: .*keyGenerator/],
    [{ lease: "1ms" as const }, /option "lease" is 1 ms; give at least 100/],
    [{ app: 5 as never }, /option "app" is 5; give a Hono application/],
  ])("refuses %j", (options, message) => {
    expect(() => httpCache({ cache, ...options })).toThrow(message);
  });

  it("works behind node-server, whose responses are lazy", async () => {
    const { app } = testApp(cache);
    app.get("/", (c) => c.text("full", 200, FRESH));
    app.post("/", (c) => c.text("posted"));
    await using server = await listen(app);
    const get = async (init?: RequestInit) => toGot(await fetch(server.url, init));
    expect(await get()).toMatchObject({ body: "full", how: "fwd=uri-miss; stored" });
    await stored(() => get());
    expect(await get({ method: "HEAD" })).toMatchObject({ body: "", how: expect.stringMatching(/^hit/) });
    expect(await get({ method: "POST", body: "x" })).toMatchObject({ body: "posted", how: "fwd=method" });
    expect((await get()).how).toBe("fwd=uri-miss; stored");
  });
});
