import compress from "@fastify/compress";
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { httpCacheFastify } from "../../src/fastify/index.js";
import { hit, ownCache, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
const LONG = "long enough to be compressed ".repeat(100);

describe("plugins around the cache", () => {
  it.each([
    ["before", async (app: FastifyInstance) => void (await app.register(compress, { threshold: 0 })), undefined],
    ["after", undefined, async (app: FastifyInstance) => void (await app.register(compress, { threshold: 0 }))],
  ])(
    "@fastify/compress registered %s: each client gets its own coding, and the store has one copy",
    async (_where, before, later) => {
      const { app, cache, get } = await testApp({ ...(before && { before }) });
      await later?.(app);
      let runs = 0;
      app.get("/", (_request, reply) => {
        runs++;
        return reply.headers(FRESH).send(LONG);
      });
      for (const coding of ["gzip", "br", "identity"]) {
        const ask = () => get("/", { headers: { "accept-encoding": coding } });
        expect((await ask()).body).toBe(LONG);
        const stored = await hit(ask);
        expect([stored.body, stored.headers.get("content-encoding")]).toEqual([
          LONG,
          coding === "identity" ? null : coding,
        ]);
      }
      expect([runs, (await cache.keys("*")).length]).toEqual([1, 1]);
    },
  );

  it.each([
    ["before", async (app: FastifyInstance) => void (await app.register(helmet)), undefined],
    ["after", undefined, async (app: FastifyInstance) => void (await app.register(helmet))],
  ])("@fastify/helmet registered %s: its fields are on every response, and once", async (_where, before, later) => {
    const { app, get } = await testApp({ ...(before && { before }) });
    await later?.(app);
    app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
    app.get("/passed", async () => "page");
    const fieldsOf = (headers: Headers) => [headers.get("x-frame-options"), headers.get("x-dns-prefetch-control")];
    const first = await get("/");
    const stored = await hit(() => get("/"));
    const passed = await get("/passed");
    for (const { headers } of [first, stored, passed]) expect(fieldsOf(headers)).toEqual(["SAMEORIGIN", "off"]);
    expect(stored.headers.get("content-security-policy")).toBe(first.headers.get("content-security-policy"));
  });

  it("a nonce of @fastify/helmet before the cache is each client's own", async () => {
    const before = async (app: FastifyInstance) => void (await app.register(helmet, { enableCSPNonces: true }));
    const { app, get } = await testApp({ before });
    app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
    await get("/");
    const [a, b] = [await hit(() => get("/")), await get("/")];
    const nonce = ({ headers }: typeof a) => headers.get("content-security-policy")?.match(/'nonce-[^']+'/)?.[0];
    expect(nonce(a)).toBeTruthy();
    expect(nonce(a)).not.toBe(nonce(b));
  });
});

describe("hooks onSend", () => {
  it("of a context outside run once for a payload, and their fields are each client's own on hits", async () => {
    let sends = 0;
    const { app, get } = await testApp({
      before: (outer) =>
        outer.addHook("onSend", async (_request, reply, payload) => {
          reply.header("x-send", String(++sends));
          return typeof payload === "string" ? `<${payload}>` : payload;
        }),
    });
    app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
    expect((await get("/")).body).toBe("<page>");
    const stored = await hit(() => get("/"));
    expect([stored.body, stored.headers.get("x-send"), stored.headers.get("content-length")]).toEqual([
      "<page>",
      String(sends),
      "6",
    ]);
  });

  it("that are registered after the cache, or by a route, get each client's response, as a text where it is one", async () => {
    const kinds: string[] = [];
    const { app, get } = await testApp();
    app.addHook("onSend", async (_request, _reply, payload) => {
      kinds.push(typeof payload);
      return `${String(payload)} after`;
    });
    const onSend = async (_request: unknown, _reply: unknown, payload: unknown) => `${String(payload)} route`;
    app.get("/", { onSend }, (_request, reply) => reply.headers(FRESH).send("page"));
    expect((await get("/")).body).toBe("page after route");
    expect((await hit(() => get("/"))).body).toBe("page after route");
    expect(new Set(kinds)).toEqual(new Set(["string"]));
  });

  it("see the client's request, and not the cache's", async () => {
    const seen: unknown[] = [];
    const { app, get } = await testApp();
    app.addHook("onSend", async (request) => {
      const { headers } = request;
      seen.push([headers["x-forwarded-host"], headers["if-none-match"]]);
    });
    app.get("/", (request, reply) => {
      seen.push([request.headers["x-forwarded-host"], request.headers["if-none-match"]]);
      return reply.headers(FRESH).send("page");
    });
    await get("/", { headers: { "x-forwarded-host": "mine", "if-none-match": '"1"' } });
    expect(seen).toEqual([
      [undefined, undefined],
      ["mine", '"1"'],
    ]);
  });

  it("that fail after the cache has answered reach the error handler", async () => {
    const { app, get } = await testApp();
    app.setErrorHandler((error, _request, reply) => reply.code(502).send(String(error)));
    let isBroken = true;
    app.addHook("onSend", async () => {
      if (isBroken) {
        isBroken = false;
        throw new Error("no");
      }
    });
    app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
    expect(await get("/")).toMatchObject({ status: 502, body: "Error: no" });
    isBroken = false;
    await hit(() => get("/"));
    isBroken = true;
    expect(await get("/")).toMatchObject({ status: 502, body: "Error: no" });
  });
});

describe("hooks onRequest", () => {
  it("before the cache run for hits, and may answer in its place", async () => {
    let runs = 0;
    const { app, get } = await testApp({
      before: (outer) =>
        outer.addHook("onRequest", async (request, reply) => {
          runs++;
          if (request.headers["x-api-key"] !== "k") return reply.code(401).send("no");
          return undefined;
        }),
    });
    app.get("/", (_request, reply) => reply.headers(FRESH).send("page"));
    const ask = () => get("/", { headers: { "x-api-key": "k" } });
    await ask();
    await hit(ask);
    expect((await get("/")).status).toBe(401);
    expect(runs).toBeGreaterThanOrEqual(3);
  });

  it("after it may answer, and what they answer is stored as a handler's reply", async () => {
    const { app, get } = await testApp();
    app.addHook("onRequest", async (_request, reply) => reply.headers(FRESH).send("hook"));
    app.get("/", () => "handler");
    expect((await get("/")).body).toBe("hook");
    expect((await hit(() => get("/"))).body).toBe("hook");
  });

  it("of another cache inside may answer: the outer one stores that answer", async () => {
    const [outer, inner] = [ownCache(), ownCache()];
    const { app, get } = await testApp({ options: { cache: outer, cacheName: "outer", cacheControl: "max-age=60" } });
    await app.register(httpCacheFastify, { cache: inner, cacheName: "inner" });
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(FRESH).send(`run ${++runs}`));
    await get("/");
    await hit(() => get("/"));
    await outer.clear();
    const again = await get("/");
    expect([again.body, again.headers.get("cache-status")]).toEqual([
      "run 1",
      expect.stringMatching(/inner; hit; ttl=\d+, outer; fwd=uri-miss/),
    ]);
    const stored = await hit(() => get("/"));
    expect([stored.body, runs]).toEqual(["run 1", 1]);
  });
});
