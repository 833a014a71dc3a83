import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { stopwatch } from "../support/stopwatch.js";
import { type TestApp, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "public, max-age=60" };

let cache: Cache;
let test: TestApp;
let answers: (c: Context) => Response | Promise<Response>;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
  test = testApp(cache, { awaitBackground: true });
  test.app.all("*", (c) => answers(c));
  answers = (c) => c.text(`${c.req.url} ${c.req.header("x-forwarded-host")} ${c.req.header("cookie")}`, 200, FRESH);
});

afterEach(() => cache.close());

/** Whether the victim gets what the attacker's request made. */
async function poisons(path: string, attack: RequestInit, victim: RequestInit = {}): Promise<boolean> {
  const made = await test.get(path, attack);
  return (await test.get(path, victim)).how.startsWith("hit") && made.status !== 0;
}

describe("an attacker", () => {
  it("can't have fields outside the key reach what is stored", async () => {
    const fields = ["x-forwarded-host", "x-forwarded-scheme", "x-original-url", "forwarded", "x-host", "x-rewrite-url"];
    answers = (c) => c.text(fields.map((name) => c.req.header(name)).join(), 200, FRESH);
    await test.get("/", { headers: Object.fromEntries(fields.map((name) => [name, "evil"])) });
    expect((await test.get("/")).body).toBe(",".repeat(fields.length - 1));
  });

  it("can't have a cookie reach what is stored", async () => {
    expect(await poisons("/", { headers: { cookie: "session=evil" } })).toBe(false);
  });

  it.each([
    ["a body", { headers: { "content-length": "4" } }],
    ["another method by a field", { headers: { "x-http-method-override": "POST" } }],
    ["an upgrade", { headers: { upgrade: "websocket", connection: "upgrade" } }],
  ])("can't store a response to a GET with %s", async (_what, attack) => {
    expect(await poisons("/", attack)).toBe(false);
  });

  it("can't make one key of two URLs", async () => {
    const paths = ["/a?b", "/a%3Fb", "/a/?b", "/A?b", "/a?b&", "/a?b=", "/a//?b"];
    for (const path of paths) expect((await test.get(path)).body).toContain(`localhost${path} `);
    for (const path of paths) expect((await test.get(path)).body).toContain(`localhost${path} `);
  });

  it("can't store an error that says nothing of storing", async () => {
    for (const status of [400, 404, 431, 500, 502] as const) {
      answers = (c) => c.text("bad", status);
      expect(await poisons(`/${status}`, {})).toBe(false);
    }
  });

  it("can't have a private page stored by an extension in its path", async () => {
    answers = (c) => c.text("secret", 200, { "cache-control": "private" });
    expect(await poisons("/account/x.css", {})).toBe(false);
    answers = (c) => c.text("secret");
    expect(await poisons("/account/y.css", {})).toBe(false);
  });

  it.each([
    [{ "cache-control": "Private, max-age=60" }],
    [{ "cache-control": "max-age=60, NO-STORE" }],
    [{ "cache-control": "max-age=60", vary: "foo, \t*" }],
    [{ "cache-control": "max-age=60", vary: "*" }],
    [{ "cache-control": "max-age=60", "set-cookie": "a=b", "cdn-cache-control": "no-store" }],
  ])("can't get what says %j", async (headers) => {
    answers = (c) => c.text("secret", 200, headers);
    expect(await poisons("/", {})).toBe(false);
  });

  it("can't get a response for another's Authorization, nor store its own", async () => {
    answers = (c) => c.text(`for ${c.req.header("authorization")}`, 200, { "cache-control": "max-age=60" });
    await test.get("/", { headers: { authorization: "me" } });
    expect((await test.get("/")).body).toBe("for undefined");
  });

  it("gets no variant but its own by Vary: Cookie or Authorization", async () => {
    test = testApp(cache, { awaitBackground: true, allowCookies: ["tier"], cacheName: "cookies" });
    test.app.get("*", (c) => c.text(`for ${c.req.header("cookie")}`, 200, { ...FRESH, vary: "Cookie" }));
    const get = (cookie?: string) => test.get("/", cookie === undefined ? {} : { headers: { cookie } });
    expect((await get("tier=1")).body).toBe("for tier=1");
    expect((await get("tier=2")).body).toBe("for tier=2");
    expect((await get()).body).toBe("for undefined");
    expect(await get("tier=1")).toMatchObject({ body: "for tier=1", how: expect.stringMatching(/^hit/) });
  });

  it("never gets a stored Set-Cookie", async () => {
    answers = (c) => c.text("full", 200, { ...FRESH, "set-cookie": "session=victim" });
    expect((await test.get("/")).headers.getSetCookie()).toEqual(["session=victim"]);
    const hit = await test.get("/");
    expect([hit.how.slice(0, 3), hit.headers.getSetCookie()]).toEqual(["hit", []]);
  });

  it("can't store anything for a host that isn't allowed", async () => {
    test = testApp(cache, { awaitBackground: true, hosts: ["localhost"], cacheName: "hosts" });
    test.app.get("*", (c) => c.text(c.req.url, 200, FRESH));
    for (let i = 0; i < 2; i++) expect((await test.get("http://evil.example/")).how).toBe("fwd=bypass");
    await test.get("/");
    expect((await test.get("/")).how).toMatch(/^hit/);
  });

  it("fills nothing with a URL of a megabyte", async () => {
    const path = `/${"x".repeat(1_000_000)}`;
    for (let i = 0; i < 2; i++) expect((await test.get(path)).how).toBe("fwd=bypass");
    expect(await cache.keys("*")).toEqual([]);
  });

  it("fills nothing with thousands of variants of one URL", async () => {
    answers = (c) => c.text("full", 200, { ...FRESH, vary: "foo" });
    for (let i = 0; i < 300; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_none, j) => test.get("/", { headers: { foo: String(i + j) } })));
    }
    expect((await cache.keys("*")).length).toBeLessThan(40);
    expect(test.errors).toEqual([]);
  });

  it("can't break what is stored by what a header holds", async () => {
    const odd = "\u00e9 \u00ff , \"quoted, 'text'\" \\ }{ \t x";
    answers = (c) => new Response(c.req.header("foo") ?? "", { headers: { ...FRESH, vary: "foo", odd } });
    for (let i = 0; i < 2; i++)
      expect((await test.get("/", { headers: { foo: "}{:\\" } })).headers.get("odd")).toBe(odd);
    expect((await test.get("/", { headers: { foo: "}{:\\" } })).how).toMatch(/^hit/);
  });

  it("does not keep others waiting by reading slowly", async () => {
    answers = () => new Response("x".repeat(100_000), { headers: FRESH });
    const held = await test.app.request("/slow");
    const took = stopwatch();
    expect((await test.get("/slow")).body).toHaveLength(100_000);
    expect(took()).toBeLessThan(2_000);
    await held.body?.cancel();
  });
});

it.each(["/evil/../x", "/evil/%2e%2e/x", "/evil/..\\x", "/x/../evil/../x"])(
  "%s, handed over by a server as it came, gives no client another path's page",
  async (path) => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("/evil/*", (c) => c.text("evil", 200, FRESH));
    app.get("/x", (c) => c.text("page", 200, FRESH));
    app.get("/x/*", (c) => c.text("evil", 200, FRESH));
    const asItCame = Object.defineProperty(new Request("http://shop.example/x"), "url", {
      value: `http://shop.example${path}`,
    });
    for (let i = 0; i < 2; i++) {
      expect((await toGot(await app.fetch(asItCame))).how).toBe("fwd=bypass");
      expect((await toGot(await app.request("http://shop.example/x"))).body).toBe("page");
    }
    expect((await toGot(await app.request("http://shop.example/x"))).how).toMatch(/^hit/);
  },
);
