import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { date, evaluate, type Lines, NOW, request, response, stored, URL_OF_TESTS, whyNot } from "./exchanges.js";

const FRESH: Lines = { "cache-control": "max-age=60" };
const cc = (value: string | string[]): Lines => ({ "cache-control": value });
const names = (lines: Lines): string[] => stored(lines).fields.map(([name]) => name);

describe("storing responses (RFC 9111 §3)", () => {
  it("stores a response to GET that says how long it is fresh", () => expect(whyNot(FRESH)).toBeUndefined());

  it.each(["HEAD", "PUT", "DELETE", "OPTIONS", "get", "M-SEARCH", "PATCH"])("stores no response to %s", (method) => {
    expect(whyNot(FRESH, 200, {}, request({}, method))).toBe("method");
  });

  it.each([200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599])(
    "stores a %i with explicit freshness",
    (status) => expect(whyNot(FRESH, status)).toBeUndefined(),
  );

  it.each([100, 101, 102, 103, 199, 600, 0, Number.NaN])("stores no %f, which is not final", (status) => {
    expect(whyNot(FRESH, status)).toBe("status");
  });

  it("stores no 304, as it is only a part of a response", () => expect(whyNot(FRESH, 304)).toBe("status"));

  it("stores a 206 with exactly the range that was asked for, to be selected by Range (§3.3)", () => {
    const asked = (range?: string) => request(range === undefined ? {} : { range });
    const why = (lines: Lines, range?: string) => whyNot({ ...FRESH, ...lines }, 206, {}, asked(range));
    const lines = { "content-range": "bytes 2-4/10" };
    expect(why(lines, "bytes=2-4")).toBeUndefined();
    expect(why({ "content-range": "bytes 2-9/10" }, "bytes=2-")).toBeUndefined();
    expect(why({ "content-range": "bytes 7-9/10", "content-length": "3" }, "bytes=-3")).toBeUndefined();
    for (const other of [undefined, "bytes=2-5", "bytes=1-4", "bytes=2-", "bytes=-3", "bytes=2-4,6-7", "lines=2-4"])
      expect(why(lines, other)).toBe("status");
    for (const unknown of ["bytes 2-4/*", "bytes 2-4", "bytes */10", "bytes 4-2/10", "lines 2-4/10", ""])
      expect(why({ "content-range": unknown }, "bytes=2-4")).toBe("status");
    expect(why({ ...lines, "content-length": "4" }, "bytes=2-4")).toBe("status");
    const result = evaluate(response({ ...FRESH, ...lines, vary: "Foo" }, 206), {}, asked("bytes=2-4"));
    expect(result).toMatchObject({ storable: true, stored: { vary: ["foo", "range"] } });
  });

  it.each([401, 407, 408, 412, 413, 416, 417, 421, 425, 426, 428, 429, 431, 511])(
    "stores no %i, as it is about one request, not about its URL",
    (status) => expect(whyNot(FRESH, status)).toBe("status"),
  );

  it("stores only the statuses that are configured", () => {
    expect(whyNot(FRESH, 404, { cacheableStatusCodes: [200, 301] })).toBe("status");
    expect(whyNot(FRESH, 301, { cacheableStatusCodes: [200, 301] })).toBeUndefined();
  });

  it("stores nothing with no-store, whatever else it says", () => {
    expect(whyNot(cc("no-store"))).toBe("no-store");
    expect(whyNot({ ...cc("max-age=10000, No-StOrE"), expires: date(10_000), etag: '"1"' })).toBe("no-store");
    expect(whyNot(cc(["public, max-age=60", "no-store"]))).toBe("no-store");
  });

  it("stores nothing with private", () => {
    expect(whyNot(cc("private, max-age=60"))).toBe("private");
    expect(whyNot(cc("public, PRIVATE, s-maxage=60"))).toBe("private");
  });

  it("stores nothing for a request with no-store (§5.2.1.5)", () => {
    expect(whyNot(FRESH, 200, { requestDirectives: false }, request(cc("no-store")))).toBe("no-store");
  });

  it("doesn't store a stream of events", () => {
    expect(whyNot({ ...FRESH, "content-type": "Text/Event-Stream; charset=utf-8" })).toBe("stream");
    expect(whyNot({ ...FRESH, "content-type": "text/event-streams" })).toBeUndefined();
  });

  it("doesn't store what would never be of use", () => {
    expect(whyNot(cc("max-age=0"))).toBe("useless");
    expect(whyNot(cc("no-cache"))).toBe("useless");
    expect(whyNot({ ...cc("max-age=60, must-revalidate"), age: "120" })).toBe("useless");
    expect(whyNot(cc("s-maxage=0, stale-while-revalidate=60"))).toBe("useless");
    expect(whyNot({ ...cc("max-age=0"), etag: '"1"' }, 404)).toBe("useless");
  });

  it("stores what came after its lifetime: it can be asked for by max-stale, or make up for an origin that is gone (RFC 9111 §4.2.4)", () => {
    const late = { ...cc("max-age=60"), age: "120" };
    expect(whyNot(late)).toBeUndefined();
    expect(whyNot(late, 200, { requestDirectives: false, staleIfUnreachable: false })).toBe("useless");
  });

  it("stores what is stale from the start when it can be validated, or served stale", () => {
    expect(whyNot({ ...cc("no-cache"), etag: '"1"' })).toBeUndefined();
    expect(whyNot({ ...cc("max-age=0"), "last-modified": date(-100) })).toBeUndefined();
    expect(whyNot({ expires: date(-5000), "last-modified": date(-100_000) })).toBeUndefined();
    expect(whyNot(cc("max-age=0, stale-while-revalidate=60"))).toBeUndefined();
    expect(whyNot(cc("max-age=0, stale-if-error=60"))).toBeUndefined();
  });
});

describe("must-understand (RFC 9111 §5.2.2.3)", () => {
  const value = cc("max-age=3600, no-store, must-understand");

  it("overrides no-store for a status that is understood", () => expect(whyNot(value)).toBeUndefined());

  it("keeps a status from being stored that is not understood", () => {
    expect(whyNot(value, 599)).toBe("status");
    expect(whyNot(cc("max-age=3600, must-understand"), 599)).toBe("status");
  });

  it("doesn't override private, nor the request's no-store", () => {
    expect(whyNot(cc("max-age=60, private, no-store, must-understand"))).toBe("private");
    expect(whyNot(value, 200, {}, request(cc("no-store")))).toBe("no-store");
  });
});

describe("responses to authorized requests (RFC 9111 §3.5)", () => {
  const asked = request({ authorization: "Bearer x" });

  it("are not stored even with explicit freshness", () => {
    expect(whyNot(FRESH, 200, {}, asked)).toBe("authorization");
    expect(whyNot({ expires: date(60) }, 200, {}, asked)).toBe("authorization");
    expect(whyNot({}, 200, { defaultTtl: 60 }, asked)).toBe("authorization");
    expect(whyNot({ "cdn-cache-control": "max-age=60" }, 200, {}, asked)).toBe("authorization");
    expect(whyNot(cc("max-age=60, proxy-revalidate, immutable"), 200, {}, asked)).toBe("authorization");
  });

  it.each(["max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"])("are stored with %j", (value) => {
    expect(whyNot(cc(value), 200, {}, asked)).toBeUndefined();
  });
});

describe("responses to POST (RFC 9110 §9.3.3)", () => {
  const asked = request({}, "POST");
  const own: Lines = { ...FRESH, "content-location": "/things?b=2&a=1" };

  it("are stored for GET when they are the content of their URL and explicitly fresh", () => {
    expect(whyNot(own, 200, {}, asked)).toBeUndefined();
    expect(whyNot({ ...own, "content-location": URL_OF_TESTS }, 200, {}, asked)).toBeUndefined();
  });

  it("are not stored otherwise", () => {
    expect(whyNot(FRESH, 200, {}, asked)).toBe("method");
    expect(whyNot({ ...own, "content-location": "/things" }, 200, {}, asked)).toBe("method");
    expect(whyNot({ ...own, "content-location": "https://other.example/things?b=2&a=1" }, 200, {}, asked)).toBe(
      "method",
    );
    expect(whyNot({ ...own, "content-location": "http://[" }, 200, {}, asked)).toBe("method");
    expect(whyNot({ "content-location": URL_OF_TESTS, "last-modified": date(-100) }, 200, {}, asked)).toBe("method");
    expect(whyNot(own, 201, {}, asked)).toBe("method");
  });

  it("are not stored for a request that no GET could stand for", () => {
    expect(whyNot(own, 200, {}, request({ cookie: "a=1" }, "POST"))).toBe("method");
    expect(whyNot(own, 200, {}, request({ "x-http-method-override": "PUT" }, "POST"))).toBe("method");
  });
});

describe("stored fields (RFC 9111 §3.1)", () => {
  it("are all that were received, also unknown ones, in their order", () => {
    expect(stored({ ...FRESH, "x-unknown": ["1", "2"], "content-range": "odd", "set-cookie2": "a=b" }).fields).toEqual([
      ["date", date(0)],
      ["cache-control", "max-age=60"],
      ["x-unknown", "1"],
      ["x-unknown", "2"],
      ["content-range", "odd"],
      ["set-cookie2", "a=b"],
    ]);
  });

  it("are without Connection and what it lists", () => {
    expect(names({ ...FRESH, Connection: ["A, close", "b"], a: "1", b: "2", c: "3" })).toEqual([
      "date",
      "cache-control",
      "c",
    ]);
  });

  it.each([
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
  ])("are without %s", (name) => expect(names({ ...FRESH, [name]: "x" })).toEqual(["date", "cache-control"]));

  it("are without those that no-cache and private name (§§5.2.2.4, 5.2.2.7)", () => {
    expect(names({ ...cc('max-age=60, no-cache="a, B", private="c"'), a: "1", b: "2", c: "3", d: "4" })).toEqual([
      "date",
      "cache-control",
      "d",
    ]);
    expect(stored({ ...cc('max-age=60, no-cache="a"'), a: "1" }).alwaysValidate).toBe(false);
  });

  it("are decided upon before any is left out", () => {
    expect(whyNot({ ...FRESH, connection: "vary, cache-control", vary: "*" })).toBe("vary");
    expect(stored({ ...FRESH, connection: "vary", vary: "accept" }).vary).toEqual(["accept"]);
  });

  it("have the Date of arrival where the origin gave none (RFC 9110 §6.6.1), and their own Date else", () => {
    const without = { status: 200, fields: response(FRESH).fields.filter(([name]) => name !== "date") };
    const result = evaluate(without, {}, request(), { requestTimeMs: NOW, responseTimeMs: NOW + 5_400 });
    expect(result.storable && result.stored.fields.at(-1)).toEqual(["date", date(5)]);
    expect(stored({ ...FRESH, date: date(-9) }).fields[0]).toEqual(["date", date(-9)]);
    expect(stored({ ...FRESH, date: "foo" }).fields[0]).toEqual(["date", "foo"]);
  });

  it("are without Age, which is kept as a number", () => {
    const result = stored({ ...FRESH, age: "7" });
    expect(result.initialAgeMs).toBe(7_000);
    expect(result.fields.map(([name]) => name)).not.toContain("age");
  });
});

describe("Set-Cookie", () => {
  it("is never stored", () => {
    expect(names({ ...FRESH, "Set-Cookie": ["a=1", "b=2"] })).toEqual(["date", "cache-control"]);
    expect(names({ ...cc("public, s-maxage=60"), "set-cookie": "a=1" })).not.toContain("set-cookie");
  });

  it("keeps a response from being stored whose lifetime would be a guess", () => {
    expect(whyNot({ "set-cookie": "a=1", "last-modified": date(-36_000) })).toBe("set-cookie");
    expect(whyNot({ "set-cookie": "a=1" }, 200, { defaultTtl: 60 })).toBe("set-cookie");
  });
});

describe("what no client may get from the store", () => {
  const decoys = fc.constantFrom(
    "public",
    "max-age=600",
    "s-maxage=600",
    'a="b, c"',
    "immutable",
    "x",
    "must-revalidate",
  );
  const forbidden = fc.constantFrom("no-store", "private");
  const anyCase = (word: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .tuple(word, fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }))
      .map(([text, upper]) => Array.from(text, (c, i) => (upper[i] ? c.toUpperCase() : c)).join(""));
  const space = fc.stringMatching(/^[ \t]{0,3}$/);

  it("is not stored, in any case, between any other directives, split over any lines", () => {
    const lines = fc.array(fc.array(decoys, { maxLength: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(anyCase(forbidden), space, space, lines, lines, (word, before, after, first, last) => {
        const value = [...first, [`${before}${word}${after}`], ...last].map((line) => line.join(","));
        const status = whyNot({ "cache-control": value, expires: date(600), etag: '"1"' });
        expect(["no-store", "private"]).toContain(status);
      }),
    );
  });

  it("is not stored with any Vary that has a star", () => {
    const members = fc.array(fc.constantFrom("accept", "", "*", " * ", "\t*", "x-y", "Cookie"), { minLength: 1 });
    fc.assert(
      fc.property(members, fc.nat(3), (list, at) => {
        const vary = [list.slice(0, at).join(","), list.slice(at).join(", ")];
        const hasStar = list.some((member) => member.includes("*"));
        expect(whyNot({ ...FRESH, vary })).toBe(hasStar ? "vary" : undefined);
      }),
    );
  });

  it("never makes the policy throw", () => {
    const name = fc.constantFrom(
      "cache-control",
      "vary",
      "date",
      "expires",
      "age",
      "etag",
      "cdn-cache-control",
      "connection",
    );
    const line = fc.tuple(name, fc.oneof(fc.string(), fc.string({ unit: "binary" })));
    fc.assert(
      fc.property(fc.array(line), fc.array(line), fc.integer(), (asked, got, status) => {
        const result = evaluate({ status, fields: got }, { defaultTtl: 60 }, { ...request(), fields: asked });
        expect(typeof result.storable).toBe("boolean");
      }),
    );
  });
});
