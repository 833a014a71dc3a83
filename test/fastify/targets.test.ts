import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import express from "express";
import Fastify, { type FastifyRequest } from "fastify";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { httpCacheFastify } from "../../src/fastify/index.js";
import { HOST, listenAnywhere } from "../support/ports.js";
import { hit, ownCache, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
const STALE = { "cache-control": "max-age=0, stale-while-revalidate=60" };

describe("the target of a request", () => {
  it("is what Fastify's trustProxy makes of a proxy's fields, for handlers and for purges", async () => {
    const { app, get } = await testApp({ server: { trustProxy: true } });
    app.get("/", (request, reply) =>
      reply.headers(FRESH).send(`${request.protocol} ${request.host} ${request.hostname}`),
    );
    const ask = () => get("/", { headers: { "x-forwarded-proto": "https", "x-forwarded-host": "shop.example" } });
    expect((await ask()).body).toBe("https shop.example shop.example");
    expect((await hit(ask)).body).toBe("https shop.example shop.example");
    expect((await get("/")).body).toMatch(/^http 127\.0\.0\.1/);
    expect(await app.httpCache.purge("https://shop.example/")).toBe(1);
  });

  it("ignores a proxy's fields without it", async () => {
    const { app, get } = await testApp();
    app.get("/", (request, reply) => reply.headers(FRESH).send(`${request.protocol} ${request.host}`));
    const evil = await get("/", { headers: { "x-forwarded-proto": "https", "x-forwarded-host": "evil" } });
    expect(evil.body).toMatch(/^http 127/);
    expect((await hit(() => get("/"))).body).toBe(evil.body);
  });

  it("has the query as the option `query` normalises it, read by the application's own parser", async () => {
    const { app, get } = await testApp({
      options: { query: { remove: ["utm_*"] } },
      server: { routerOptions: { querystringParser: (text) => ({ own: text }) } },
    });
    app.get("/:id", (request, reply) =>
      reply
        .headers(FRESH)
        .send({ query: request.query, url: request.url, whole: request.originalUrl, id: request.params }),
    );
    const seen = JSON.stringify({ query: { own: "a=1" }, url: "/x?a=1", whole: "/x?a=1", id: { id: "x" } });
    expect((await get("/x?utm_id=1&a=1")).body).toBe(seen);
    expect((await hit(() => get("/x?a=1&utm_id=2"))).body).toBe(seen);
  });

  it("is the rewritten one together with the client's, where the option rewriteUrl changes it", async () => {
    const rewriteUrl = (request: IncomingMessage): string =>
      request.headers["x-beta"] ? "/beta" : (request.url ?? "");
    const { app, get } = await testApp({ server: { rewriteUrl } });
    app.get("/", (_request, reply) => reply.headers(FRESH).send("stable"));
    app.get("/beta", (_request, reply) => reply.headers(FRESH).send("beta"));
    const beta = () => get("/", { headers: { "x-beta": "1" } });
    expect((await beta()).body).toBe("beta");
    expect((await get("/")).body).toBe("stable");
    expect((await hit(beta)).body).toBe("beta");
    expect((await hit(() => get("/"))).body).toBe("stable");
  });

  it("has the path of a mount in Express, so that purges by URL reach it", async () => {
    const cache = ownCache();
    const app = Fastify();
    onTestFinished(() => app.close());
    await app.register(httpCacheFastify, { cache });
    app.get("/page", (request, reply) => reply.headers(FRESH).send(`${request.url} ${request.originalUrl}`));
    await app.ready();
    const outer = express();
    outer.use("/shop", (req: IncomingMessage, res: ServerResponse) => app.routing(req, res));
    const server = createServer(outer);
    const port = await listenAnywhere(server);
    onTestFinished(() => void server.close().closeAllConnections());
    const url = `http://${HOST}:${port}/shop/page`;
    const ask = async () => toGot(await fetch(url));
    expect((await ask()).body).toBe("/page /shop/page");
    await hit(ask);
    expect(await app.httpCache.purge(url)).toBe(1);
  });
});

describe("a background refresh", () => {
  it("runs the handler with a request that looks like a client's, and no client waits for it", async () => {
    const { app, get, errors } = await testApp();
    const asked: FastifyRequest[] = [];
    app.get("/", (request, reply) => {
      asked.push(request);
      return reply.headers(STALE).send(`run ${asked.length}`);
    });
    await get("/");
    await vi.waitFor(async () => expect((await get("/")).body).toBe("run 2"));
    const [first, second] = asked;
    const shown = ({ url, host, protocol, method, query }: FastifyRequest) => ({ url, host, protocol, method, query });
    expect(second && shown(second)).toEqual(first && shown(first));
    expect(errors).toEqual([]);
  });

  it("is not sent again after an outer hook has refused it: the next request validates", async () => {
    const { app, get, errors } = await testApp({
      before: (outer) =>
        outer.addHook("onRequest", async (request, reply) => {
          if (request.headers["x-api-key"] === undefined) return reply.code(401).send();
          return undefined;
        }),
    });
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(STALE).send(`run ${++runs}`));
    const ask = () => get("/", { headers: { "x-api-key": "k" } });
    await ask();
    await vi.waitFor(async () => expect((await ask()).body).toBe("run 2"));
    expect(errors).toEqual([expect.objectContaining({ name: "UnreachedError" })]);
  });

  it("makes the key again, and stores nothing where it is another one", async () => {
    let keys = 0;
    // The third one is that of the refresh.
    const keyGenerator = (): string => (++keys === 3 ? "b" : "a");
    const { app, get, errors } = await testApp({ options: { keyGenerator } });
    let runs = 0;
    app.get("/", (_request, reply) => reply.headers(STALE).send(`run ${++runs}`));
    await get("/");
    expect((await get("/")).body).toBe("run 1");
    await vi.waitFor(() => expect(errors).toEqual([expect.objectContaining({ name: "UnreachedError" })]));
    expect(runs).toBe(1);
  });
});
