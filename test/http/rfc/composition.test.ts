import { describe, expect, it } from "vitest";
import { fieldValue } from "../../../src/http/rfc/message.js";
import { date, type Lines } from "./exchanges.js";
import { field, TinyCache } from "./tiny-cache.js";

const FRESH: Lines = { "cache-control": "max-age=60" };
const LM = date(-100);

describe("the policy as a cache", () => {
  it("answers from the store, with Age and Cache-Status", () => {
    const cache = new TinyCache().answer({ ...FRESH, a: "1" });
    expect(field(cache.send(), "cache-status")).toBe("tiny; fwd=uri-miss; stored");
    cache.pass(3);
    const hit = cache.send();
    expect([field(hit, "age"), field(hit, "date"), field(hit, "a")]).toEqual(["3", date(0), "1"]);
    expect(field(hit, "cache-status")).toBe("tiny; hit; ttl=57");
    expect(cache.asked).toHaveLength(1);
  });

  it("validates what is stale, and is fresh again after a 304", () => {
    const cache = new TinyCache().answer({ ...FRESH, etag: '"1"', a: "old", b: "kept" });
    cache.send();
    cache.pass(60);
    const validated = cache.answer({ etag: '"1"', a: "new" }, 304).send();
    expect(fieldValue(cache.asked[1]?.fields ?? [], "if-none-match")).toBe('"1"');
    expect([validated.status, field(validated, "a"), field(validated, "b"), validated.body]).toEqual([
      200,
      "new",
      "kept",
      "0123456789",
    ]);
    expect(field(validated, "cache-status")).toBe("tiny; fwd=stale; fwd-status=304; stored");
    cache.pass(59);
    expect(field(cache.send(), "cache-status")).toBe("tiny; hit; ttl=1");
  });

  it("answers conditions on a miss itself, and stores all of the response", () => {
    const cache = new TinyCache().answer({ ...FRESH, etag: '"1"', "last-modified": LM });
    const first = cache.send({ "if-none-match": '"1"', range: "bytes=0-1" });
    expect([first.status, first.body, field(first, "etag")]).toEqual([304, "", '"1"']);
    expect(cache.asked[0]?.fields).toEqual([]);
    const second = cache.send({ range: "bytes=2-4" });
    expect([second.status, second.body, field(second, "content-range")]).toEqual([206, "234", "bytes 2-4/10"]);
    expect(cache.send({ range: "bytes=10-" }).status).toBe(416);
    expect(cache.send({ "if-modified-since": LM }).status).toBe(304);
  });

  it("validates for a client's own condition, then answers that", () => {
    const cache = new TinyCache().answer({ ...FRESH, "last-modified": LM });
    cache.send();
    cache.pass(60);
    const answer = cache.answer({ "last-modified": LM }, 304).send({ "if-modified-since": LM });
    expect([answer.status, cache.asked.length]).toEqual([304, 2]);
  });

  it("keeps variants apart, and the latest of each", () => {
    const varied = { ...FRESH, vary: "Foo" };
    const cache = new TinyCache().answer(varied, 200, "one").answer(varied, 200, "two");
    cache.send({ foo: "1" });
    expect(field(cache.send({ foo: "2" }), "cache-status")).toBe("tiny; fwd=vary-miss; stored");
    expect([cache.send({ foo: "1" }).body, cache.send({ foo: "2" }).body]).toEqual(["one", "two"]);
    expect(cache.asked).toHaveLength(2);
  });

  it("serves stale while it revalidates, for the window only, and has the new response after", () => {
    const has = { "cache-control": "max-age=1, stale-while-revalidate=4", etag: '"1"' };
    const cache = new TinyCache().answer(has, 200, "old");
    cache.send();
    cache.pass(3);
    expect(cache.answer({ "cache-control": "no-cache", etag: '"2"' }, 200, "new").send().body).toBe("old");
    expect(cache.answer({ etag: '"2"' }, 304).send().body).toBe("new");
    expect(cache.asked).toHaveLength(3);
  });

  it("serves stale for an error only where that is allowed", () => {
    const allowed = new TinyCache().answer({ "cache-control": "max-age=1, stale-if-error=60" });
    const forbidden = new TinyCache().answer({ "cache-control": "max-age=1, must-revalidate" });
    for (const cache of [allowed, forbidden]) {
      cache.send();
      cache.pass(3);
      cache.answer({}, 503, "down");
    }
    expect([allowed.send().status, forbidden.send().status]).toEqual([200, 503]);
    expect(field(allowed.send(), "cache-status")).toBe("tiny; hit; ttl=-2");
    expect(() => forbidden.send()).toThrow("unreachable");
  });

  it("invalidates after an unsafe method that succeeds, and not after one that fails", () => {
    const cache = new TinyCache().answer(FRESH);
    cache.send();
    cache.answer({}, 500).send({}, "PUT");
    expect(field(cache.send(), "cache-status")).toBe("tiny; hit; ttl=60");
    cache.answer({}, 204).send({}, "PUT");
    expect(field(cache.answer(FRESH).send(), "cache-status")).toBe("tiny; fwd=uri-miss; stored");
  });

  it("answers GET with what a POST stored", () => {
    const cache = new TinyCache().answer({ ...FRESH, "content-location": "/things?b=2&a=1" }, 200, "posted");
    cache.send({}, "POST");
    expect(cache.send().body).toBe("posted");
  });

  it("answers HEAD from a stored GET, and lets HEAD freshen it, or not", () => {
    const cache = new TinyCache().answer({ ...FRESH, etag: '"1"' });
    cache.send();
    expect(cache.send({}, "HEAD")).toMatchObject({ status: 200, body: "" });
    cache.pass(61);
    cache.answer({ etag: '"1"', "cache-control": "max-age=1000" }, 200, "").send({}, "HEAD");
    expect(cache.send().body).toBe("0123456789");
    cache.pass(1_001);
    cache.answer({ etag: '"2"', "cache-control": "max-age=1000" }, 200, "").send({}, "HEAD");
    expect(cache.answer({ ...FRESH, etag: '"2"' }, 200, "new").send().body).toBe("new");
  });

  it("says 504 to a client that wants nothing but a stored response", () => {
    const cache = new TinyCache();
    expect(cache.send({ "cache-control": "only-if-cached" }).status).toBe(504);
    expect(cache.asked).toEqual([]);
  });

  it("gives no client another one's response", () => {
    const secrets: [Lines, Lines][] = [
      [{}, { "cache-control": "private, max-age=60" }],
      [{ authorization: "Bearer a" }, FRESH],
      [{ cookie: "session=a" }, FRESH],
      [{ "x-user": "a" }, { ...FRESH, vary: "X-User" }],
      [{ "x-user": "a" }, { ...FRESH, vary: ["accept", " *"] }],
    ];
    for (const [asked, got] of secrets) {
      const cache = new TinyCache({ defaultTtl: 60 }).answer(got, 200, "secret").answer({}, 200, "other");
      cache.send(asked);
      expect(cache.send({}).body).toBe("other");
    }
  });
});
