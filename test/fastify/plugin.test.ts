import { Readable } from "node:stream";
import Fastify, { type FastifyRequest } from "fastify";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type HttpCacheOptions, httpCacheFastify } from "../../src/fastify/index.js";
import { hit, ownCache, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };

describe("a reply is stored and answered", () => {
  it("as an object, a text, bytes, a stream, a web stream and a Response", async () => {
    const kinds: Record<string, () => unknown> = {
      object: () => ({ a: "ä" }),
      text: () => "tëxt",
      bytes: () => Buffer.from([0, 255, 1]),
      stream: () => Readable.from(["a", "b", "c"]),
      web: () => new Response("web").body,
      response: () => new Response("resp", { headers: { "x-own": "1", ...FRESH } }),
    };
    const { app, get } = await testApp();
    let runs = 0;
    app.get<{ Params: { kind: string } }>("/:kind", (request, reply) => {
      runs++;
      reply.headers(FRESH).send(kinds[request.params.kind]?.());
    });
    for (const kind of Object.keys(kinds)) {
      runs = 0;
      const first = await get(`/${kind}`);
      expect([kind, first.how]).toEqual([kind, expect.stringContaining("fwd=uri-miss")]);
      const second = await hit(() => get(`/${kind}`));
      expect([kind, second.body, runs]).toEqual([kind, first.body, 1]);
      expect(second.headers.get("content-type")).toBe(first.headers.get("content-type"));
      expect(second.headers.get("age")).toMatch(/^\d+$/);
    }
  });

  it("and one that says nothing of caching is passed on as it is", async () => {
    const { app, get } = await testApp();
    app.get("/", () => ({ a: 1 }));
    const got = await get("/");
    expect(got).toMatchObject({ status: 200, body: '{"a":1}', how: expect.stringContaining("fwd=uri-miss") });
    expect(got.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(got.headers.get("content-length")).toBe("7");
    expect((await get("/")).how).not.toContain("hit");
  });

  it("with the type of the handler, also where Fastify would add to it", async () => {
    const { app, get } = await testApp();
    const types = { "/json": "application/json", "/odd": "x-odd/type" };
    for (const [path, type] of Object.entries(types)) {
      app.get(path, (_request, reply) => reply.headers(FRESH).type(type).send(Buffer.from("{}")));
    }
    for (const [path, type] of Object.entries(types)) {
      expect((await get(path)).headers.get("content-type")).toBe(type);
      const stored = await hit(() => get(path));
      expect([stored.headers.get("content-type"), stored.headers.get("content-length")]).toEqual([type, "2"]);
    }
  });

  it("after serialisation by a schema, which hits don't repeat", async () => {
    const { app, get } = await testApp();
    const schema = { response: { 200: { type: "object", properties: { a: { type: "string" } } } } };
    app.get("/", { schema }, (_request, reply) => reply.headers(FRESH).send({ a: 1, secret: 2 }));
    expect((await get("/")).body).toBe('{"a":"1"}');
    expect((await hit(() => get("/"))).body).toBe('{"a":"1"}');
  });

  it("also where an async handler sends and returns nothing", async () => {
    const { app, get } = await testApp();
    app.get<{ Params: { control: string } }>("/:control", async (request, reply) => {
      reply.header("cache-control", request.params.control).send({ a: 1 });
    });
    for (const control of ["max-age=60", "no-store"]) {
      expect(await get(`/${control}`)).toMatchObject({ status: 200, body: '{"a":1}' });
    }
    expect((await hit(() => get("/max-age=60"))).body).toBe('{"a":1}');
  });

  it("for requests by inject, too", async () => {
    const { app } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(FRESH).send(`run ${++runs}`));
    const ask = async () => {
      const { statusCode, body, headers } = await app.inject({ url: "/", headers: { host: "shop.example" } });
      return { status: statusCode, body, headers: new Headers(), how: String(headers["cache-status"]).slice(19) };
    };
    await ask();
    expect((await hit(ask)).body).toBe("run 1");
    expect(await app.httpCache.purge("http://shop.example/")).toBe(1);
    expect((await ask()).body).toBe("run 2");
  });
});

describe("requests and replies of other kinds", () => {
  it("a HEAD that Fastify routes to a GET is answered from the stored response", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => {
      runs++;
      return reply.headers(FRESH).send("12345");
    });
    const asked = await get("/", { method: "HEAD" });
    expect([asked.status, asked.headers.get("content-length"), runs]).toEqual([200, "5", 1]);
    await get("/");
    expect((await hit(() => get("/", { method: "HEAD" }))).body).toBe("");
    expect((await get("/")).body).toBe("12345");
  });

  it("OPTIONS and POST bypass the cache, and a POST ends what is stored", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(FRESH).send(`run ${++runs}`));
    app.post("/", (request) => ({ got: request.body }));
    app.options("/", (_request, reply) => reply.code(204).header("allow", "GET").send());
    await get("/");
    await hit(() => get("/"));
    const options = await get("/", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow"), options.how]).toEqual([204, "GET", "fwd=method"]);
    expect((await get("/")).body).toBe("run 1");
    const post = await get("/", { method: "POST", body: '{"a":1}', headers: { "content-type": "application/json" } });
    expect([post.body, post.how]).toEqual(['{"got":{"a":1}}', "fwd=method"]);
    expect((await get("/")).body).toBe("run 2");
  });

  it("an unknown path is answered by the handler for it, and stored where that allows it", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.setNotFoundHandler((_request, reply) => reply.code(404).headers(FRESH).send(`none ${++runs}`));
    expect(await get("/x")).toMatchObject({ status: 404, body: "none 1" });
    expect(await hit(() => get("/x"))).toMatchObject({ status: 404, body: "none 1" });
  });

  it("a redirect is stored where it allows it", async () => {
    const { app, get } = await testApp();
    app.get("/", (_request, reply) => reply.headers(FRESH).redirect("/other", 301));
    await get("/", { redirect: "manual" });
    const got = await hit(() => get("/", { redirect: "manual" }));
    expect([got.status, got.headers.get("location")]).toEqual([301, "/other"]);
  });

  it("trailers are sent, and their response is not stored", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => {
      reply.trailer("x-sum", async () => "abc");
      return reply.headers(FRESH).send(`run ${++runs}`);
    });
    expect((await get("/")).headers.get("trailer")).toBe("x-sum");
    expect(await get("/")).toMatchObject({ body: "run 2", status: 200 });
  });

  it("a reply that is hijacked, or written past Fastify, is the handler's own, and no request waits for it", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/hijacked", (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, FRESH);
      reply.raw.write(`run ${++runs}`);
      setImmediate(() => reply.raw.end());
    });
    app.get("/raw", (_request, reply) => {
      reply.raw.setHeader("cache-control", "max-age=60");
      reply.raw.end(`run ${++runs}`);
    });
    for (const path of ["/hijacked", "/raw"]) {
      runs = 0;
      const answers = await Promise.all([get(path), get(path), get(path)]);
      expect(answers.map(({ body }) => body).sort()).toEqual(["run 1", "run 2", "run 3"]);
      expect(answers.map(({ how }) => how)).toEqual(["", "", ""]);
    }
  });

  it("a hijacked POST that succeeds ends what is stored", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(FRESH).send(`run ${++runs}`));
    app.post("/", (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(204).end();
    });
    await get("/");
    await hit(() => get("/"));
    await get("/", { method: "POST" });
    await vi.waitFor(async () => expect((await get("/")).body).toBe("run 2"));
  });

  it("events of a server are passed on as they are made, and not stored", async () => {
    const { app, url } = await testApp();
    let sent = (_event: string): void => {};
    app.get("/", (_request, reply) => {
      const events = new Readable({ read() {} });
      sent = (event) => events.push(event);
      events.push("data: 1\n\n");
      return reply.headers(FRESH).type("text/event-stream").send(events);
    });
    const response = await fetch(await url());
    const reader = response.body?.getReader();
    const next = async () => new TextDecoder().decode((await reader?.read())?.value);
    expect(await next()).toBe("data: 1\n\n");
    sent("data: 2\n\n");
    expect(await next()).toBe("data: 2\n\n");
    expect(response.headers.get("cache-status")).toContain("fwd=uri-miss");
    await reader?.cancel();
  });

  it("early hints go to the client before the response, which is stored without them", async () => {
    const { app, get } = await testApp();
    app.get("/", (_request, reply) => {
      reply.writeEarlyHints({ link: "</a.css>; rel=preload" });
      return reply.headers(FRESH).send("page");
    });
    expect((await get("/")).body).toBe("page");
    const stored = await hit(() => get("/"));
    expect([stored.body, stored.headers.get("link")]).toEqual(["page", null]);
  });

  it("an answer without a body has none from the store", async () => {
    const { app, get } = await testApp();
    app.get("/", (_request, reply) => reply.code(204).headers(FRESH).send());
    await get("/");
    expect(await hit(() => get("/"))).toMatchObject({ status: 204, body: "" });
  });
});

describe("errors", () => {
  it("of a handler are not stored, and a stale response replaces them where it may", async () => {
    const { app, get } = await testApp({ options: { retryAfter: 0 } });
    let runs = 0;
    app.setErrorHandler((_error, _request, reply) => reply.code(500).send("sorry"));
    app.get("/", (_request, reply) => {
      if (++runs > 1) throw new Error("broken");
      return reply.headers({ "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' }).send("page");
    });
    app.get("/broken", (_request, reply) => {
      reply.headers(FRESH);
      throw new Error("broken");
    });
    await get("/");
    for (let i = 0; i < 2; i++) expect(await get("/broken")).toMatchObject({ status: 500, body: "sorry" });
    await vi.waitFor(async () => expect((await get("/")).body).toBe("page"));
    expect(runs).toBeGreaterThan(1);
  });

  it("about one request are not stored, whatever the handler has set before, and replace no stale response", async () => {
    const { app, get } = await testApp();
    let runs = 0;
    app.get("/", (_request, reply) => {
      reply.headers({ "cache-control": "max-age=0, stale-if-error=60", etag: '"1"' });
      if (++runs > 1) throw Object.assign(new Error("forbidden"), { statusCode: 403 });
      return reply.send("page");
    });
    app.get("/403", (_request, reply) => {
      runs++;
      reply.headers(FRESH);
      throw Object.assign(new Error("forbidden"), { statusCode: 403 });
    });
    await get("/");
    expect((await get("/")).status).toBe(403);
    runs = 0;
    for (let i = 0; i < 2; i++) expect((await get("/403")).status).toBe(403);
    expect(runs).toBe(2);
  });

  it("that say that there is nothing are stored by the option negativeTtl", async () => {
    const { app, get } = await testApp({ options: { negativeTtl: "1m" } });
    let runs = 0;
    app.get("/", () => {
      runs++;
      throw Object.assign(new Error("gone"), { statusCode: 404 });
    });
    await get("/");
    expect((await hit(() => get("/"))).status).toBe(404);
    expect(runs).toBe(1);
  });

  it("of a stream that fails before its first byte reach the error handler", async () => {
    const { app, get } = await testApp();
    app.setErrorHandler((error, _request, reply) => reply.code(503).send(String(error)));
    app.get<{ Params: { control: string } }>("/:control", (request, reply) => {
      const body = new Readable({ read() {} });
      setImmediate(() => body.destroy(new Error("broken")));
      return reply.header("cache-control", request.params.control).send(body);
    });
    for (const control of ["max-age=60", "no-store"]) {
      expect(await get(`/${control}`)).toMatchObject({ status: 503, body: "Error: broken" });
    }
  });

  it("of a keyGenerator are the request's", async () => {
    const keyGenerator = (): string => {
      throw new Error("no key");
    };
    const { app, get } = await testApp({ options: { keyGenerator } });
    app.get("/", () => "page");
    expect(await get("/")).toMatchObject({ status: 500, body: expect.stringContaining("no key") });
  });

  it("of a handler that takes too long by Fastify's own limit don't wait for it", async () => {
    const { app, get } = await testApp();
    const reasons: unknown[] = [];
    app.get("/", { handlerTimeout: 20 }, ({ signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return new Promise(() => {});
    });
    for (let i = 0; i < 2; i++) expect((await get("/")).status).toBe(503);
    expect(reasons).toEqual([
      expect.objectContaining({ code: "FST_ERR_HANDLER_TIMEOUT" }),
      expect.objectContaining({ code: "FST_ERR_HANDLER_TIMEOUT" }),
    ]);
  });
});

describe("the plugin", () => {
  it("covers the context that it is registered in and those inside, and no other", async () => {
    const cache = ownCache();
    const app = Fastify();
    onTestFinished(() => app.close());
    app.get("/outside", (_request, reply) => reply.headers(FRESH).send("outside"));
    await app.register(async (shop) => {
      await shop.register(httpCacheFastify, { cache });
      shop.get("/inside", (_request, reply) => reply.headers(FRESH).send("inside"));
      shop.register(async (deep) => {
        deep.get("/deep", (_request, reply) => reply.headers(FRESH).send("deep"));
      });
    });
    const statusOf = async (url: string) => (await app.inject(url)).headers["cache-status"];
    expect(await statusOf("/outside")).toBeUndefined();
    expect(await statusOf("/inside")).toContain("fwd=uri-miss");
    expect(await statusOf("/deep")).toContain("fwd=uri-miss");
    expect("httpCache" in app).toBe(false);
  });

  it("works twice with different options, in contexts side by side and inside each other", async () => {
    const cache = ownCache();
    const app = Fastify();
    onTestFinished(() => app.close());
    let runs = 0;
    await app.register(async (one) => {
      await one.register(httpCacheFastify, { cache, cacheName: "one", cacheControl: "max-age=60" });
      one.get("/one", async () => `run ${++runs}`);
      await one.register(async (two) => {
        await two.register(httpCacheFastify, { cache, cacheName: "two", cacheControl: "max-age=120" });
        expect(two.httpCache).not.toBe(one.httpCache);
        two.get("/two", async () => `run ${++runs}`);
      });
    });
    const get = async (url: string) => {
      const { body, headers } = await app.inject({ url, headers: { host: "a.example" } });
      return [body, headers["cache-status"]];
    };
    for (const [path, body] of [
      ["/one", "run 1"],
      ["/two", "run 2"],
    ] as const) {
      expect((await get(path))[0]).toBe(body);
      await vi.waitFor(async () => expect(await get(path)).toEqual([body, expect.stringMatching(/^one; hit/)]));
    }
  });

  it("does nothing where the same cache is around it already, and warns once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const cache = ownCache();
    const { app, get } = await testApp({ options: { cache } });
    await app.register(httpCacheFastify, { cache });
    app.get("/twice", (_request, reply) => reply.headers(FRESH).send("page"));
    for (let i = 0; i < 2; i++) expect((await get("/twice?a")).headers.get("cache-status")).not.toContain(",");
    expect((await hit(() => get("/twice"))).body).toBe("page");
    expect(warn.mock.calls).toEqual([[expect.stringContaining("httpCacheFastify is registered twice for GET /twice")]]);
  });

  it.each<[string, object]>([
    ['option "cache" is missing', {}],
    ['option "cache" is "x"', { cache: "x" }],
    ['unknown option "tll"', { cache: ownCacheOnce(), tll: 1 }],
    ['"grace"', { cache: ownCacheOnce(), grace: -1 }],
  ])("refuses wrong options when the application gets ready: %s", async (message, options) => {
    const app = Fastify();
    app.register(httpCacheFastify, options as HttpCacheOptions);
    await expect(app.ready()).rejects.toThrow(message);
  });
});

/** For options that are refused: nothing is sent through it. */
function ownCacheOnce() {
  return { for: () => {}, makeKey: () => "" };
}

describe("a route's config", () => {
  it("goes before the options of the plugin, and those for URLs", async () => {
    const { app, cache, get } = await testApp({ options: { cacheControl: "max-age=1", routes: { "/*": { ttl: 1 } } } });
    app.get("/", { config: { httpCache: { ttl: "1h", tags: ["home"], vary: "accept" } } }, async () => "page");
    app.get("/own", { config: { httpCache: { cacheControl: "max-age=600" } } }, async () => "own");
    await get("/own");
    const own = await hit(() => get("/own"));
    expect([own.headers.get("cache-control"), own.how]).toEqual([
      "max-age=600",
      expect.stringMatching(/ttl=(600|59\d)/),
    ]);
    const first = await get("/");
    expect(first.headers.get("vary")).toBe("accept");
    await hit(() => get("/"));
    await cache.purgeTags(["home"]);
    expect((await get("/")).how).not.toContain("hit");
  });

  it("false takes a route out of the cache", async () => {
    const { app, get } = await testApp();
    app.get("/", { config: { httpCache: false } }, (_request, reply) => reply.headers(FRESH).send("page"));
    for (let i = 0; i < 2; i++) expect((await get("/")).headers.get("cache-status")).toBeNull();
  });

  it("is refused when the route is added, where it is wrong", async () => {
    const { app } = await testApp();
    const add = (httpCache: object) => () => app.get("/x", { config: { httpCache } }, async () => "");
    expect(add({ tll: 1 })).toThrow('config.httpCache of /x: unknown option "tll"');
    expect(add({ ttl: -1 })).toThrow("config.httpCache of /x");
  });
});

it("a route for PURGE purges the URL that the client asked for, for clients that may", async () => {
  const { app, get } = await testApp();
  app.addHttpMethod("PURGE");
  const authorize = ({ headers }: FastifyRequest): boolean => headers.authorization === "Bearer purger";
  app.route({ method: "PURGE", url: "/*", handler: app.httpCache.purgeRoute({ authorize }) });
  app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
  await get("/");
  await hit(() => get("/"));
  const refused = await get("/", { method: "PURGE" });
  expect([refused.status, refused.headers.get("cache-control")]).toEqual([403, "no-store"]);
  const purged = await get("/", { method: "PURGE", headers: { authorization: "Bearer purger" } });
  expect([purged.status, purged.body]).toEqual([200, '{"purged":1}']);
  expect((await get("/")).how).not.toContain("hit");
  expect(() => app.httpCache.purgeRoute({} as never)).toThrow(/authorize/);
});
