import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { type Got, testApp } from "./app.js";

const FRESH = { "cache-control": "max-age=60", etag: '"1"' };
const RELOAD = { headers: { "cache-control": "no-cache" } };
const CLIENTS = 40;

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** A handler that answers when the test lets it, with what the test says. */
class GatedHandler {
  /** Runs that have begun, and those that have not ended. */
  begun = 0;
  running = 0;
  mostAtOnce = 0;
  #waiting: (() => void)[] = [];

  async run<T>(answer: () => T): Promise<T> {
    this.begun++;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.running--;
    return answer();
  }

  /** Ends the runs that are in progress. */
  async release(): Promise<void> {
    await until(() => this.#waiting.length > 0, { what: "a run of the handler" });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

const ask = (get: () => Promise<Got>, count = CLIENTS): Promise<Got[]> =>
  Promise.all(Array.from({ length: count }, () => get()));

describe("requests for one URL", () => {
  it.each([
    ["have to be validated each time", { "cache-control": "no-cache", etag: '"1"' }],
    ["are stale when they arrive", { "cache-control": "max-age=1", age: "5", etag: '"1"' }],
    ["must not be stored", { "cache-control": "no-store" }],
  ])("wait once at the most where its responses %s", async (_kind, headers) => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    app.get("/", (c) => handler.run(() => c.text("page", 200, headers)));
    const cold = ask(() => get("/"));
    await handler.release();
    // All others are at the origin at the same time.
    await until(() => handler.running === CLIENTS - 1, { what: "the other requests at the origin" });
    await handler.release();
    await cold;
    // And the next ones don't wait at all, as it is known what these responses are.
    const warm = ask(() => get("/"));
    await until(() => handler.running === CLIENTS, { what: "all requests at the origin" });
    await handler.release();
    expect((await warm).every(({ body }) => body === "page")).toBe(true);
  });

  it.each(["no-cache", "max-age=0"])(
    "wait for none that they could not use, as they ask for the origin: %s",
    async (control) => {
      const handler = new GatedHandler();
      const { app, get } = testApp(cache);
      app.get("/", (c) => handler.run(() => c.text("page", 200, FRESH)));
      const all = ask(() => get("/", { headers: { "cache-control": control } }), 5);
      await until(() => handler.running === 5, { what: "all requests at the origin" });
      await handler.release();
      await all;
    },
  );

  it("wait for a stale response that can be reused once it is validated", async () => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    let runs = 0;
    app.get("/", async (c) => {
      if (++runs === 1) return c.text("old", 200, { ...FRESH, age: "59" });
      return handler.run(() => c.text("new", 200, FRESH));
    });
    await get("/");
    await until(async () => (await get("/", { headers: { "cache-control": "only-if-cached" } })).status === 504, {
      what: "the end of its lifetime",
    });
    const all = ask(() => get("/"));
    await handler.release();
    expect((await all).every(({ body }) => body === "new")).toBe(true);
    expect(runs).toBe(2);
  });

  it("wait for the variant that they need, after one of another client's", async () => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    app.get("/", (c) => {
      const language = c.req.header("accept-language") ?? "";
      return handler.run(() => c.text(language, 200, { ...FRESH, vary: "accept-language" }));
    });
    const first = get("/", { headers: { "accept-language": "de" } });
    await until(() => handler.begun === 1, { what: "the first run" });
    const others = ask(() => get("/", { headers: { "accept-language": "fr" } }));
    await handler.release();
    await handler.release();
    expect((await first).body).toBe("de");
    expect((await others).every(({ body }) => body === "fr")).toBe(true);
    expect(handler.begun).toBe(2);
  });

  it("take the place of a lease holder that fails, one at a time, and go together after three failures", async () => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    app.get("/", (c) => handler.run(() => c.text("failed", 500)));
    let isOver = false;
    const all = ask(() => get("/")).finally(() => {
      isOver = true;
    });
    let rounds = 0;
    while (!isOver) {
      await until(() => isOver || handler.running > 0, { what: "a run" });
      // A request that looks seldom may not have noticed each of the holders.
      if (rounds++ < 3) expect(handler.mostAtOnce).toBe(1);
      if (!isOver) await handler.release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await all).every(({ status }) => status === 500)).toBe(true);
    expect(handler.begun).toBe(CLIENTS);
    expect(rounds).toBeLessThan(CLIENTS / 2);
  });

  it("are answered from what the first success has stored, after failures", async () => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    app.get("/", (c) => handler.run(() => (handler.begun <= 2 ? c.text("failed", 503) : c.text("page", 200, FRESH))));
    const all = ask(() => get("/"));
    for (let runs = 0; runs < 3; runs++) await handler.release();
    const bodies = (await all).map(({ body }) => body);
    expect(bodies.filter((body) => body === "failed")).toHaveLength(2);
    expect(bodies.filter((body) => body === "page")).toHaveLength(CLIENTS - 2);
    expect(handler.begun).toBe(3);
  });

  it("wait for no URL that refuses two in a row", async () => {
    const handler = new GatedHandler();
    const { app, get } = testApp(cache);
    app.get("/", (c) => handler.run(() => c.text("who are you?", 403)));
    const all = ask(() => get("/"));
    await handler.release();
    await until(() => handler.begun === 2, { what: "the second run" });
    await handler.release();
    await until(() => handler.begun === CLIENTS, { what: "all others" });
    await handler.release();
    expect((await all).every(({ status }) => status === 403)).toBe(true);
  });
});

describe("what is stored, after an answer to one request that can't be stored,", () => {
  const STATUSES = [
    400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 416, 417, 422, 425, 428, 429, 431, 500, 503,
  ];

  it.each(STATUSES)("stays when a reload is answered with %i", async (status) => {
    let runs = 0;
    const { app, get } = testApp(cache);
    app.get("/", (c) => (++runs === 2 ? c.text("no", status as 400) : c.text("page", 200, FRESH)));
    await get("/");
    expect((await get("/", RELOAD)).status).toBe(status);
    const after = await ask(() => get("/"));
    expect(after.every(({ body, how }) => body === "page" && how.startsWith("hit"))).toBe(true);
    expect(runs).toBe(2);
  });

  it.each([400, 403, 406, 429])("stays when a reload is answered with %i that may be stored", async (status) => {
    let runs = 0;
    const { app, get } = testApp(cache);
    app.get("/", (c) => (++runs === 2 ? c.text("no", status as 400, FRESH) : c.text("page", 200, FRESH)));
    await get("/");
    expect((await get("/", RELOAD)).body).toBe("no");
    expect((await get("/")).body).toBe("page");
  });

  it.each(["no-store", "private"])("stays when a reload is answered with %s", async (directive) => {
    let runs = 0;
    const { app, get } = testApp(cache);
    app.get("/", (c) => c.text(`page ${++runs}`, 200, runs === 2 ? { "cache-control": directive } : FRESH));
    await get("/");
    expect((await get("/", RELOAD)).body).toBe("page 2");
    expect((await get("/")).body).toBe("page 1");
  });

  it("is replaced when a reload finds that the page has gone, for a while", async () => {
    let runs = 0;
    const { app, get } = testApp(cache);
    app.get("/", (c) => (++runs === 2 ? c.text("gone", 410, FRESH) : c.text("page", 200, FRESH)));
    await get("/");
    await get("/", RELOAD);
    expect((await get("/")).body).toBe("gone");
  });

  it.each([400, 403, 406, 429, 503])("stays when a background refresh is answered with %i", async (status) => {
    let runs = 0;
    const { app, get } = testApp(cache);
    const stale = { "cache-control": "max-age=0, stale-while-revalidate=60" };
    app.get("/", (c) => (++runs > 1 ? c.text("no", status as 400) : c.text("page", 200, stale)));
    await get("/");
    await get("/");
    await until(() => runs === 2, { what: "the refresh" });
    const after = await ask(() => get("/"), 20);
    expect(after.every(({ body }) => body === "page")).toBe(true);
    // The pause after a refresh that brought nothing.
    expect(runs).toBe(2);
  });
});

it("an error to one request with nothing stored lets the next one try, and others wait for that", async () => {
  const handler = new GatedHandler();
  const { app, get } = testApp(cache);
  app.get("/", (c) =>
    handler.run(() => (c.req.header("accept") === "bad" ? c.text("no", 406) : c.text("page", 200, FRESH))),
  );
  const bad = get("/", { headers: { accept: "bad" } });
  await handler.release();
  expect((await bad).status).toBe(406);
  const all = ask(() => get("/"));
  await handler.release();
  expect((await all).every(({ body }) => body === "page")).toBe(true);
  expect(handler.begun).toBe(2);
});

it("a refresh that middleware outside answers is done in the foreground from then on", async () => {
  let runs = 0;
  const { app, get, errors } = testApp(cache, {}, (outer) => {
    outer.use(async (c, next) => (c.req.header("x-key") ? next() : c.text("who are you?", 401)));
  });
  app.get("/", (c) => c.text(`page ${++runs}`, 200, { "cache-control": "max-age=0, stale-while-revalidate=60" }));
  const withKey = { headers: { "x-key": "1" } };
  await get("/", withKey);
  expect((await get("/", withKey)).body).toBe("page 1");
  await until(() => errors.length > 0, { what: "the refresh that was refused" });
  expect(String(errors[0])).toMatch(/did not reach httpCache/);
  expect((await get("/", withKey)).body).toBe("page 2");
  expect((await get("/", withKey)).body).toBe("page 3");
});

describe("the middleware twice on one route", () => {
  it("handles a request once, and says so once", async () => {
    const { app, get, http } = testApp(cache);
    let runs = 0;
    app.get("/twice", http, (c) => c.text(`page ${++runs}`, 200, FRESH));
    const warnings: unknown[] = [];
    const { warn } = console;
    console.warn = (text) => warnings.push(text);
    try {
      const all = await ask(() => get("/twice"));
      expect(all.every(({ body }) => body === "page 1")).toBe(true);
      await get("/twice", RELOAD);
    } finally {
      console.warn = warn;
    }
    expect(warnings).toHaveLength(1);
    expect(String(warnings[0])).toMatch(/registered twice for GET \/twice.*cacheName/);
  });
});
