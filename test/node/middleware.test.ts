import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import compression from "compression";
import createConnect from "connect";
import cors from "cors";
import express from "express";
import express4 from "express-4";
import session from "express-session";
import helmet from "helmet";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { httpCacheNode, type NodeListener } from "../../src/node/index.js";
import { toGot } from "../hono/app.js";
import { HOST } from "../support/ports.js";
import { until } from "../support/wait.js";
import { begin, open, SERVERS } from "./servers.js";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

type Req = IncomingMessage;
type Res = ServerResponse;

const HTTP1 = SERVERS.filter(({ isHttp1 }) => isHttp1);

async function listen(app: NodeListener) {
  const server = createServer(app).listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${HOST}:${port}`,
    get: async (path: string, init?: RequestInit) => toGot(await fetch(`http://${HOST}:${port}${path}`, init)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const TEXT = "text ".repeat(1_000);

describe("a handler that throws once it has set a lifetime", () => {
  const fails = (_req: Req, res: Res) => {
    runs++;
    res.setHeader("Cache-Control", "public, max-age=60");
    throw new Error("the database is gone");
  };
  let runs = 0;
  const quiet = (_error: unknown, _req: Req, res: Res, _next: () => void) => {
    res.statusCode = 503;
    res.end("try again");
  };
  beforeEach(() => {
    runs = 0;
    vi.spyOn(console, "error").mockImplementation(() => {});
  });

  it.each<[string, () => NodeListener]>([
    ["Express 5", () => express().use(httpCacheNode({ cache }), fails)],
    ["Express 5, with error middleware", () => express().use(httpCacheNode({ cache }), fails).use(quiet)],
    ["Express 4", () => express4().use(httpCacheNode({ cache }), fails)],
    ["Express 4, with error middleware", () => express4().use(httpCacheNode({ cache }), fails).use(quiet)],
    ["Connect", () => createConnect().use(httpCacheNode({ cache })).use(fails)],
    ["Connect, with error middleware", () => createConnect().use(httpCacheNode({ cache })).use(fails).use(quiet)],
    ["node:http", () => httpCacheNode({ cache, onError: () => {} }).wrap(fails)],
  ])("stores no error for that time: %s", async (_name, make) => {
    await using app = await listen(make());
    for (let asked = 1; asked <= 2; asked++) {
      expect((await app.get("/")).status).toBeGreaterThanOrEqual(500);
      expect(runs).toBe(asked);
    }
  });

  it.each<[string, (res: Res) => unknown]>([
    ["after the status", (res) => Object.assign(res, { statusCode: 503 }).setHeader("Cache-Control", "max-age=60")],
    ["with the head", (res) => res.writeHead(503, { "Cache-Control": "max-age=60" })],
  ])("is not one that gives an error a lifetime of its own, %s", async (_name, begin503) => {
    const handler = (_req: Req, res: Res) => {
      runs++;
      begin503(res);
      res.end("closed until noon");
    };
    await using app = await listen(express().use(httpCacheNode({ cache }), handler));
    for (let asked = 1; asked <= 2; asked++) expect((await app.get("/")).body).toBe("closed until noon");
    expect(runs).toBe(1);
  });
});

describe.each(HTTP1)("middleware of $name", (kind) => {
  const cacheable = (text: string) => (_req: Req, res: Res) => {
    res.setHeader("Cache-Control", "max-age=60");
    res.setHeader("Content-Type", "text/plain");
    res.end(text);
  };

  async function unzipped(port: number, headers = { "accept-encoding": "gzip" }): Promise<[unknown, string]> {
    const asked = begin(port, "/", { headers }).end();
    const [response] = await once(asked, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const coding = response.headers["content-encoding"];
    return [coding, String(coding === "gzip" ? gunzipSync(body) : body)];
  }

  it.each(["outside", "inside"])("compression %s of the cache codes misses and hits", async (where) => {
    let calls = 0;
    const handler = (req: Req, res: Res) => {
      calls++;
      cacheable(TEXT)(req, res);
    };
    await using app = await open(kind, { cache, [where]: [compression()] }, handler);
    for (let i = 0; i < 3; i++) expect(await unzipped(app.port)).toEqual(["gzip", TEXT]);
    expect(calls).toBe(1);
    expect(await unzipped(app.port, { "accept-encoding": "identity" })).toEqual([undefined, TEXT]);
  });

  it.each(["outside", "inside"])("compression %s of the cache sends what res.flush() is called for", async (where) => {
    let next = (): void => {};
    await using app = await open(
      kind,
      { cache, [where]: [compression({ threshold: 0 })] },
      (_req: Req, res: Res & { flush(): void }) => {
        res.setHeader("Content-Type", "text/event-stream");
        res.write("data: 1\n\n");
        res.flush();
        next = () => res.end("data: 2\n\n");
      },
    );
    const asked = begin(app.port, "/", { headers: { "accept-encoding": "gzip" } }).end();
    const [response] = await once(asked, "response");
    const [first] = await once(response, "data");
    expect(first.length).toBeGreaterThan(0);
    next();
    response.resume();
    await once(response, "end");
  });

  it.each(["outside", "inside"])("compression %s of the cache keeps back-pressure", async (where) => {
    const chunk = Buffer.alloc(200_000, "abc");
    await using app = await open(kind, { cache, [where]: [compression()] }, async (_req: Req, res: Res) => {
      res.setHeader("Content-Type", "text/plain");
      res.setHeader("Cache-Control", "max-age=60");
      for (let i = 0; i < 50; i++) if (!res.write(chunk)) await once(res, "drain");
      res.end();
    });
    for (let i = 0; i < 2; i++) expect((await unzipped(app.port))[1].length).toBe(10_000_000);
  });

  it("fields of outer middleware are each client's own", async () => {
    let id = 0;
    const identify = (_req: Req, res: Res, next: () => void): void => {
      res.setHeader("X-Request-Id", ++id);
      res.setHeader("Set-Cookie", [`a=${id}`, `b=${id}`]);
      next();
    };
    await using app = await open(kind, { cache, outside: [identify, helmet(), cors()] }, cacheable("page"));
    for (const expected of [1, 2]) {
      const { headers, how } = await app.get();
      expect(how.startsWith("hit")).toBe(expected === 2);
      expect([headers.get("x-request-id"), headers.getSetCookie(), headers.get("access-control-allow-origin")]).toEqual(
        [String(expected), [`a=${expected}`, `b=${expected}`], "*"],
      );
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  it("directives of outer middleware count as the response's own", async () => {
    const never = (_req: Req, res: Res, next: () => void): void => {
      res.setHeader("Cache-Control", "no-store");
      next();
    };
    await using app = await open(kind, { cache, outside: [never] }, cacheable("page"));
    await app.get();
    const { headers, how } = await app.get();
    expect([how, headers.get("cache-control")]).toEqual(["fwd=bypass", "max-age=60, no-store"]);
  });

  it("express-session outside of the cache saves its session, and no other client gets its cookie", async () => {
    const sessions = session({ secret: "s", resave: false, saveUninitialized: true });
    await using app = await open(kind, { cache, outside: [sessions] }, cacheable("page"));
    const first = await app.get();
    const second = await app.get();
    expect([first.body, second.body, second.how]).toEqual(["page", "page", "hit; ttl=59"]);
    expect(first.headers.getSetCookie()[0]).toMatch(/^connect\.sid=/);
    expect(second.headers.getSetCookie()[0]).not.toBe(first.headers.getSetCookie()[0]);
  });

  it("loggers outside of the cache see the status and the size of what was sent", async () => {
    const lines: unknown[] = [];
    const log = (req: Req, res: Res, next: () => void): void => {
      res.on("finish", () => lines.push([req.url, res.statusCode, res.getHeader("content-length")]));
      next();
    };
    await using app = await open(kind, { cache, outside: [log] }, (_req: Req, res: Res) => {
      res.setHeader("ETag", '"a"');
      cacheable("page")(_req, res);
    });
    await app.get();
    await app.get();
    await app.get("/", { headers: { "if-none-match": '"a"' } });
    await until(() => lines.length === 3, { what: "three lines" });
    expect(lines.map((line) => String((line as unknown[])[1]))).toEqual(["200", "200", "304"]);
  });
});

describe.each([
  ["Express 5", express],
  ["Express 4", express4],
])("%s", (name, make) => {
  it("error handlers answer what handlers throw, and a stale response replaces it", async () => {
    let fails = false;
    const app = make();
    app.use(httpCacheNode({ cache, staleIfError: "1h" }));
    app.get("/", (_req, res) => {
      if (fails) throw new Error("broken");
      res.set("Cache-Control", "max-age=0").send("page");
    });
    app.get("/never", (_req, _res, next) => next(new Error("broken")));
    app.use(((_error, _req, res, _next) => {
      res.status(500).send("sorry");
    }) satisfies express.ErrorRequestHandler);
    await using server = await listen(app);
    expect((await server.get("/")).body).toBe("page");
    fails = true;
    expect((await server.get("/")).body).toBe("page");
    const failed = await server.get("/never");
    expect([failed.status, failed.body, failed.how]).toEqual([500, "sorry", "fwd=uri-miss"]);
  });

  it("sendFile() and its ranges, conditions and errors work, and files are stored", async () => {
    const app = make();
    app.use(httpCacheNode({ cache }));
    const file = fileURLToPath(new URL("../../package.json", import.meta.url));
    app.get("/file", (_req, res) => res.sendFile(file, { maxAge: 60_000 }));
    app.get("/none", (_req, res) => res.sendFile(`${file}.none`));
    await using server = await listen(app);
    const first = await server.get("/file");
    const second = await server.get("/file");
    expect([second.body, second.how.startsWith("hit")]).toEqual([first.body, true]);
    const etag = second.headers.get("etag") ?? "";
    expect((await server.get("/file", { headers: { "if-none-match": etag } })).status).toBe(304);
    const part = await server.get("/file", { headers: { range: "bytes=0-9" } });
    expect([part.status, part.body]).toEqual([206, first.body.slice(0, 10)]);
    expect((await server.get("/none")).status).toBe(404);
  });

  it("the key is the whole URL under mounts and routers, and background refreshes find their way back", async () => {
    let calls = 0;
    const seen: string[] = [];
    const page: express.RequestHandler = (req, res) => {
      seen.push(`${req.originalUrl} ${req.baseUrl} ${req.url}`);
      res.set("Cache-Control", "max-age=0, stale-while-revalidate=60").send(`${req.originalUrl} ${++calls}`);
    };
    const http = httpCacheNode({ cache });
    const [app, admin, shop] = [make(), make(), make()];
    const router = make.Router();
    router.get("/page", page);
    admin.use(http);
    admin.use("/deep", router);
    shop.use(http);
    shop.use("/deep", router);
    app.use("/admin", admin);
    app.use("/shop/:id", shop);
    await using server = await listen(app);
    for (const path of ["/admin/deep/page", "/shop/7/deep/page"]) {
      calls = 0;
      expect((await server.get(path)).body).toBe(`${path} 1`);
      await until(async () => (await server.get(path)).body !== `${path} 1`, { what: `a refresh of ${path}` });
      expect(await http.purge(server.url + path)).toBe(1);
    }
    expect(new Set(seen)).toEqual(
      new Set(["/admin/deep/page /admin/deep /page", "/shop/7/deep/page /shop/7/deep /page"]),
    );
  });

  it("a path that leads to a mount as it came, and elsewhere when normalised, bypasses the cache", async () => {
    const app = make();
    const router = make.Router({ mergeParams: true });
    router.use(httpCacheNode({ cache }));
    router.get("/page", (req, res) => {
      const { tenant } = req.params as { tenant?: string };
      res.set("Cache-Control", "max-age=60").send(`page of ${tenant}`);
    });
    app.use("/:tenant", router);
    await using server = await listen(app);
    const asked = begin(server.port, "/%2e/page").end();
    const [response] = await once(asked, "response");
    response.resume();
    expect(response.headers["cache-status"]).toBe("valkey-edge-cache; fwd=bypass");
  });

  it("a route's policy goes before the options of the cache", async () => {
    const app = make();
    const http = httpCacheNode({ cache, defaultTtl: "1h", cacheControl: "max-age=5" });
    app.use(http);
    app.get("/plain", (_req, res) => void res.send("plain"));
    app.get(
      "/policy",
      http.policy({ cacheControl: "max-age=30", vary: "X-Tenant" }),
      (_req, res) => void res.send("own"),
    );
    await using server = await listen(app);
    const fields = async (path: string) => {
      const { headers } = await server.get(path);
      return [headers.get("cache-control"), headers.get("vary")];
    };
    expect([await fields("/plain"), await fields("/policy")]).toEqual([
      ["max-age=5", null],
      ["max-age=30", "X-Tenant"],
    ]);
    expect(() => http.policy({ hosts: [] } as never)).toThrow("httpCacheNode.policy");
  });

  it("handlers see a normalised query everywhere", async () => {
    const app = make();
    app.use(httpCacheNode({ cache, query: { remove: ["utm_*"], sort: true } }));
    app.get("/", (req, res) => {
      res.set("Cache-Control", "max-age=60").json([req.url, req.originalUrl, req.query]);
    });
    await using server = await listen(app);
    const { body } = await server.get("/?b=2&utm_source=evil&a=1");
    expect(JSON.parse(body)).toEqual(["/?a=1&b=2", "/?a=1&b=2", { a: "1", b: "2" }]);
    expect((await server.get("/?a=1&b=2")).how).toBe("hit; ttl=59");
  });

  it("a second cache on one route passes requests through, and warns once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const app = make();
    const http = httpCacheNode({ cache });
    app.use(http);
    const path = `/twice/${name.slice(-1)}`;
    app.get(path, http, (_req, res) => void res.set("Cache-Control", "max-age=60").send("page"));
    await using server = await listen(app);
    await server.get(path);
    expect((await server.get(path)).how).toBe("hit; ttl=59");
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(`httpCacheNode is registered twice for GET ${path}`));
    warn.mockRestore();
  });

  it("what Express derives of the target is the key's, whatever a client sends", async () => {
    const app = make();
    app.set("trust proxy", true);
    app.use(httpCacheNode({ cache }));
    app.get("/", (req, res) => {
      res.set("Cache-Control", "max-age=60").json([req.hostname, req.protocol, req.get("x-forwarded-host")]);
    });
    await using server = await listen(app);
    const evil = { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
    expect(JSON.parse((await server.get("/", { headers: evil })).body)).toEqual([HOST, "http", null]);
  });
});

describe("Connect", () => {
  it("strips the path of a mount, which is in the key", async () => {
    let calls = 0;
    const app = createConnect();
    const http = httpCacheNode({ cache });
    app.use("/mounted", http);
    app.use("/mounted", (req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=0, stale-while-revalidate=60");
      res.end(`${req.url} ${++calls}`);
    });
    await using server = await listen(app);
    expect((await server.get("/mounted/page")).body).toBe("/page 1");
    await until(async () => (await server.get("/mounted/page")).body !== "/page 1", { what: "a refresh" });
    expect(await http.purge(`${server.url}/mounted/page`)).toBe(1);
  });
});
