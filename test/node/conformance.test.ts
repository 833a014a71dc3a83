import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { open, SERVERS } from "./servers.js";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

type Req = IncomingMessage;
type Res = ServerResponse;

describe.each(SERVERS)("httpCacheNode in $name", (kind) => {
  it("stores a response that allows it, and answers the next request from the store", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.end(`call ${++calls}`);
    });
    const first = await app.get();
    expect([first.status, first.body, first.how]).toEqual([200, "call 1", "fwd=uri-miss; stored"]);
    const second = await app.get();
    expect([second.status, second.body, second.how]).toEqual([200, "call 1", "hit; ttl=59"]);
    expect(second.headers.get("content-length")).toBe("6");
  });

  it("passes on a response that allows no storing, with its own fields", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.writeHead(201, { "Content-Type": "text/plain", "Set-Cookie": ["a=1", "b=2"] });
      res.write(`call ${++calls}`);
      res.end(" end");
    });
    await app.get();
    const got = await app.get();
    expect([got.status, got.body, got.how]).toEqual([201, "call 2 end", "fwd=uri-miss"]);
    expect(got.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  it("answers a stale response at once, and refreshes it in the background through the application", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=0, stale-while-revalidate=60");
      res.end(`call ${++calls}`);
    });
    await app.get();
    expect((await app.get()).body).toBe("call 1");
    await until(async () => (await app.get()).body === "call 2", { what: "the refreshed response" });
  });

  it("answers a HEAD from a stored GET", async () => {
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.end("body");
    });
    await app.get();
    const got = await app.get("/", { method: "HEAD" });
    expect([got.status, got.body, got.how]).toEqual([200, "", "hit; ttl=59"]);
    expect(got.headers.get("content-length")).toBe("4");
  });

  it("purges a URL", async () => {
    let calls = 0;
    await using app = await open(kind, { cache }, (_req: Req, res: Res) => {
      res.setHeader("Cache-Control", "max-age=60");
      res.end(`call ${++calls}`);
    });
    await app.get("/page");
    const scheme = kind.name.includes("TLS") ? "https" : "http";
    expect(await app.http.purge(`${scheme}://127.0.0.1:${app.port}/page`)).toBe(1);
    expect((await app.get("/page")).body).toBe("call 2");
  });
});
