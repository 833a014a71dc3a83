import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import { HONO_TRANSPORTS } from "../adapters/hono.js";
import type { Attack, Handler, SiteOptions } from "../adapters/host.js";
import { casesOf, ENGINE_HOSTS, HTTP_HOSTS, HTTP1_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, text } from "../adapters/replies.js";
import { testApp } from "../hono/app.js";

const VICTIM: Attack["fields"] = { cookie: "session=victim" };

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** Paths that look like a file to some parser, and like the account page to another one. */
const PATHS = [
  "/account/x.css",
  "/account/x.js?v=1",
  "/account.css",
  "/account/.css",
  "/account;x.css",
  "/account;.css",
  "/account%3bx.css",
  "/account%2fx.css",
  "/account%2f..%2fx.css",
  "/account%5cx.css",
  "/account%23x.css",
  "/account%3fx.css",
  "/account%3f.css",
  "/account%00x.css",
  "/account%0ax.css",
  "/account%09x.css",
  "/account%20.css",
  "/account%26x.css",
  "/account!x.css",
  "/account$x.css",
  "/account,x.css",
  "/account@x.css",
  "/account~x.css",
  "/account./x.css",
  "/account.",
  "/account..",
  "/account../x.css",
  "/account//x.css",
  "//account/x.css",
  "/static/..%2faccount",
  "/static/..%2f..%2faccount?x.css",
  "/static/..%5caccount",
  "/static/%2e%2e%2faccount",
  "/static/%252e%252e/account",
  "/static/..;/account",
  "/static/.%00./account",
  "/%61ccount/x.css",
  "/ACCOUNT/x.css",
  "/account/robots.txt",
  "/account/favicon.ico",
];

/** An account page under every path, which is `secret` only for the client with the session. */
const account =
  (said: Record<string, string>): Handler =>
  ({ headers }) =>
    text(headers.get("cookie")?.includes("session=victim") ? "secret" : "log in", 200, said);

/** What pages for one client say, the most dangerous first. */
const PAGES: readonly [string, Record<string, string>, SiteOptions][] = [
  ["is public by mistake", FRESH, {}],
  ["says nothing, with a default lifetime for the whole site", {}, { defaultTtl: "1h" }],
  ["says nothing", {}, {}],
  ["says nothing, with Cache-Control for the whole site", {}, { cacheControl: "public, max-age=60" }],
  ["is private", { "cache-control": "private, max-age=60" }, { defaultTtl: "1h" }],
  ["must not be stored", { "cache-control": "no-store" }, { defaultTtl: "1h" }],
  ["has a Last-Modified", { "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" }, {}],
  ["has the type of a style sheet", { "content-type": "text/css" }, {}],
];

describe.each(HTTP_HOSTS)("CWE-525, web cache deception by a path that looks like a file, through $name:", (host) => {
  const pages = casesOf(host, { all: PAGES.slice(0, 1), engine: PAGES.slice(1, 2), once: PAGES.slice(2) });

  it.each(pages)("a page for one client that %s is given to no other", async (_what, headers, given) => {
    const options = { awaitBackground: true, ...given };
    await using opened = await host.open({ cache, handler: account(headers), options });
    for (const target of PATHS) {
      await opened.send({ target, fields: VICTIM });
      for (let i = 0; i < 2; i++) expect((await opened.send({ target })).body, target).toBe("log in");
    }
  });

  it("no two of these paths share a stored response", async () => {
    const handler: Handler = ({ url }) => text(url, 200, FRESH);
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    const bodies = new Map<string, string>();
    for (let i = 0; i < 2; i++) {
      for (const target of ["/account", "/account/", "/static/account", ...PATHS]) {
        const { body, how } = await opened.send({ target });
        expect(bodies.get(target) ?? body, target).toBe(body);
        bodies.set(target, body);
        if (i === 1) expect(how, target).toMatch(/^hit/);
      }
    }
    expect(new Set(bodies.values()).size).toBe(bodies.size);
  });
});

it.each(ENGINE_HOSTS)(
  "CWE-525, web cache deception: a page without a lifetime is stored under no path, and one with a lifetime under every path, through $name",
  async (host) => {
    let runs = 0;
    const handler: Handler = ({ url }) =>
      text(String(++runs), 200, new URL(url).searchParams.has("fresh") ? FRESH : {});
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    for (const path of PATHS.filter((one) => !one.includes("?"))) {
      const before = runs;
      for (let i = 0; i < 2; i++) expect((await opened.send({ target: path })).how, path).not.toMatch(/^hit/);
      expect(runs, path).toBe(before + 2);
      await opened.send({ target: `${path}?fresh` });
      expect((await opened.send({ target: `${path}?fresh` })).how, path).toMatch(/^hit/);
    }
  },
);

describe.each(HONO_TRANSPORTS)(
  "CWE-525, web cache deception by a path of a route with options, through $name:",
  (host) => {
    it("the options of a route hold for what that route has answered alone", async () => {
      const { app, http } = testApp(cache, { awaitBackground: true });
      app.get("/static/*", http.policy({ cacheControl: "public, max-age=60" }), (c) => c.text("file"));
      app.get("*", (c) => c.text("secret"));
      await using opened = await host.open(app);
      for (const target of ["/static", "/static/x.css", ...PATHS]) {
        const [first, second] = [await opened.send({ target }), await opened.send({ target })];
        expect(first.body, target).toBe(second.body);
        if (first.body === "secret") expect(second.how, target).not.toMatch(/^hit/);
        else expect(second.how, target).toMatch(/^hit/);
      }
      expect((await opened.send({ target: "/static/x.css" })).body).toBe("file");
      expect((await opened.send({ target: "/account/x.css" })).body).toBe("secret");
    });
  },
);

describe.each(HTTP1_HOSTS)(
  "CWE-436, paths that routers and caches normalise in different ways, through $name:",
  (host) => {
    it.each([
      "/static/../account",
      "/static/%2e%2e/account",
      "/static/.%2e/account",
      "/static/%2E./account",
      "/static/./../account",
      "/static/..\\account",
      "/static\\..\\account",
      "/account/../static/x.css",
      "/account/%2e%2e/static/x.css",
      "/account\\..\\static\\x.css",
    ])("%s gives no client another path's page", async (target) => {
      const accountPage = account({});
      const handler: Handler = (request, shown) => {
        if (shown.path.startsWith("/static/")) return text("file", 200, FRESH);
        return shown.path === "/account" ? accountPage(request, shown) : text("none", 404);
      };
      await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
      await opened.send({ target, fields: VICTIM });
      await opened.send({ target });
      for (let i = 0; i < 2; i++) {
        expect((await opened.send({ target })).body).not.toBe("secret");
        expect((await opened.send({ target: "/account" })).body).toBe("log in");
        expect((await opened.send({ target: "/static/x.css" })).body).toBe("file");
        expect((await opened.send({ target: "/static/account" })).body).toBe("file");
      }
    });
  },
);
