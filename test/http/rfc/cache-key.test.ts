import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { joinParts } from "../../../src/core/text.js";
import { type CacheKey, cacheKey } from "../../../src/http/rfc/target.js";

const key = (url: string, hosts?: string[]): CacheKey =>
  cacheKey(url, { hosts: hosts && new Set(hosts), maxUrlLength: 8_192, query: undefined });

describe("cache keys (RFC 9111 §2)", () => {
  it("are made of scheme, host and the rest as it is", () => {
    expect(key("https://example.com/a?b=2&a=1")).toMatchObject({ key: "5:https11:example.com10:/a?b=2&a=1" });
  });

  it("differ in scheme, host, port, path and query", () => {
    const urls = [
      "https://example.com/a",
      "http://example.com/a",
      "https://example.com:8443/a",
      "https://www.example.com/a",
      "https://example.com/a/",
      "https://example.com/A",
      "https://example.com/a?",
      "https://example.com/a?b",
      "https://example.com/a?b&c",
      "https://example.com/a?c&b",
    ];
    expect(new Set(urls.map((url) => JSON.stringify(key(url)))).size).toBe(urls.length);
  });

  it("decode nothing, and take no part for another", () => {
    const urls = ["/a%2Fb", "/a/b", "/a%2fb", "/a%3Fb", "/a?b", "/%61/b", "/a;b", "/a%00", "//a", "/a/../b"];
    const keys = urls.map((path) => JSON.stringify(key(`https://example.com${path}`)));
    expect(new Set(keys).size).toBe(urls.length);
  });

  it("don't depend on the case of scheme and host, nor on a fragment, nor on a missing path", () => {
    expect(key("HTTPS://EXAMPLE.com/a")).toEqual(key("https://example.com/a"));
    expect(key("https://example.com/a#b?c")).toEqual(key("https://example.com/a"));
    expect(key("https://example.com")).toEqual(key("https://example.com/"));
  });

  it("are refused for hosts that are not allowed", () => {
    expect(key("https://evil.example/", ["example.com"])).toEqual({ refused: "host-not-allowed" });
    expect(key("https://example.com:444/", ["example.com"])).toEqual({ refused: "host-not-allowed" });
    expect(key("https://Example.com/", ["example.com"])).toEqual(key("https://example.com/"));
  });

  it("are refused for URLs that are too long, without looking at them", () => {
    expect(key(`https://example.com/${"a".repeat(1_000_000)}`)).toEqual({ refused: "url-too-long" });
    expect(cacheKey("https://example.com/a", { hosts: undefined, maxUrlLength: 20, query: undefined })).toEqual({
      refused: "url-too-long",
    });
  });

  it.each(["/a", "example.com/a", "https:///a", "https://exa\nmple.com/", "https://example.com/\0", "mailto:a@b"])(
    "are refused for what is no URL: %j",
    (url) => expect(key(url)).toEqual({ refused: "malformed-url" }),
  );

  it("collide for no two lists of parts", () => {
    const parts = fc.array(fc.string({ unit: fc.constantFrom("a", "1", ":", "2", "") }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const same = one.length === other.length && one.every((part, at) => part === other[at]);
        expect(joinParts(one) === joinParts(other)).toBe(same);
      }),
    );
  });

  it("never throw", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.webUrl()), (url) => void key(url)));
  });
});
