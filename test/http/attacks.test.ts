import { describe, expect, it } from "vitest";
import { bypassReason, UNKEYED_FIELDS } from "../../src/http/rfc/admission.js";
import { withoutFields } from "../../src/http/rfc/message.js";
import { cacheKey } from "../../src/http/rfc/target.js";
import { selector, varyNames } from "../../src/http/rfc/vary.js";
import { evaluate, fields, type Lines, request, response, stored, whyNot } from "./rfc/exchanges.js";

const FRESH: Lines = { "cache-control": "public, max-age=60" };
const KEY = { hosts: new Set(["example.com"]), maxUrlLength: 8_192, query: undefined };
const NO_COOKIES = { cookies: [] };

/** Whether a response to one request would be given to another. */
function isShared(vary: string | string[], one: Lines, other: Lines): boolean {
  const names = varyNames(fields({ vary }));
  return names !== "*" && selector(names, fields(one)) === selector(names, fields(other));
}

describe("unkeyed input", () => {
  it("by forwarding fields reaches neither the key nor the origin", () => {
    for (const name of ["x-forwarded-host", "x-forwarded-scheme", "x-forwarded-proto", "x-original-url", "forwarded"]) {
      expect(withoutFields(fields({ [name]: "evil" }), UNKEYED_FIELDS)).toEqual([]);
    }
  });

  it("by a host that isn't allowed is not stored", () => {
    expect(cacheKey("https://evil.example/", KEY)).toEqual({ refused: "host-not-allowed" });
  });

  it("by cookies keeps the request from the cache", () => {
    expect(bypassReason(request({ cookie: "session=1" }), false, NO_COOKIES)).toBe("cookie");
  });
});

describe("key collision", () => {
  it("by delimiters in the URL is not possible", () => {
    const keys = ["https://example.com/a:b", "https://example.com/a/1:b", "https://example.com:1/a:b"].map((url) =>
      JSON.stringify(cacheKey(url, { ...KEY, hosts: undefined })),
    );
    expect(new Set(keys).size).toBe(3);
  });

  it("by values of selecting fields is not possible", () => {
    expect(isShared("a, b", { a: "1-1:b=1", b: "" }, { a: "1", b: "1:b=1" })).toBe(false);
    expect(isShared("a, b", { a: "x" }, { a: "x1:b-" })).toBe(false);
  });
});

describe("a request that means something else than it seems", () => {
  it("by a body of its GET bypasses the cache", () => {
    expect(bypassReason(request(), true, NO_COOKIES)).toBe("body");
    expect(bypassReason(request({ "content-length": "5" }), false, NO_COOKIES)).toBe("body");
  });

  it("by an overridden method bypasses the cache", () => {
    expect(bypassReason(request({ "X-HTTP-Method-Override": "DELETE" }), false, NO_COOKIES)).toBe("method-override");
  });
});

describe("error poisoning", () => {
  it("needs an origin that says for how long its errors are fresh", () => {
    for (const status of [400, 403, 404, 405, 410, 414, 431, 500, 501, 502, 503]) {
      expect(whyNot({}, status, { defaultTtl: "1h" })).toMatch(/no-lifetime|status/);
      expect(whyNot({ "cache-control": "public", etag: '"1"' }, status, { defaultTtl: "1h" })).toMatch(
        /no-lifetime|status/,
      );
    }
  });

  it("by answers to oversized or odd requests is not possible even then", () => {
    for (const status of [408, 413, 416, 417, 425, 429, 431]) expect(whyNot(FRESH, status)).toBe("status");
  });
});

it("cache deception: a path that looks like a file gives a response no lifetime", () => {
  for (const path of ["/account/x.css", "/account/%2e%2e/logo.png", "/account;a.js"]) {
    const asked = request({}, "GET", `https://example.com${path}`);
    expect(evaluate(response({ "content-type": "text/html" }), {}, asked)).toEqual({
      storable: false,
      why: "no-lifetime",
    });
  }
});

describe("what has been a hole in frameworks' caches", () => {
  it("private and no-store in any case are obeyed", () => {
    for (const value of ["Private", "PRIVATE, max-age=60", "No-Store", "max-age=60,no-STORE"]) {
      expect(whyNot({ "cache-control": value })).toMatch(/private|no-store/);
    }
  });

  it("a star in Vary is recognised through white space, in lists and on a second line", () => {
    for (const vary of [" *", "*\t", "accept,*", ["accept", "*"], ["", " * "]]) {
      expect(whyNot({ ...FRESH, vary })).toBe("vary");
    }
  });

  it("Vary: Cookie and Vary: Authorization distinguish clients", () => {
    expect(isShared("Cookie", { cookie: "a=1" }, { cookie: "a=2" })).toBe(false);
    expect(isShared("Cookie", {}, { cookie: "a=2" })).toBe(false);
    expect(isShared("Authorization", { authorization: "Bearer a" }, { authorization: "Bearer b" })).toBe(false);
    expect(isShared(["Accept", "authorization"], { authorization: "Bearer a" }, {})).toBe(false);
  });

  it("an absent field is not an empty one", () => {
    expect(isShared("X-User", {}, { "x-user": "" })).toBe(false);
  });

  it("cookies that don't matter don't prevent sharing", () => {
    const cookies = { cookies: ["_ga"] };
    expect(bypassReason(request({ cookie: "_ga=1" }), false, cookies)).toBeUndefined();
    expect(isShared("Accept", { cookie: "_ga=1" }, { cookie: "_ga=2" })).toBe(true);
  });
});

it("Set-Cookie is given to no second client", () => {
  for (const value of ["max-age=60", "public, max-age=60", "s-maxage=60, must-revalidate"]) {
    const kept = stored({ "cache-control": value, "set-cookie": ["session=1; HttpOnly", "b=2"] });
    expect(JSON.stringify(kept)).not.toContain("session");
  }
});

it("a response to credentials is given to no second client unless it says so", () => {
  const asked = request({ authorization: "Basic x" });
  expect(whyNot({ "cache-control": "max-age=60" }, 200, {}, asked)).toBe("authorization");
  expect(whyNot({ "cache-control": "public, private, max-age=60" }, 200, {}, asked)).toBe("private");
});

describe("oversized and malformed input", () => {
  it("in fields is neither looked up nor stored", () => {
    for (const bad of ["a\r\nSet-Cookie: b=1", "a\0", "\u007f"]) {
      expect(bypassReason(request({ accept: bad }), false, NO_COOKIES)).toBe("malformed");
      expect(whyNot({ ...FRESH, "x-reflected": bad })).toBe("malformed");
    }
  });

  it("as a URL of 1 MB has no key", () => {
    expect(cacheKey(`https://example.com/${"a".repeat(2 ** 20)}`, KEY)).toEqual({ refused: "url-too-long" });
  });

  it("as a field of 256 kB is read in time that grows with its length alone", () => {
    const long = (unit: string): string => unit.repeat(2 ** 18 / unit.length);
    for (const unit of ["a", ",", '"', " ", "max-age=1,", '\\"', "; ", "=", "a b"]) {
      evaluate(response({ "cache-control": long(unit), vary: long(unit), expires: long(unit), etag: long(unit) }));
      evaluate(
        response({ "cdn-cache-control": long(unit), connection: long(unit) }),
        {},
        request({ cookie: long(unit) }),
      );
      bypassReason(request({ cookie: long(unit) }), false, NO_COOKIES);
    }
  });

  it("as 10,000 selecting values makes 10,000 selectors, each for itself", () => {
    const selectors = Array.from({ length: 10_000 }, (_, at) => selector(["x"], fields({ x: String(at) })));
    expect(new Set(selectors).size).toBe(10_000);
  });
});
