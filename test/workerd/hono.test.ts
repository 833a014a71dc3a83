import { Hono } from "hono";
import { stream } from "hono/streaming";
import { beforeEach, expect, inject, it } from "vitest";
import { httpCache } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { deferred } from "../support/deferred.js";

const FRESH = { "cache-control": "max-age=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
});

/** Asks as a Worker is asked, and waits for all that goes on after the answer. */
async function ask(app: Hono, url: string, init?: RequestInit): Promise<{ body: string; how: string | null }> {
  const background: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void background.push(work),
    passThroughOnException: () => {},
    props: {},
  };
  const response = await app.request(url, init, {}, context);
  const body = await response.text();
  for (let ended = 0; ended < background.length; ended = background.length) await Promise.allSettled(background);
  return { body, how: response.headers.get("cache-status") };
}

it("shows handlers inside workerd the target in the key, and nothing else", async () => {
  const app = new Hono();
  app.use(httpCache({ cache }));
  app.get("*", (c) =>
    c.text([c.req.url, c.req.header("host"), c.req.header("x-forwarded-host")].join(" "), 200, FRESH),
  );
  const headers = { host: "SHOP.example:80", "x-forwarded-host": "evil" };
  const seen = "http://shop.example/x shop.example ";
  expect((await ask(app, "http://shop.example/x#evil", { headers })).body).toBe(seen);
  expect((await ask(app, "http://shop.example/x")).body).toBe(seen);
  expect(await ask(app, "http://shop.example/x")).toEqual({ body: seen, how: expect.stringContaining("hit") });
});

it("keeps the request as it is while a body is made inside workerd, and its signal silent when a client leaves", async () => {
  const gate = deferred<void>();
  const app = new Hono();
  app.use(httpCache({ cache }));
  app.get("*", (c) => {
    c.header("cache-control", "max-age=60");
    return stream(c, async (out) => {
      await gate.promise;
      for (let i = 0; i < 3; i++)
        if (!c.req.raw.signal.aborted) await out.write(String(c.req.header("x-forwarded-host")));
    });
  });
  const client = new AbortController();
  const asked = ask(app, "http://shop.example/", { headers: { "x-forwarded-host": "evil" }, signal: client.signal });
  client.abort();
  gate.resolve();
  await asked;
  expect(await ask(app, "http://shop.example/")).toEqual({
    body: "undefined".repeat(3),
    how: expect.stringContaining("hit"),
  });
});

it("keeps mounted applications apart inside workerd", async () => {
  const site = (name: string) => {
    const app = new Hono();
    app.use(httpCache({ cache, app }));
    return app.get("*", (c) => c.text(name, 200, FRESH)).fetch;
  };
  const app = new Hono().mount("/admin", site("admin")).mount("/public", site("public"));
  for (let i = 0; i < 2; i++) {
    expect((await ask(app, "http://shop.example/admin/x")).body).toBe("admin");
    expect((await ask(app, "http://shop.example/public/x")).body).toBe("public");
  }
});
