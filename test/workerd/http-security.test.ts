import { type Handler, Hono } from "hono";
import { beforeEach, describe, expect, inject, it } from "vitest";
import { type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import { UNKEYED_FIELDS } from "../../src/http/rfc/admission.js";
import { type Cache, createCache } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";

const FRESH = { "cache-control": "public, max-age=60" };
const SHOP = "http://shop.example";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
});

interface Got {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  readonly how: string;
}

/** Asks as a Worker is asked, and waits for all that goes on after the answer. */
async function ask(app: Hono, path: string, init?: RequestInit): Promise<Got> {
  const background: Promise<unknown>[] = [];
  const context = {
    waitUntil: (work: Promise<unknown>) => void background.push(work),
    passThroughOnException: () => {},
    props: {},
  };
  const url = path.startsWith("/") ? SHOP + path : path;
  const response = await app.request(url, init, {}, context);
  // A stream that fails is part of some attacks.
  const body = await response.text().catch(() => "");
  for (let ended = 0; ended < background.length; ended = background.length) await Promise.allSettled(background);
  const how = response.headers.get("cache-status")?.replace(/^[\w-]+; /, "") ?? "";
  return { status: response.status, body, headers: response.headers, how };
}

function site(handler: Handler, options: HttpCacheOptions = {}) {
  const app = new Hono();
  const http = httpCache({ cache, app, retryAfter: 0, ...options });
  app.use(http);
  app.on("PURGE", "*", http.purgeRoute({ authorize: (c) => c.req.header("authorization") === "purger" }));
  app.all("*", handler);
  return app;
}

describe("inside workerd, CWE-349, poisoning by input outside the key:", () => {
  it.each<[string, string, RequestInit]>([
    [
      "every field that names another target",
      "/x",
      { headers: Object.fromEntries([...UNKEYED_FIELDS].map((name) => [name, "evil.example"])) },
    ],
    ["another Host", "/x", { headers: { host: "evil.example" } }],
    ["a fragment", "/x#evil", {}],
    ["conditions and a range", "/x", { headers: { "if-none-match": '"evil"', range: "bytes=0-1" } }],
    ["a cookie", "/x", { headers: { cookie: "session=evil" } }],
    ["an overridden method", "/x", { headers: { "x-http-method-override": "EVIL" } }],
    ["a POST whose response stands for a GET's", "/x#evil", { method: "POST", body: "evil" }],
    ["a parameter that is removed", "/x?utm_source=evil", {}],
  ])("%s", async (_what, path, attack) => {
    const names = [...UNKEYED_FIELDS, "if-none-match", "range", "cookie", "x-http-method-override"];
    const app = site(
      (c) => {
        const seen = names.map((name) => c.req.header(name) ?? "").join("");
        const headers = { ...FRESH, "content-location": "/x" };
        return c.text([c.req.url, c.req.raw.url, c.req.header("host"), seen].join(" "), 200, headers);
      },
      { query: { remove: ["utm_*"] } },
    );
    await ask(app, path, attack);
    for (let i = 0; i < 2; i++) expect((await ask(app, "/x")).body).not.toMatch(/evil/i);
    expect((await ask(app, "/x")).how).toMatch(/^hit/);
  });

  it("a host that is not listed fills nothing", async () => {
    const app = site((c) => c.text(c.req.url, 200, FRESH), { hosts: ["shop.example"] });
    for (let i = 0; i < 2; i++) expect((await ask(app, "http://evil.example/")).how).toBe("fwd=bypass");
  });
});

it("inside workerd, CWE-525, a page for one client is stored under no path that looks like a file", async () => {
  const secret = (said: Record<string, string>, options: HttpCacheOptions) =>
    site((c) => c.text(c.req.header("cookie") ? "secret" : "log in", 200, said), options);
  const apps = [secret({}, {}), secret({}, { cacheName: "b", defaultTtl: "1h" }), secret(FRESH, { cacheName: "c" })];
  for (const app of apps) {
    for (const path of [
      "/account/x.css",
      "/account%2fx.css",
      "/account;x.css",
      "/account%00.js",
      "/static/..%2faccount",
    ]) {
      await ask(app, path, { headers: { cookie: "session=victim" } });
      for (let i = 0; i < 2; i++) expect((await ask(app, path)).body).toBe("log in");
    }
  }
});

describe("inside workerd, CWE-524, what is made for one client is given to no other:", () => {
  it.each([["authorization"], ["x-api-key"], ["cookie"]])("by %s", async (name) => {
    for (const control of ["max-age=60", "private, max-age=60", "max-age=0, stale-while-revalidate=60"]) {
      const app = site((c) => c.text(c.req.header(name) ?? "nobody", 200, { "cache-control": control }), {
        credentialFields: ["X-Api-Key"],
        cacheName: `c${crypto.randomUUID()}`,
      });
      expect((await ask(app, "/", { headers: { [name]: "secret" } })).body).toBe("secret");
      for (let i = 0; i < 3; i++) expect((await ask(app, "/")).body).toBe("nobody");
    }
  });

  it("by Set-Cookie", async () => {
    const app = site((c) => c.text("page", 200, { ...FRESH, "set-cookie": "session=victim" }));
    await ask(app, "/");
    const hit = await ask(app, "/");
    expect([hit.how.slice(0, 3), hit.headers.get("set-cookie")]).toEqual(["hit", null]);
  });

  it.each(["private", "Private, max-age=60", "max-age=60, NO-STORE", "private=, max-age=60"])(
    "by %s",
    async (control) => {
      let runs = 0;
      const app = site((c) => c.text(String(++runs), 200, { "cache-control": control }), { defaultTtl: "1h" });
      for (let i = 1; i <= 3; i++) expect((await ask(app, "/")).body).toBe(String(i));
    },
  );
});

it.each<[string, () => Response]>([
  ["shorter than its length", () => new Response("0123", { headers: { ...FRESH, "content-length": "10" } })],
  [
    "a stream that fails",
    () => {
      let reads = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (reads++ === 0) controller.enqueue(new TextEncoder().encode("0123"));
          else controller.error(new Error("the origin went away"));
        },
      });
      return new Response(body, { headers: FRESH });
    },
  ],
])("inside workerd, CWE-524, a truncated response is stored for nobody: one %s", async (_what, first) => {
  let runs = 0;
  const app = site((c) => (++runs === 1 ? first() : c.text("0123456789", 200, FRESH)));
  await ask(app, "/");
  for (let i = 0; i < 2; i++) expect((await ask(app, "/")).body).toBe("0123456789");
  expect(runs).toBe(2);
});

it("inside workerd, CWE-444, a GET with a body takes no part in the cache", async () => {
  const app = site((c) => c.text(c.req.header("content-length") ?? "none", 200, FRESH));
  for (const headers of [{ "content-length": "4" }, { "transfer-encoding": "chunked" }]) {
    expect((await ask(app, "/", { headers })).how).toBe("fwd=bypass");
  }
  expect((await ask(app, "/")).body).toBe("none");
});

it.each([400, 401, 403, 406, 412, 413, 415, 416, 417, 425, 429, 431, 500, 503] as const)(
  "inside workerd, CWE-400, a reload that is answered with %i leaves a fresh page stored",
  async (status) => {
    const app = site((c) => (c.req.header("x-bad") ? c.text("bad", status as 400, FRESH) : c.text("page", 200, FRESH)));
    await ask(app, "/");
    const reload = { headers: { "x-bad": "1", "cache-control": "no-cache" } };
    expect((await ask(app, "/", reload)).status).toBe(status);
    expect(await ask(app, "/")).toMatchObject({ body: "page", how: expect.stringMatching(/^hit/) });
  },
);

it("inside workerd, CWE-400, a bad request keeps no client waiting for its lease", async () => {
  const app = site((c) => (c.req.header("x-bad") ? c.text("bad", 400) : c.text("page", 200, FRESH)), {
    lease: "10m",
    waitTimeout: "10m",
  });
  for (let i = 0; i < 3; i++) await ask(app, "/", { headers: { "x-bad": "1" } });
  const all = await Promise.all(Array.from({ length: 10 }, () => ask(app, "/")));
  expect(all.map(({ body }) => body)).toEqual(all.map(() => "page"));
});

it("inside workerd, CWE-770, variants, long URLs and control characters are bounded", async () => {
  const app = site((c) => c.text(c.req.header("foo") ?? "none", 200, { ...FRESH, vary: "foo" }), { maxVariants: 4 });
  for (let i = 0; i < 50; i++) expect((await ask(app, "/", { headers: { foo: `v${i}` } })).body).toBe(`v${i}`);
  await using own = cache.for({});
  expect((await own.keys("*")).length).toBeLessThanOrEqual(1 + 4);
  for (let i = 0; i < 2; i++) {
    expect((await ask(app, `/${"x".repeat(1_000_000)}`)).how).toBe("fwd=bypass");
    expect((await ask(app, "/", { headers: { foo: "a\u0001b" } })).how).not.toMatch(/hit|stored/);
  }
});

it("inside workerd, CWE-285, PURGE without permission purges nothing", async () => {
  const app = site((c) => c.text("page", 200, FRESH));
  await ask(app, "/");
  expect((await ask(app, "/", { method: "PURGE" })).status).toBe(403);
  expect((await ask(app, "/")).how).toMatch(/^hit/);
});
