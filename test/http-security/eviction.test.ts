import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import { HONO_CALLED } from "../adapters/hono.js";
import type { Attack, Handler, SiteInit, SiteOptions } from "../adapters/host.js";
import { type Cases, casesOf, HTTP_HOSTS, REFRESHING_HOSTS } from "../adapters/hosts.js";
import { newCache, FRESH as PUBLIC, STALE as REFRESHED, text } from "../adapters/replies.js";
import { testApp } from "../hono/app.js";
import { until } from "../support/wait.js";

const FRESH = { ...PUBLIC, etag: '"1"' };
const STALE = { ...REFRESHED, etag: '"1"' };
const RELOADS: readonly Record<string, string>[] = [
  { "cache-control": "no-cache" },
  { "cache-control": "max-age=0" },
  { pragma: "no-cache" },
  { "cache-control": "no-cache, no-store" },
  { "cache-control": "min-fresh=3600" },
];
const STATUSES: Cases<number> = {
  all: [403],
  engine: [400, 429, 503],
  once: [
    401, 402, 405, 406, 407, 408, 409, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 425, 426, 428, 431, 451,
    500, 501, 502, 504, 507, 511,
  ],
};
/** What else a reload may be answered with. */
const REFUSED: Cases<[what: string, bad: () => Response]> = {
  all: [
    ["more than the limit", () => text("x".repeat(100), 200, FRESH)],
    ["a body that is cut short", () => new Response("bad", { headers: { ...FRESH, "content-length": "10" } })],
    [
      "an exception",
      () => {
        throw new Error("bad");
      },
    ],
    [
      "a partial response",
      () => new Response("bad", { status: 206, headers: { ...FRESH, "content-range": "bytes 0-2/9" } }),
    ],
    ["304", () => text(null, 304)],
  ],
  engine: [
    ["no-store", () => text("bad", 200, { "cache-control": "no-store" })],
    ["private", () => text("bad", 200, { "cache-control": "private" })],
    ["Vary: *", () => text("bad", 200, { ...FRESH, vary: "*" })],
    ["nothing about caching", () => text("bad", 200)],
    ["more than the limit, by its length", () => text("x".repeat(100), 200, { ...FRESH, "content-length": "100" })],
    [
      "too many tags",
      () => text("bad", 200, { ...FRESH, "cache-tag": Array.from({ length: 200 }, (_n, i) => i).join() }),
    ],
    ["a redirection", () => text(null, 302, { location: "/login" })],
  ],
};

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** A site whose page is `page`, and whose answer to an attacker is what the test says. */
function site(bad: () => Response, given: SiteOptions = {}, headers: Record<string, string> = FRESH) {
  const state = { attacks: 0, runs: 0 };
  const handler: Handler = (request) => {
    state.runs++;
    if (!request.headers.has("x-bad")) return text("page", 200, headers);
    state.attacks++;
    return bad();
  };
  const init: SiteInit = { cache, handler, options: { awaitBackground: true, ...given } };
  return { init, state };
}

describe.each(HTTP_HOSTS)("CWE-400, denial by eviction, through $name:", (host) => {
  it.each(casesOf(host, STATUSES))("a reload that is answered with %i leaves a fresh page stored", async (status) => {
    for (const said of [{}, FRESH, { "cache-control": "no-store" }]) {
      const { init, state } = site(() => text("bad", status, said), { cacheName: `c${randomUUID()}` });
      await using opened = await host.open(init);
      await opened.send();
      for (const reload of RELOADS) {
        const attacked = await opened.send({ fields: { ...reload, "x-bad": "1" } });
        expect([attacked.status, attacked.body]).toEqual([status, "bad"]);
      }
      const runs = state.runs;
      expect(await opened.send()).toMatchObject({ body: "page", how: expect.stringContaining("hit") });
      expect([state.runs, state.attacks, opened.errors]).toEqual([runs, RELOADS.length, []]);
    }
  });

  it.each(casesOf(host, REFUSED))(
    "a reload that is answered with %s leaves a fresh page stored",
    async (_what, bad) => {
      const { init, state } = site(bad, { maxBodySize: 50 });
      await using opened = await host.open(init);
      await opened.send();
      for (const reload of RELOADS) await opened.send({ fields: { ...reload, "x-bad": "1" } }).catch(() => {});
      expect(state.attacks).toBe(RELOADS.length);
      expect(await opened.send()).toMatchObject({ body: "page", how: expect.stringContaining("hit") });
    },
  );

  it.each<[string, Attack]>([
    ["a GET with a body", { body: "x" }],
    ["an overridden method", { fields: { "x-http-method-override": "DELETE" } }],
    ["a precondition", { fields: { "if-match": '"2"' } }],
    ["a range", { fields: { range: "bytes=100-", "cache-control": "no-cache" } }],
    ["a cookie", { fields: { cookie: "a=b" } }],
    ["credentials", { fields: { authorization: "bad", "cache-control": "no-cache" } }],
    ["HEAD", { method: "HEAD" }],
    ["OPTIONS", { method: "OPTIONS" }],
    ["a POST that fails", { method: "POST", body: "x" }],
    ["a DELETE that is refused", { method: "DELETE" }],
    ["an unknown method that is refused", { method: "EVICT" }],
    ["PURGE, where no route answers it", { method: "PURGE" }],
  ])("%s that is refused leaves a fresh page stored", async (_what, attack) => {
    await using opened = await host.open(site(() => text("bad", 403, FRESH)).init);
    await opened.send();
    for (let i = 0; i < 3; i++) await opened.send({ ...attack, fields: { ...attack.fields, "x-bad": "1" } });
    expect(await opened.send()).toMatchObject({ body: "page", how: expect.stringContaining("hit") });
  });

  it("an attack on one variant leaves the others stored", async () => {
    await using opened = await host.open(site(() => text("bad", 400), {}, { ...FRESH, vary: "foo" }).init);
    for (const foo of ["a", "b"]) await opened.send({ fields: { foo } });
    for (const foo of ["a", "b", "c"]) {
      await opened.send({ fields: { foo, "x-bad": "1", "cache-control": "no-cache" } });
    }
    for (const foo of ["a", "b"]) {
      expect(await opened.send({ fields: { foo } })).toMatchObject({
        body: "page",
        how: expect.stringContaining("hit"),
      });
    }
  });
});

describe("CWE-400, denial by eviction in the background:", () => {
  it.each([400, 401, 403, 406, 429, 500, 503] as const)(
    "a refresh that is answered with %i leaves the page",
    async (status) => {
      let runs = 0;
      const { app, get } = testApp(cache);
      app.get("*", (c) => (++runs > 1 ? c.text("bad", status) : c.text("page", 200, STALE)));
      await get("/");
      await until(async () => (await get("/")).body === "page" && runs > 1, { what: "the refresh" });
      for (let i = 0; i < 10; i++) expect((await get("/")).body).toBe("page");
      // The pause after a refresh that brought nothing.
      expect(runs).toBe(2);
    },
  );

  it.each(REFRESHING_HOSTS)(
    "a client of $name chooses neither the fields nor the errors of a refresh",
    async (host) => {
      const { init, state } = site(() => text("bad", 429), { awaitBackground: false }, STALE);
      await using opened = await host.open(init);
      await opened.send();
      const isHit = async () => (await opened.send({ fields: { "x-bad": "1" } })).how.startsWith("hit");
      await until(isHit, { what: "a stale hit" });
      await until(() => state.runs > 1, { what: "the refresh" });
      expect(state.attacks).toBe(0);
      expect((await opened.send()).body).toBe("page");
    },
  );

  it("a stale page that an error was asked for is still there", async () => {
    const { init } = site(() => text("bad", 400), {}, { "cache-control": "max-age=0", etag: '"1"' });
    await using opened = await HONO_CALLED.open(init);
    await opened.send();
    for (let i = 0; i < 5; i++) expect((await opened.send({ fields: { "x-bad": "1" } })).status).toBe(400);
    expect((await cache.keys("*")).length).toBe(1);
  });
});

describe.each(HTTP_HOSTS)("CWE-400, what fills the store through $name:", (host) => {
  it("a body beyond maxBodySize is passed on and not stored, whole or in pieces", async () => {
    const pieces = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (let i = 0; i < 14; i++) controller.enqueue(new Uint8Array(150));
          controller.close();
        },
      });
    const handler: Handler = (_request, { path }) =>
      path === "/whole" ? text("x".repeat(2_100), 200, FRESH) : new Response(pieces(), { headers: FRESH });
    const options = { awaitBackground: true, maxBodySize: 1_000 };
    await using opened = await host.open({ cache, handler, options });
    for (let i = 0; i < 3; i++) {
      for (const target of ["/whole", "/pieces"]) {
        const got = await opened.send({ target });
        expect(got.body).toHaveLength(2_100);
        expect(got.how).not.toMatch(/^hit/);
      }
    }
  });

  it("a response that is refreshed to one beyond maxBodySize stays as it was", async () => {
    const { init } = site(() => text("x".repeat(100), 200, FRESH), { maxBodySize: 50 });
    await using opened = await host.open(init);
    await opened.send();
    expect((await opened.send({ fields: { "x-bad": "1", "cache-control": "no-cache" } })).body).toHaveLength(100);
    expect((await opened.send()).body).toBe("page");
  });
});
