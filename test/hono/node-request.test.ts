import { once } from "node:events";
import { get as send } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { expect, it, onTestFinished } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { createCache } from "../../src/index.js";

const NO_CACHE = { "cache-control": "no-cache" };

/** What outer middleware may do to a request that Node's server has not got so. */
const changes: Record<string, (c: Context) => void> = {
  "changes its headers": (c) => c.req.raw.headers.set("cache-control", "no-cache"),
  "gives it other headers": (c) =>
    void Object.defineProperty(c.req.raw, "headers", { value: new Headers(NO_CACHE), configurable: true }),
  "puts another request in its place": (c) => {
    c.req.raw = new Request(c.req.raw.url, { headers: NO_CACHE });
  },
  "puts a proxy in its place": (c) => {
    c.req.raw = new Proxy(c.req.raw, {
      get: (raw, name) => (name === "headers" ? new Headers(NO_CACHE) : Reflect.get(raw, name, raw)),
    });
  },
  "puts an object in its place that inherits from it": (c) => {
    c.req.raw = Object.create(c.req.raw, { headers: { value: new Headers(NO_CACHE) } });
  },
};

for (const [name, change] of Object.entries(changes)) {
  it(`a no-cache reaches the handler where outer middleware ${name}`, async () => {
    const { get, calls } = await started(change);
    for (let i = 0; i < 3; i++) await get();
    expect(calls()).toBe(1);
    await get({ "x-change": "1" });
    expect(calls()).toBe(2);
  });
}

it("a no-cache of the client itself reaches the handler", async () => {
  const { get, calls } = await started(() => {});
  for (let i = 0; i < 3; i++) await get();
  expect(calls()).toBe(1);
  await get(NO_CACHE);
  expect(calls()).toBe(2);
});

it("a condition of the client is evaluated", async () => {
  const { get } = await started(() => {});
  for (let i = 0; i < 3; i++) await get();
  expect((await get({ "if-none-match": '"1"' })).status).toBe(304);
});

async function started(change: (c: Context) => void) {
  let calls = 0;
  const cache = createCache({ location: "memory:" });
  const app = new Hono<{ Bindings: { incoming: { headers: Record<string, string | undefined> } } }>();
  app.use((c, next) => {
    // Not by c.req, as that would read the headers of every request.
    if (c.env.incoming.headers["x-change"] !== undefined) change(c);
    return next();
  });
  app.use(httpCache({ cache }));
  app.get("/", (c) => c.text(String(++calls), 200, { "cache-control": "max-age=60", etag: '"1"' }));
  const server = createAdaptorServer({ fetch: app.fetch }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    await cache.close();
  });
  const { port } = server.address() as AddressInfo;
  // fetch() would send Cache-Control with some conditions.
  const get = async (headers: Record<string, string> = {}): Promise<{ status: number | undefined }> => {
    const [response] = await once(send({ port, host: "127.0.0.1", headers, agent: false }), "response");
    response.resume();
    await once(response, "end");
    return { status: response.statusCode };
  };
  return { get, calls: () => calls };
}
