import { type Context, Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import type { Cache } from "../../src/index.js";
import type { Client } from "../adapters/clients.js";
import { HONO_TRANSPORTS, OVER_HTTP1 } from "../adapters/hono.js";
import { type Attack, SHOP } from "../adapters/host.js";
import { FRESH, newCache } from "../adapters/replies.js";
import { testApp, toGot } from "./app.js";

const TOKEN = { authorization: "Bearer purger" };
const authorize = (c: Context): boolean => c.req.header("authorization") === TOKEN.authorization;

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** A site with pages under every path, and a route for PURGE. */
function site(options: HttpCacheOptions = {}, soft = false) {
  const test = testApp(cache, { awaitBackground: true, ...options });
  test.app.on("PURGE", "*", test.http.purgeRoute({ authorize, soft }));
  test.app.get("*", (c) => c.text("page", 200, { ...FRESH, etag: '"1"' }));
  return test;
}

const isStored = async (opened: Client, attack: Attack = {}): Promise<boolean> =>
  (await opened.send({ ...attack, fields: { "cache-control": "only-if-cached" } })).status === 200;

describe.each(HONO_TRANSPORTS)("CWE-285, PURGE requests through $name,", (host) => {
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
