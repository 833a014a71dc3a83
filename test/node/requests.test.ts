import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect as connectHttp2, type Http2ServerRequest } from "node:http2";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { type Cache, ConfigurationError, createCache } from "../../src/index.js";
import { httpCacheNode } from "../../src/node/index.js";
import { HOST } from "../support/ports.js";
import { until } from "../support/wait.js";
import { open, SERVERS } from "./servers.js";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

type Req = IncomingMessage;
type Res = ServerResponse;

const HTTP1 = SERVERS.filter(({ isHttp1 }) => isHttp1);
const echo = (req: Req, res: Res): void => {
  res.setHeader("Cache-Control", "max-age=60");
  res.setHeader("Content-Type", "application/json");
  const { url, headers, rawHeaders, headersDistinct } = req;
  res.end(JSON.stringify([url, headers, rawHeaders, headersDistinct]));
};

/** Sends bytes as they are. @returns what has come back until the server has closed the connection */
async function sendText(port: number, text: string): Promise<string> {
  const socket = connect(port, HOST);
  // An end of the connection's half would count as a client that leaves.
  socket.write(text);
  let got = "";
  for await (const chunk of socket) got += chunk;
  return got;
}

describe.each(SERVERS)("a request that handlers of $name see", (kind) => {
  it("has none of the fields that are not in the key, in no form", async () => {
    await using app = await open(kind, { cache }, echo);
    const headers = {
      "x-forwarded-host": "evil",
      forwarded: "host=evil",
      "if-none-match": '"evil"',
      range: "bytes=evil",
      "x-kept": "kept",
    };
    const { body } = await app.get("/", { headers });
    expect(body).toContain("kept");
    expect(body).not.toContain("evil");
  });

  it("is the client's own again for outer middleware, once the response has ended", async () => {
    const seen: unknown[] = [];
    const watch = (req: Req, res: Res, next: () => void): void => {
      res.on("close", () => setImmediate(() => seen.push(req.headers["x-forwarded-host"])));
      next();
    };
    await using app = await open(kind, { cache, outside: [watch] }, echo);
    await app.get("/", { headers: { "x-forwarded-host": "proxy" } });
    await until(() => seen.length > 0, { what: "the end of the response" });
    expect(seen).toEqual(["proxy"]);
  });

  it("bypasses the cache when it has a body", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, async (req: Req, res: Res) => {
      let body = "";
      for await (const chunk of req) body += chunk;
      res.setHeader("Cache-Control", "max-age=60");
      res.end(`${body} ${++calls}`);
    });
    for (const call of [1, 2]) {
      const got = await app.get("/", { body: "query" });
      expect([got.body, got.how]).toEqual([`query ${call}`, "fwd=bypass"]);
    }
    const posted = await app.get("/", { method: "POST", body: "form" });
    expect([posted.body, posted.how]).toEqual(["form 3", "fwd=method"]);
  });

  it("that is unsafe ends what is stored for its URL", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.end(`call ${++calls}`);
    });
    await app.get();
    await app.get("/", { method: "DELETE" });
    expect((await app.get()).body).toBe("call 3");
  });

  it("for OPTIONS is passed on", async () => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Allow", "GET");
      res.end();
    });
    const got = await app.get("/", { method: "OPTIONS" });
    expect([got.status, got.headers.get("allow"), got.how]).toEqual([200, "GET", "fwd=method"]);
  });

  it("has the key that keyGenerator makes, in background refreshes, too", async () => {
    let calls = 0;
    const keyGenerator = (req: { headers: Record<string, unknown> }) => `tenant ${String(req.headers["x-tenant"])}`;
    await using app = await open(kind, { cache, keyGenerator }, (req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=0, stale-while-revalidate=60");
      res.end(`${String(req.headers["x-tenant"])} ${++calls}`);
    });
    const get = (tenant: string) => app.get("/", { headers: { "x-tenant": tenant } });
    expect((await get("a")).body).toBe("a 1");
    expect((await get("b")).body).toBe("b 2");
    await until(async () => !["a 1"].includes((await get("a")).body), { what: "a refresh" });
    expect((await get("a")).body).toMatch(/^a /);
    expect(await app.http.purge("tenant a")).toBe(1);
  });

  it("is answered by PURGE routes as the function says that authorises them", async () => {
    const route = { current: (_req: Req, _res: Res, next: () => void): unknown => next() };
    const outside = [(req: Req, res: Res, next: () => void) => route.current(req, res, next)];
    await using app = await open(kind, { cache, outside }, echo);
    const authorize = (req: { headers: Record<string, unknown> }): boolean => req.headers.authorization === "yes";
    route.current = app.http.purgeRoute({ authorize });
    await app.get("/page");
    const purge = (authorization: string) => app.get("/page", { method: "PURGE", headers: { authorization } });
    expect((await purge("no")).status).toBe(403);
    expect([(await purge("yes")).body, (await purge("yes")).body]).toEqual(['{"purged":1}', '{"purged":0}']);
    expect((await app.get("/page")).how).toBe("fwd=uri-miss; stored");
  });

  it("that something outside answers in the place of a background refresh is validated in the foreground", async () => {
    let calls = 0;
    const errors: unknown[] = [];
    const guard = (req: Req, res: Res, next: () => void): unknown => {
      if (req.headers["x-user"]) return next();
      res.statusCode = 401;
      return res.end();
    };
    const options = { cache, outside: [guard], onError: (error: unknown) => errors.push(error) };
    await using app = await open(kind, options, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=0, stale-while-revalidate=60");
      res.end(`call ${++calls}`);
    });
    const get = () => app.get("/", { headers: { "x-user": "u" } });
    await get();
    expect((await get()).body).toBe("call 1");
    await until(() => errors.length > 0, { what: "the error" });
    expect(String(errors[0])).toContain("a background refresh did not reach httpCacheNode");
    await until(async () => (await get()).body !== "call 1", { what: "a validation in the foreground" });
  });
});

describe.each(HTTP1)("a request line of HTTP/1.1 to $name", (kind) => {
  it.each([
    ["another Host than its target", "GET http://shop.example/x HTTP/1.1\r\nHost: evil.example"],
    ["a Host with a path", "GET /x HTTP/1.1\r\nHost: shop.example/evil?"],
    ["a Host with user information", "GET /x HTTP/1.1\r\nHost: evil@shop.example"],
    ["a path that is normalised", "GET /evil/../x HTTP/1.1\r\nHost: shop.example"],
    ["a fragment", "GET /x#evil HTTP/1.1\r\nHost: shop.example"],
    ["another case and port", "GET /x HTTP/1.1\r\nHost: SHOP.EXAMPLE:80"],
  ])("with %s stores nothing of it for others", async (_what, head) => {
    await using app = await open(kind, { cache }, echo);
    const attacked = await sendText(app.port, `${head}\r\nConnection: close\r\n\r\n`);
    expect(attacked).toMatch(/^HTTP\/1\.1 200 /);
    const normal = "GET /x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    expect(await sendText(app.port, normal)).not.toMatch(/evil|SHOP/);
    expect(await sendText(app.port, normal)).toMatch(/cache-status: valkey-edge-cache; hit/i);
  });

  it.each(["*", "http://", "//"])("with the target %s never fails", async (target) => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => res.end("answered"));
    for (const method of ["GET", "OPTIONS", "POST"]) {
      const text = `${method} ${target} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      expect(await sendText(app.port, text)).toMatch(/^HTTP\/1\.1 (?:200|400|404) /);
    }
  });

  it("that upgrades the connection reaches the server's own listener", async () => {
    await using app = await open(kind, { cache }, echo);
    app.server.on("upgrade", (_req, socket) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
    });
    const text = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    expect(await sendText(app.port, text)).toMatch(/^HTTP\/1\.1 101 .*hello$/s);
  });
});

describe("HTTP/2", () => {
  it("shows handlers the target that is in the key, in all pseudo-header fields", async () => {
    const kind = SERVERS.find(({ name }) => name === "node:http2");
    if (!kind) throw new Error("there is no such server");
    await using app = await open(kind, { cache }, (req: Http2ServerRequest, res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.end(JSON.stringify([req.authority, req.scheme, req.headers[":authority"], req.headers.host, req.url]));
    });
    const session = connectHttp2(`http://${HOST}:${app.port}`);
    const fields = { ":path": "/x", ":authority": "SHOP.example:80", ":scheme": "https", host: "evil.example" };
    const stream = session.request(fields).setEncoding("utf8");
    let body = "";
    for await (const chunk of stream) body += chunk;
    session.close();
    expect(JSON.parse(body)).toEqual(["shop.example", "http", "shop.example", "shop.example", "/x"]);
    await once(session, "close");
  });
});

describe("httpCacheNode", () => {
  it.each([
    [{}, 'httpCacheNode: option "cache" is missing'],
    [{ cache: {} }, '"cache"'],
    [{ cacheControll: "x" }, '"cacheControll"'],
    [{ app: "x" }, '"app"'],
    [{ defaultTtl: "soon" }, '"defaultTtl"'],
    [{ routes: { "/x": { ttl: -1 } } }, '"/x"'],
  ])("refuses the options %o", (options, message) => {
    const given = "cache" in options || Object.keys(options).length === 0 ? options : { cache, ...options };
    expect(() => httpCacheNode(given as never)).toThrow(ConfigurationError);
    expect(() => httpCacheNode(given as never)).toThrow(message);
  });

  it("refuses a PURGE route without a function that authorises it", () => {
    expect(() => httpCacheNode({ cache }).purgeRoute({} as never)).toThrow(ConfigurationError);
  });

  const [plain] = SERVERS.filter(({ name }) => name === "node:http");
  const failures: [string, () => unknown][] = [
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ];

  it.each(failures)("answers 500 for a wrapped listener that %s, and calls onError", async (_how, fail) => {
    if (!plain) throw new Error("there is no such server");
    const onError = vi.fn();
    await using app = await open(plain, { cache, onError }, fail);
    expect((await app.get()).status).toBe(500);
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ message: "broken" }), {
      method: "handler",
      key: "/",
    });
    expect(onError).toHaveBeenCalledTimes(1);
  });

  it.each(failures)("answers from the store where a wrapped listener %s", async (_how, fail) => {
    if (!plain) throw new Error("there is no such server");
    let isBroken = false;
    const options = { cache, staleIfError: "1h", onError: () => {} } as const;
    await using app = await open(plain, options, (_req: Req, res: Res) => {
      if (isBroken) return fail();
      res.setHeader("Cache-Control", "max-age=0");
      return res.end("page");
    });
    await app.get();
    isBroken = true;
    expect((await app.get()).body).toBe("page");
  });
});
