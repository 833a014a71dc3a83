import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Cache, createCache } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { testApp } from "./app.js";

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

describe("httpCache as its clients see it", () => {
  it("answers a HEAD from the response that a GET is waiting for (RFC 9111 §4)", async () => {
    const { app, get } = testApp(cache);
    const [asked, answered] = [deferred(), deferred()];
    let runs = 0;
    app.get("/", async (c) => {
      runs++;
      asked.resolve();
      await answered.promise;
      return c.text("body", 200, { "cache-control": "max-age=60" });
    });
    const first = get("/");
    await asked.promise;
    const second = get("/", { method: "HEAD" });
    answered.resolve();
    expect((await first).body).toBe("body");
    expect(await second).toMatchObject({ status: 200, body: "", how: expect.stringMatching(/^(?:hit|.*collapsed)/) });
    expect(runs).toBe(1);
  });

  it("doesn't keep a HEAD with credentials waiting for a GET (RFC 9111 §3.5)", async () => {
    const { app, get } = testApp(cache);
    const [asked, answered] = [deferred(), deferred()];
    let runs = 0;
    app.get("/", async (c) => {
      if (++runs === 1) {
        asked.resolve();
        await answered.promise;
      }
      return c.text("body", 200, { "cache-control": "max-age=60" });
    });
    const first = get("/");
    await asked.promise;
    expect(await get("/", { method: "HEAD", headers: { authorization: "x" } })).toMatchObject({ status: 200 });
    answered.resolve();
    await first;
    expect(runs).toBe(2);
  });

  it("answers a HEAD with a stale response when the origin fails, where nothing forbids it (RFC 9111 §4.2.4, RFC 5861 §4)", async () => {
    const { app, get } = testApp(cache);
    app.onError((_error, c) => c.text("failed", 500));
    let fails = false;
    const answer = (control: string) => (c: Context) => {
      if (fails && c.req.query("how") === "throws") throw new Error("gone");
      return fails ? c.text("failed", 503) : c.text("body", 200, { "cache-control": control, etag: '"1"' });
    };
    app.get("/mild", answer("max-age=0, stale-if-error=60"));
    app.get("/strict", answer("max-age=0, stale-if-error=60, must-revalidate"));
    for (const how of ["throws", "answers"]) {
      fails = false;
      await get(`/mild?how=${how}`);
      await get(`/strict?how=${how}`);
      fails = true;
      expect(await get(`/mild?how=${how}`, { method: "HEAD" })).toMatchObject({
        status: 200,
        how: expect.stringMatching(/^hit; ttl=-\d+$/),
      });
      expect((await get(`/strict?how=${how}`, { method: "HEAD" })).status).toBeGreaterThanOrEqual(500);
    }
  });

  it("answers only-if-cached with 504 where it has no say in a request, too (RFC 9111 §5.2.1.7)", async () => {
    const { app, get } = testApp(cache);
    app.get("/", () => expect.fail("the handler was asked"));
    const headers = { cookie: "a=1", "cache-control": "only-if-cached" };
    expect(await get("/", { headers })).toMatchObject({ status: 504, how: "fwd=miss" });
    expect(await get("/", { headers, method: "HEAD" })).toMatchObject({ status: 504, how: "fwd=miss" });
  });
});
