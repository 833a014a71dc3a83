import fc from "fast-check";
import { parseList } from "structured-headers";
import { describe, expect, it } from "vitest";
import { appendCacheStatus, cacheStatus, type Handling } from "../../../src/http/rfc/cache-status.js";
import { fieldsFromOrigin, fieldsFromStore } from "../../../src/http/rfc/stored-response.js";
import { fields } from "./exchanges.js";

const status = cacheStatus("edge");

describe("Cache-Status (RFC 9211 §2)", () => {
  it("describes a hit, with what is left of its lifetime", () => {
    expect(status({ how: "hit" })).toBe("edge; hit");
    expect(status({ how: "hit", ttlMs: 376_900 })).toBe("edge; hit; ttl=376");
  });

  it("describes a stale hit by a negative lifetime, however little it is stale", () => {
    expect(status({ how: "hit", ttlMs: -412_000 })).toBe("edge; hit; ttl=-412");
    expect(status({ how: "hit", ttlMs: -1 })).toBe("edge; hit; ttl=-1");
    expect(status({ how: "hit", ttlMs: 0 })).toBe("edge; hit; ttl=0");
  });

  it("says why a request went forward, and what became of it", () => {
    expect(status({ how: "uri-miss", stored: true, collapsed: true })).toBe("edge; fwd=uri-miss; stored; collapsed");
    expect(status({ how: "uri-miss", collapsed: false })).toBe("edge; fwd=uri-miss; collapsed=?0");
    expect(status({ how: "stale", forwardedStatus: 304, ttlMs: 60_000, stored: true })).toBe(
      "edge; fwd=stale; fwd-status=304; ttl=60; stored",
    );
  });

  it("says nothing of forwarding for a hit", () => {
    expect(status({ how: "hit", stored: true, collapsed: true, forwardedStatus: 200 })).toBe("edge; hit");
  });

  it("shows the key and a detail as strings", () => {
    expect(status({ how: "hit", key: 'a"b\\c', detail: "two words" })).toBe(
      'edge; hit; key="a\\"b\\\\c"; detail="two words"',
    );
    expect(status({ how: "hit", detail: "MEMORY" })).toBe("edge; hit; detail=MEMORY");
  });

  it("names the cache by a token or by a string", () => {
    expect(cacheStatus("CDN Company Here")({ how: "hit" })).toBe('"CDN Company Here"; hit');
    expect(cacheStatus("1st")({ how: "hit" })).toBe('"1st"; hit');
  });

  it("keeps what caches nearer to the origin wrote (§2)", () => {
    expect(appendCacheStatus(fields({ "cache-status": ["a; hit", "b; fwd=miss"] }), "edge; hit")).toEqual([
      ["cache-status", "a; hit, b; fwd=miss, edge; hit"],
    ]);
    expect(appendCacheStatus(fields({ "cache-status": "" }), "edge; hit")).toEqual([["cache-status", "edge; hit"]]);
  });

  it("can be read as the structured field that it is, whatever it says (RFC 9651)", () => {
    const handling: fc.Arbitrary<Handling> = fc.record(
      {
        how: fc.constantFrom("hit", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"),
        ttlMs: fc.integer(),
        forwardedStatus: fc.integer({ min: 100, max: 599 }),
        stored: fc.boolean(),
        collapsed: fc.boolean(),
        key: fc.string({ unit: "binary" }),
        detail: fc.string({ unit: "binary" }),
      },
      { requiredKeys: ["how"] },
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), handling, (name, described) => {
        const [member, ...others] = parseList(cacheStatus(name)(described));
        expect(others).toEqual([]);
        const parameters = member?.[1] ?? new Map();
        expect(parameters.get("hit")).toBe(described.how === "hit" ? true : undefined);
        expect(parameters.get("fwd")?.toString()).toBe(described.how === "hit" ? undefined : described.how);
        expect(parameters.has("ttl")).toBe(described.ttlMs !== undefined);
      }),
    );
  });
});

describe("an answer", () => {
  it("from the store has its age now, in the place of any other, and its own Date (RFC 9111 §4)", () => {
    expect(fieldsFromStore(fields({ date: "d", age: "1", a: "2" }), 3_999, "edge; hit")).toEqual(
      fields({ date: "d", a: "2", age: "3", "cache-status": "edge; hit" }),
    );
    expect(fieldsFromStore(fields({}), 0, "x")).toContainEqual(["age", "0"]);
  });

  it("from the origin has no fields of the connection to it (RFC 9110 §7.6.1)", () => {
    const got = fields({ connection: "a", a: "1", "transfer-encoding": "chunked", age: "5", "set-cookie": "b=1" });
    expect(fieldsFromOrigin(got, "edge; fwd=miss")).toEqual(
      fields({ age: "5", "set-cookie": "b=1", "cache-status": "edge; fwd=miss" }),
    );
  });
});
