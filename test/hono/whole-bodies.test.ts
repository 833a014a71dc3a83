import { randomUUID } from "node:crypto";
import { type RequestOptions, request } from "node:http";
import { type Context, Hono } from "hono";
import { compress } from "hono/compress";
import { stream, streamText } from "hono/streaming";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";
import { listen, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };
/** What only one client sends, and what the cache keeps from handlers. */
const EVIL = { "x-forwarded-host": "evil", "if-none-match": '"evil"', "if-modified-since": "evil", host: "evil" };
const NAMES = Object.keys(EVIL);

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** Asks until the answer comes from the store, and gives that. */
const stored = (get: () => Promise<{ how: string; body: string }>) =>
  until(
    async () => {
      const got = await get();
      return got.how.startsWith("hit") ? got : undefined;
    },
    { what: "a hit" },
  );

/** Middleware outside, which sees the client's own signals. */
function watchClients(): { watch: (app: Hono) => void; left: () => Promise<unknown> } {
  const signals: AbortSignal[] = [];
  const watch = (app: Hono): void => {
    app.use(async (c, next) => {
      signals.push(c.req.raw.signal);
      await next();
    });
  };
  return { watch, left: () => until(() => signals.some(({ aborted }) => aborted), { what: "the server to see it" }) };
}

/** Asks a server, and leaves once something of the body has come. */
function leaveEarly(url: string, options: RequestOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      response.once("data", () => response.destroy());
      response.once("close", resolve);
      response.on("error", () => {});
    });
    asked.on("error", reject);
    asked.end();
  });
}

describe("what a handler sees of the request while its body is made", () => {
  const seen = (c: Context): string => NAMES.map((name) => c.req.header(name)).join();

  const bodies: [string, (c: Context, gate: Promise<void>) => Response | Promise<Response>][] = [
    [
      "by stream()",
      (c, gate) => {
        c.header("cache-control", "max-age=60");
        return stream(c, async (out) => {
          await out.write(seen(c));
          await gate;
          await out.write(seen(c));
        });
      },
    ],
    [
      "by streamText() and a request that was kept",
      (c, gate) => {
        c.header("cache-control", "max-age=60");
        const { req } = c;
        return streamText(c, async (out) => {
          await gate;
          await out.write(
            NAMES.map((name) => req.raw.headers.get(name)).join() + JSON.stringify(req.header()) + req.url,
          );
        });
      },
    ],
    [
      "as a stream that is read bit by bit",
      (c, gate) => {
        let reads = 0;
        const body = new ReadableStream<Uint8Array>({
          async pull(controller) {
            await gate;
            if (reads++ < 3) controller.enqueue(new TextEncoder().encode(seen(c)));
            else controller.close();
          },
        });
        return c.body(body, 200, FRESH);
      },
    ],
  ];

  it.each(bodies)("is in the key, made %s", async (_how, answer) => {
    const { app, get } = testApp(cache);
    const gate = deferred<void>();
    app.get("/", (c) => answer(c, gate.promise));
    const attacked = get("/", { headers: EVIL });
    const normal = get("/");
    setImmediate(() => gate.resolve());
    await Promise.all([attacked, normal]);
    expect((await stored(() => get("/"))).body).not.toContain("evil");
  });

  const ECHO = (c: Context) => c.text(["if-none-match", "range"].map((name) => c.req.header(name)).join(), 200, FRESH);
  const CONDITIONS = { "if-none-match": '"evil"', range: "evil=1" };

  it("has no conditions of one client where the response is stored, also after one that could not be", async () => {
    let isStorable = false;
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("/", (c) => (isStorable ? ECHO(c) : c.text("no", 200, { "cache-control": "no-store" })));
    await get("/");
    isStorable = true;
    await get("/", { headers: CONDITIONS });
    for (let i = 0; i < 2; i++) expect((await get("/")).body).not.toContain("evil");
  });

  it("has no conditions of one client where a POST's response stands for a GET's", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.post("/", (c) => {
      c.header("content-location", c.req.url);
      return ECHO(c);
    });
    app.get("/", ECHO);
    await get("/", { method: "POST", headers: CONDITIONS });
    expect((await get("/")).body).not.toContain("evil");
  });

  it("has no conditions of one client where a HEAD freshens what is stored", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("/", (c) =>
      c.text("full", 200, { ...FRESH, etag: '"1"', "x-echo": String(c.req.header("if-none-match")) }),
    );
    await get("/");
    const head = await get("/", { method: "HEAD", headers: { ...CONDITIONS, "cache-control": "no-cache" } });
    expect(head.status).toBe(200);
    const same = { "if-none-match": '"1"', "cache-control": "no-cache" };
    expect((await get("/", { method: "HEAD", headers: same })).status).toBe(304);
    expect((await get("/")).headers.get("x-echo")).toBe("undefined");
  });

  it("is not the cache's own for middleware outside, which would take its validators for the client's", async () => {
    let seenAfter: string | undefined;
    const { app, get } = testApp(cache, { awaitBackground: true }, (outer) => {
      outer.use(async (c, next) => {
        await next();
        seenAfter = c.req.header("if-none-match");
      });
    });
    let runs = 0;
    app.get("/", (c) => c.text("full", 200, { "cache-control": "no-cache", etag: `"${++runs}"` }));
    for (let i = 0; i < 2; i++) await get("/");
    expect([runs, seenAfter]).toEqual([2, undefined]);
  });

  it("is the client's own for middleware outside, where nothing is stored", async () => {
    let seenAfter: string | undefined;
    const { app, get } = testApp(cache, {}, (outer) => {
      outer.use(async (c, next) => {
        await next();
        seenAfter = c.req.header("x-forwarded-host");
      });
    });
    app.get("/", (c) => c.text("own", 200, { "cache-control": "no-store" }));
    app.get("/broken", () => {
      throw new Error("broken");
    });
    app.onError((_error, c) => c.text("sorry", 500));
    for (const path of ["/", "/broken"]) {
      seenAfter = undefined;
      await get(path, { headers: { "x-forwarded-host": "mine" } });
      expect(seenAfter).toBe("mine");
    }
  });
});

describe("a body is stored only whole", () => {
  /** Writes until its signal fires, or it has written all. */
  const untilAborted = (count: number, wrote: (i: number) => Promise<void>) => (c: Context) => {
    c.header("cache-control", "max-age=60");
    return stream(c, async (out) => {
      for (let i = 0; i < count && !c.req.raw.signal.aborted; i++) {
        await out.write("x".repeat(10));
        await wrote(i);
      }
    });
  };

  it("although its client leaves, and the handler looks at the signal", async () => {
    const left = deferred<void>();
    const { app, get } = testApp(cache);
    let runs = 0;
    const handler = untilAborted(5, (i) => (i === 0 ? left.promise : Promise.resolve()));
    app.get("/", (c) => {
      runs++;
      return handler(c);
    });
    await using server = await listen(app);
    await leaveEarly(server.url);
    left.resolve();
    const headers = { host: new URL(server.url).host };
    expect((await stored(() => get(server.url, { headers }))).body).toBe("x".repeat(50));
    expect(runs).toBe(1);
  });

  it("although its client leaves before anything of it is there", async () => {
    const [asked, left] = [deferred<void>(), deferred<void>()];
    const clients = watchClients();
    const { app, get } = testApp(cache, {}, clients.watch);
    let runs = 0;
    app.get("/", async (c) => {
      runs++;
      asked.resolve();
      await left.promise;
      return c.text(c.req.raw.signal.aborted ? "stump" : "whole", 200, FRESH);
    });
    await using server = await listen(app);
    const client = new AbortController();
    const failed = fetch(server.url, { signal: client.signal }).catch(() => "left");
    await asked.promise;
    client.abort();
    await failed;
    await clients.left();
    const other = get(server.url);
    left.resolve();
    expect((await other).body).toBe("whole");
    expect((await stored(() => get(server.url))).body).toBe("whole");
    expect(runs).toBe(1);
  });

  it("although the one client that waits for a validation leaves", async () => {
    const [asked, left] = [deferred<void>(), deferred<void>()];
    const clients = watchClients();
    const { app, get } = testApp(cache, {}, clients.watch);
    let runs = 0;
    app.get("/", (c) => {
      const run = ++runs;
      c.header("cache-control", run === 1 ? "no-cache" : "max-age=60");
      c.header("etag", `"${run}"`);
      return stream(c, async (out) => {
        await out.write("x");
        if (run > 1) {
          asked.resolve();
          await left.promise;
        }
        if (!c.req.raw.signal.aborted) await out.write(` whole ${run}`);
      });
    });
    await using server = await listen(app);
    await (await fetch(server.url)).text();
    await until(async () => (await cache.keys("*")).length > 0, { what: "the first response" });
    const leaving = leaveEarly(server.url);
    await asked.promise;
    await leaving;
    await clients.left();
    left.resolve();
    expect((await stored(() => get(server.url))).body).toBe("x whole 2");
  });

  it("and the signal fires for a client that leaves where nothing is stored", async () => {
    const fired = deferred<void>();
    const { app } = testApp(cache);
    app.get("/", (c) =>
      stream(c, async (out) => {
        c.req.raw.signal.addEventListener("abort", () => fired.resolve());
        await out.write("x");
        await fired.promise;
      }),
    );
    await using server = await listen(app);
    await leaveEarly(server.url);
    await fired.promise;
  });

  it("and the signal fires, and nothing is stored, where a body turns out too large when its client is gone", async () => {
    const [left, fired] = [deferred<void>(), deferred<void>()];
    const clients = watchClients();
    const { app } = testApp(cache, { maxBodySize: 25 }, clients.watch);
    app.get("/", (c) => {
      c.req.raw.signal.addEventListener("abort", () => fired.resolve());
      return untilAborted(1_000_000, (i) => (i === 0 ? left.promise : Promise.resolve()))(c);
    });
    await using server = await listen(app);
    await leaveEarly(server.url);
    await clients.left();
    left.resolve();
    await fired.promise;
    expect((await testApp(cache).get(server.url)).how).toBe("fwd=uri-miss");
  });

  it("and the signal fires where the cache itself wants no more of it", async () => {
    /** Writes until its signal fires. */
    const endless = (headers: Record<string, string>) => (c: Context, fired: () => void) => {
      for (const [name, value] of Object.entries(headers)) c.header(name, value);
      return stream(c, async (out) => {
        while (!c.req.raw.signal.aborted) {
          await out.write("x");
          await new Promise((resolve) => setImmediate(resolve));
        }
        fired();
      });
    };
    const cases: [string, Record<string, string>, 200 | 500, string][] = [
      ["a refresh that can't be stored", { "cache-control": "no-store" }, 200, "stale-while-revalidate=60"],
      ["a refresh that is too large", FRESH, 200, "stale-while-revalidate=60"],
      ["a refresh that fails", {}, 500, "stale-while-revalidate=60"],
      ["a failure that a stale response makes up for", {}, 500, "stale-if-error=60"],
    ];
    for (const [what, headers, status, permission] of cases) {
      const fired = deferred<void>();
      const { app, get } = testApp(cache, { maxBodySize: 100, cacheName: randomUUID() });
      let runs = 0;
      app.get("/", (c) => {
        if (++runs === 1) return c.text("old", 200, { "cache-control": `max-age=0, ${permission}`, etag: '"1"' });
        c.status(status);
        return endless(headers)(c, fired.resolve);
      });
      await get("/");
      await until(async () => (await cache.keys("*")).length > 0, { what: "the first response" });
      expect((await get("/")).body).toBe("old");
      await until(() => runs > 1, { what });
      await fired.promise;
      await cache.clear();
    }
  });

  it("and the signal fires where a client wants no more of what is not stored", async () => {
    for (const asked of [{ "if-none-match": '"1"' }, { range: "bytes=0-1" }]) {
      const fired = deferred<void>();
      const { app, get } = testApp(cache, { cacheName: randomUUID() });
      app.get("/", (c) => {
        const headers = { "cache-control": "no-store", etag: '"1"', "content-length": "100000" };
        for (const [name, value] of Object.entries(headers)) c.header(name, value);
        return stream(c, async (out) => {
          while (!c.req.raw.signal.aborted) {
            await out.write("xx");
            await new Promise((resolve) => setImmediate(resolve));
          }
          fired.resolve();
        });
      });
      expect([304, 206]).toContain((await get("/", { headers: asked })).status);
      await fired.promise;
    }
  });

  it.each([
    ["shorter than its Content-Length", () => new Response("123", { headers: { ...FRESH, "content-length": "10" } })],
    [
      "absent where its Content-Length says otherwise",
      () => new Response(null, { headers: { ...FRESH, "content-length": "10" } }),
    ],
    [
      "shorter than a Content-Length that is kept from the store",
      () =>
        new Response("123", {
          headers: { "cache-control": 'max-age=60, private="content-length"', "content-length": "10" },
        }),
    ],
    [
      "that fails",
      () => {
        let reads = 0;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (reads++ === 0) controller.enqueue(new Uint8Array(3));
            else controller.error(new Error("broken"));
          },
        });
        return new Response(body, { headers: FRESH });
      },
    ],
  ])("never one %s", async (_what, answer) => {
    const { app, get } = testApp(cache, { awaitBackground: true, retryAfter: 0 });
    let runs = 0;
    app.get("/", () => {
      runs++;
      return answer();
    });
    for (let i = 0; i < 3; i++) await get("/").catch(() => {});
    expect(runs).toBe(3);
  });

  it("also when a POST makes it, whose client leaves", async () => {
    const left = deferred<void>();
    const ended = deferred<void>();
    const { app, get } = testApp(cache);
    app.post("/", (c) => {
      c.header("cache-control", "max-age=60");
      c.header("content-location", c.req.url);
      return stream(c, async (out) => {
        await out.write("x");
        c.req.raw.signal.addEventListener("abort", () => left.resolve());
        await left.promise;
        ended.resolve();
      });
    });
    app.get("/", (c) => c.text("whole"));
    await using server = await listen(app);
    await leaveEarly(server.url, { method: "POST" });
    await ended.promise;
    expect((await get(server.url)).body).toBe("whole");
  });

  it("through the compression of middleware inside", async () => {
    const left = deferred<void>();
    const clients = watchClients();
    const { app, get } = testApp(cache, {}, clients.watch);
    app.use(compress({ threshold: 0 }));
    app.get(
      "/",
      untilAborted(5, (i) => (i === 0 ? left.promise : Promise.resolve())),
    );
    await using server = await listen(app);
    const client = new AbortController();
    const headers = { "accept-encoding": "gzip" };
    await fetch(server.url, { headers, signal: client.signal });
    client.abort();
    await clients.left();
    left.resolve();
    const whole = await until(
      async () => {
        const response = await fetch(server.url, { headers });
        const body = await response.text();
        return response.headers.get("cache-status")?.includes("hit") ? body : undefined;
      },
      { what: "a hit" },
    );
    expect(whole).toBe("x".repeat(50));
    expect((await get("/other")).status).toBe(404);
  });
});

it("a body that no client waits for any more is stored by a server that goes on", async () => {
  const { app, get } = testApp(cache);
  app.get("/", (c) => c.text("full", 200, FRESH));
  const response = await new Hono().route("/", app).request("/");
  await response.body?.cancel();
  expect((await stored(() => get("/"))).body).toBe("full");
});
