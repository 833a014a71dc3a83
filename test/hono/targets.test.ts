import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { mount } from "hono/mount";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { HOST, listenAnywhere } from "../support/ports.js";
import { until } from "../support/wait.js";
import { listen, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "public, max-age=60" };
const STALE = { "cache-control": "max-age=0, stale-while-revalidate=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** All that a handler can see of the target. */
const echo = (c: Context) =>
  c.text(
    [c.req.url, c.req.raw.url, c.req.path, c.req.header("host"), c.req.raw.headers.get("host")].join(" "),
    200,
    FRESH,
  );

/** Sends lines as they are, and takes what comes back as text. */
function raw(port: number, ...lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST, () => socket.write(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
  });
}

describe("the target that a handler sees is the target in the key", () => {
  it.each([
    ["an absolute form with another Host", ["GET http://shop.example/x HTTP/1.1", "Host: evil.example"]],
    ["the scheme's own port", ["GET /x HTTP/1.1", "Host: shop.example:80"]],
    ["another case", ["GET /x HTTP/1.1", "Host: SHOP.example"]],
    ["another case in absolute form", ["GET HTTP://SHOP.Example/x HTTP/1.1", "Host: shop.example"]],
    ["an absolute form with its port", ["GET http://shop.example:80/x HTTP/1.1", "Host: shop.example"]],
    ["two Host lines", ["GET /x HTTP/1.1", "Host: shop.example", "Host: evil.example"]],
    [
      "two Host lines in absolute form",
      ["GET http://shop.example/x HTTP/1.1", "Host: evil.example", "Host: shop.example"],
    ],
    ["a fragment", ["GET /x#evil.example HTTP/1.1", "Host: shop.example"]],
  ])("over HTTP/1.1, with %s", async (_what, attack) => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("*", echo);
    await using server = await listen(app);
    const port = Number(new URL(server.url).port);
    const attacked = await raw(port, ...attack);
    if (attacked.startsWith("HTTP/1.1 200")) expect(attacked).not.toMatch(/evil|SHOP|Shop|:80/);
    const seen = "http://shop.example/x http://shop.example/x /x shop.example shop.example";
    for (let i = 0; i < 2; i++) expect(await raw(port, "GET /x HTTP/1.1", "Host: shop.example")).toContain(seen);
  });

  it.each([
    ["the same host", "shop.example", /hit/],
    ["another case of it", "SHOP.example:80", /hit/],
    ["another host", "evil.example", /hit/],
  ])("answers a request in absolute form, with %s in Host, for its URL", async (_what, host, how) => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("*", echo);
    await using server = await listen(app);
    const port = Number(new URL(server.url).port);
    await raw(port, "GET /x HTTP/1.1", "Host: shop.example");
    expect(await raw(port, "GET http://shop.example/x HTTP/1.1", `Host: ${host}`)).toMatch(how);
  });

  it("over HTTP/2, with :authority beside another host", async () => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("*", echo);
    const server = createHttp2Server(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
    const port = await listenAnywhere(server);
    const client = connectHttp2(`http://${HOST}:${port}`);
    const get = (headers: Record<string, string>): Promise<string> =>
      new Promise((resolve, reject) => {
        const stream = client.request({ ":path": "/x", ":authority": "shop.example", ...headers });
        let body = "";
        stream.setEncoding("utf8").on("data", (chunk: string) => {
          body += chunk;
        });
        stream.on("end", () => resolve(body)).on("error", reject);
      });
    for (const headers of [{ host: "evil.example" }, {}, { host: "evil.example" }]) {
      expect(await get(headers)).toBe("http://shop.example/x http://shop.example/x /x shop.example shop.example");
    }
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it("without a server, where a request may have no Host, and a URL may have a fragment", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("*", echo);
    const seen = "http://shop.example/x http://shop.example/x /x shop.example shop.example";
    expect((await get("http://shop.example/x#evil")).body).toBe(seen);
    expect(await get("http://shop.example/x")).toMatchObject({ body: seen, how: expect.stringMatching(/^hit/) });
    expect((await get("http://shop.example/x", { headers: { host: "evil.example" } })).body).not.toContain("evil");
  });

  it("stores what a Host that is not the target's has chosen for that Host alone", async () => {
    const app = new Hono({ getPath: (request) => `/${request.headers.get("host")}${new URL(request.url).pathname}` });
    app.use(httpCache({ cache, awaitBackground: true }));
    app.get("/shop.example/x", (c) => c.text("shop", 200, FRESH));
    app.get("*", (c) => c.text("nobody's", 200, FRESH));
    const get = async (host: string) => toGot(await app.request("http://shop.example/x", { headers: { host } }));
    for (let i = 0; i < 2; i++) {
      for (const host of ["SHOP.example", "shop.example:80", "evil.example"]) {
        expect((await get(host)).body).toBe("nobody's");
      }
    }
    expect((await get("evil.example")).how).toMatch(/^hit/);
    for (let i = 0; i < 2; i++) expect((await get("shop.example")).body).toBe("shop");
    expect((await get("shop.example")).how).toMatch(/^hit/);
  });

  it("purges by any way to write a URL that is the same by the URL standard", async () => {
    const { app, http, get } = testApp(cache, { awaitBackground: true });
    app.get("*", echo);
    for (const url of [
      "http://LOCALHOST:80/caf\u00e9",
      "http://localhost/x/../caf%C3%A9",
      "http://localhost/caf%C3%A9#x",
    ]) {
      await get("/caf%C3%A9");
      expect((await get("/caf%C3%A9")).how).toMatch(/^hit/);
      await http.purge(url);
      expect((await get("/caf%C3%A9")).how).toBe("fwd=uri-miss; stored");
    }
  });
});

describe("a refresh in the background", () => {
  it("carries the host that the response was stored for", async () => {
    let runs = 0;
    const { app } = testApp(cache);
    app.get("*", (c) => c.text(`${c.req.header("host")} ${++runs}`, 200, STALE));
    await using server = await listen(app);
    const port = Number(new URL(server.url).port);
    const get = async () => (await raw(port, "GET /x HTTP/1.1", "Host: tenant.example")).split("\r\n\r\n")[1] ?? "";
    expect(await get()).toContain("tenant.example 1");
    await until(async () => /tenant\.example [23]/.test(await get()), { what: "a refresh for the tenant" });
  });

  it("carries all that a key of the application's own may be made of, unless that is a client's credentials", async () => {
    let runs = 0;
    const { app, get, errors } = testApp(cache, {
      allowCookies: ["tier"],
      keyGenerator: (c) => `${c.req.header("x-tenant")} ${c.req.header("cookie")}`,
    });
    app.get("*", (c) => c.text(`${c.req.header("x-tenant")} ${c.req.header("cookie")} ${++runs}`, 200, STALE));
    for (const cookie of [undefined, "tier=1"]) {
      const headers = { "x-tenant": "a", ...(cookie && { cookie }) };
      const bodies = [(await get("/", { headers })).body];
      await until(async () => bodies.push((await get("/", { headers })).body) > 1 && bodies.at(-1) !== bodies[0], {
        what: "a refresh for the tenant",
      });
      for (const body of bodies) expect(body).toMatch(new RegExp(`^a ${cookie} \\d+$`));
    }
    expect(errors).toEqual([]);
  });
});

describe("a refresh in the background, behind middleware that routes", () => {
  const tenantBy = (field: string) => (outer: Hono) => {
    outer.use(async (c, next) => {
      c.header("vary", field);
      c.set("tenant" as never, (c.req.header(field) ?? "default") as never);
      await next();
    });
  };

  it.each(["host", "x-forwarded-host", "x-tenant"])("sends it the %s that has chosen the response", async (field) => {
    let runs = 0;
    const { app, get, errors } = testApp(cache, {}, tenantBy(field));
    app.get("*", (c) => c.text(`${c.get("tenant" as never)} ${++runs}`, 200, STALE));
    for (const tenant of ["a.example", "b.example"]) {
      const ask = async () => (await get("http://cluster.example/", { headers: { [field]: tenant } })).body;
      const first = await ask();
      await until(async () => (await ask()) !== first, { what: "a refresh" });
      for (let i = 0; i < 3; i++) expect(await ask()).toContain(tenant);
    }
    expect(errors).toEqual([]);
  });

  it("stores nothing of a refresh that made another key", async () => {
    let runs = 0;
    let isOther = false;
    const { app, get, errors } = testApp(cache, { keyGenerator: () => (isOther ? "other" : "own") });
    app.get("*", (c) => c.text(String(++runs), 200, STALE));
    await get("/");
    const asked = get("/");
    isOther = true;
    await asked;
    await until(() => errors.length > 0, { what: "the refusal" });
    expect(String(errors[0])).toMatch(/made the key other in the place of own/);
    isOther = false;
    // Validated in the foreground, as the refresh did not reach the handler.
    expect((await get("/")).body).toBe("2");
  });

  it("keeps variants apart by fields that are kept from handlers, or narrowed for them", async () => {
    for (const field of ["x-forwarded-proto", "accept-language"]) {
      const test = testApp(cache, { awaitBackground: true, languages: ["en"], cacheName: field }, tenantBy(field));
      test.app.get("*", (c) => c.text(String(c.get("tenant" as never)), 200, FRESH));
      for (const value of ["fr", "en", "fr", "en"]) {
        expect((await test.get("/", { headers: { [field]: value } })).body).toBe(value);
      }
    }
  });
});

describe("a request that a handler makes of another page", () => {
  it.each([
    ["with the environment alone", (_c: Context, url: string) => new Request(url)],
    ["with the client's fields", (c: Context, url: string) => new Request(url, c.req.raw)],
  ])("has a key of its own, made %s", async (_how, make) => {
    const app = new Hono();
    app.use(httpCache({ cache, app, awaitBackground: true }));
    app.get("/products", (c) => c.json({ api: 1 }, 200, FRESH));
    for (const path of ["/shop/products", "/login"]) {
      app.get(path, async (c) => {
        const response = await app.fetch(make(c, new URL("/products", c.req.url).href), c.env);
        return c.text(`page of ${await response.text()}`, 200, path === "/login" ? FRESH : {});
      });
    }
    await using server = await listen(app);
    for (const path of ["/shop/products", "/login?next=/products"]) {
      for (let i = 0; i < 3; i++) {
        expect((await toGot(await fetch(server.url + path))).body).toBe('page of {"api":1}');
      }
    }
    expect((await toGot(await fetch(`${server.url}/products`))).body).toBe('{"api":1}');
  });
});

describe("mounted applications", () => {
  /** One application, as two that differ in nothing but their name. */
  const site = (name: string): Hono => {
    const app = new Hono();
    app.use(httpCache({ cache, app, awaitBackground: true }));
    return app.get("*", (c) => c.text(`${name} ${c.req.path}`, 200, FRESH));
  };
  const strip = (request: Request): Request => new Request(request.url.replace(/\/(?:admin|public)/, ""), request);

  const mounted: [string, () => Hono][] = [
    ["by mount()", () => new Hono().mount("/admin", site("admin").fetch).mount("/public", site("public").fetch)],
    [
      "by mount(), with a way of their own to make the request",
      () =>
        new Hono()
          .mount("/admin", site("admin").fetch, { replaceRequest: strip })
          .mount("/public", site("public").fetch, { replaceRequest: strip, optionHandler: (c) => [c.env] }),
    ],
    [
      "in an application that is mounted itself",
      () => {
        const inner = new Hono().mount("/admin", site("admin").fetch).mount("/public", site("public").fetch);
        return new Hono().mount("/outer", inner.fetch).mount("/", inner.fetch);
      },
    ],
    ["by route()", () => new Hono().route("/admin", site("admin")).route("/public", site("public"))],
    [
      "by basePath()",
      () => new Hono().basePath("/").mount("/admin", site("admin").fetch).mount("/public", site("public").fetch),
    ],
  ];

  it.each(mounted)("never take each other's responses, mounted %s", async (_how, make) => {
    const app = make();
    const get = async (path: string) => toGot(await app.request(path));
    for (const path of ["/x", "/", "", "/caf%C3%A9", "/x?y=1"]) {
      for (let i = 0; i < 2; i++) {
        expect((await get(`/admin${path}`)).body).toMatch(/^admin/);
        expect((await get(`/public${path}`)).body).toMatch(/^public/);
      }
    }
    expect((await get("/public/x")).how).toMatch(/^hit/);
  });

  it("say where they are, where the cache can't find out", async () => {
    const at = (mountPath: string) => {
      const app = new Hono();
      const http = httpCache({ cache, app, awaitBackground: true, mountPath });
      app.use(http).get("*", (c) => c.text(`${mountPath} ${c.req.path}`, 200, FRESH));
      return { app, http };
    };
    const [admin, pub] = [at("/admin"), at("/public")];
    const app = new Hono().all("/admin/*", mount(admin.app.fetch)).all("/public/*", mount(pub.app.fetch));
    for (let i = 0; i < 2; i++) {
      expect((await toGot(await app.request("/admin/x"))).body).toBe("/admin /x");
      expect((await toGot(await app.request("/public/x"))).body).toBe("/public /x");
    }
    await admin.http.purge("http://localhost/admin/x");
    expect((await toGot(await app.request("/admin/x"))).how).toBe("fwd=uri-miss; stored");
    expect((await toGot(await app.request("/public/x"))).how).toMatch(/^hit/);
    expect(() => httpCache({ mountPath: "admin/" })).toThrow(
      /option "mountPath" is "admin\/"; give a path such as "\/admin"/,
    );
  });

  it("are purged by the URL that clients ask for", async () => {
    const inner = new Hono();
    const http = httpCache({ cache, app: inner, awaitBackground: true });
    let runs = 0;
    inner.use(http).get("*", (c) => c.text(String(++runs), 200, FRESH));
    inner.post("/x", (c) => c.body(null, 201));
    const app = new Hono().mount("/admin", inner.fetch);
    const get = async () => (await toGot(await app.request("/admin/x"))).body;
    expect([await get(), await get()]).toEqual(["1", "1"]);
    await http.purge("http://localhost/admin/x");
    expect([await get(), await get()]).toEqual(["2", "2"]);
    await app.request("/admin/x", { method: "POST" });
    expect(await get()).toBe("3");
  });

  it("are refreshed in the background", async () => {
    const inner = new Hono();
    let runs = 0;
    inner.use(httpCache({ cache, app: inner })).get("/x", (c) => c.text(String(++runs), 200, STALE));
    const app = new Hono().mount("/admin", inner.fetch);
    await until(async () => (await toGot(await app.request("/admin/x"))).body === "2", { what: "a refresh" });
  });

  it.each<[string, (admin: Hono, pub: Hono) => (incoming: IncomingMessage, outgoing: ServerResponse) => unknown]>([
    [
      "by the middleware mount()",
      (admin, pub) => {
        const app = new Hono().all("/admin/*", mount(admin.fetch)).all("/public/*", mount(pub.fetch));
        return getRequestListener(app.fetch, { overrideGlobalObjects: false });
      },
    ],
    [
      "within a server that takes the path off, and keeps it in originalUrl",
      (admin, pub) => {
        const listeners = new Map(
          [admin, pub].map((app, i) => [i, getRequestListener(app.fetch, { overrideGlobalObjects: false })]),
        );
        return (incoming, outgoing) => {
          const { url = "" } = incoming;
          const [, path = "", rest = ""] = /^\/(admin|public)(.*)$/.exec(url) ?? [];
          Object.assign(incoming, { originalUrl: url });
          incoming.url = rest.startsWith("/") ? rest : `/${rest}`;
          return listeners.get(path === "admin" ? 0 : 1)?.(incoming, outgoing);
        };
      },
    ],
  ])("never take each other's responses, mounted %s", async (_how, make) => {
    const server = createServer(make(site("admin"), site("public")));
    const port = await listenAnywhere(server);
    const get = async (path: string) => toGot(await fetch(`http://${HOST}:${port}${path}`));
    for (const path of ["/x", "/", "", "/x?y=1", "/x?y='a'", '/x?y="a"', "/{z}"]) {
      for (let i = 0; i < 2; i++) {
        expect((await get(`/admin${path}`)).body).toMatch(/^admin/);
        expect((await get(`/public${path}`)).body).toMatch(/^public/);
      }
    }
    expect((await get("/public/x")).how).toMatch(/^hit/);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

it("more URLs than the process remembers each get their own stored response", async () => {
  const { app, get } = testApp(cache);
  app.get("/pages/:page", (c) => c.text(c.req.param("page"), 200, FRESH));
  const pages = Array.from({ length: 1_100 }, (_, page) => String(page));
  const all = async () => {
    const responses = [];
    for (let at = 0; at < pages.length; at += 100) {
      responses.push(...(await Promise.all(pages.slice(at, at + 100).map((page) => get(`/pages/${page}`)))));
    }
    return responses;
  };
  await all();
  await all();
  const responses = await all();
  expect(responses.map(({ body }) => body)).toEqual(pages);
  expect(responses.filter(({ how }) => !how.startsWith("hit"))).toEqual([]);
});
