import { describe, expect, it } from "vitest";
import type { PolicyOptions } from "../../../src/http/rfc/policy.js";
import { DAY, date, HOUR, type Lines, SECOND, stored, whyNot } from "./exchanges.js";

const ETAG = { etag: '"1"' };
/** In milliseconds. The ETag lets also a response that is never fresh be stored. */
const lifetime = (lines: Lines, status = 200, options: PolicyOptions = {}): number =>
  stored({ ...ETAG, ...lines }, status, options).lifetimeMs;
const cc = (value: string): Lines => ({ "cache-control": value });

describe("freshness lifetime (RFC 9111 §4.2.1)", () => {
  it("comes from max-age", () => expect(lifetime(cc("max-age=60"))).toBe(60 * SECOND));

  it("comes from s-maxage rather than max-age, be it longer or shorter, in any order and on any line", () => {
    expect(lifetime(cc("max-age=3600, s-maxage=1"))).toBe(SECOND);
    expect(lifetime(cc("s-maxage=1, max-age=3600"))).toBe(SECOND);
    expect(lifetime({ "cache-control": ["max-age=3600", "s-maxage=1"] })).toBe(SECOND);
    expect(lifetime(cc("max-age=1, s-maxage=3600"))).toBe(HOUR);
  });

  it("comes from max-age rather than Expires, be that past, future or invalid (§5.3)", () => {
    expect(lifetime({ ...cc("max-age=60"), expires: date(-7200) })).toBe(60 * SECOND);
    expect(lifetime({ ...cc("max-age=60"), expires: "0" })).toBe(60 * SECOND);
    expect(lifetime({ ...cc("max-age=0"), expires: date(3600) })).toBe(0);
    expect(lifetime({ ...cc("max-age=0, s-maxage=3600"), expires: date(-10) })).toBe(HOUR);
  });

  it("is Expires less Date", () => {
    expect(lifetime({ expires: date(3600) })).toBe(HOUR);
    expect(lifetime({ expires: date(300), date: date(400) })).toBe(0);
    expect(lifetime({ expires: date(500), date: date(400) })).toBe(100 * SECOND);
    expect(lifetime({ expires: date(0) })).toBe(0);
  });

  it("is Expires less the time of arrival, where Date is none", () => {
    expect(lifetime({ expires: date(10), date: "foo" })).toBe(10 * SECOND);
  });

  it.each(["0", "-1", "Thu, 18 Aug 2050 02:01:18 UTC", "Thu, 18 Aug 2050 2:01:18 GMT", "tomorrow", ""])(
    "has passed when Expires is %j (§5.3)",
    (expires) => expect(lifetime({ expires, "last-modified": date(-DAY) })).toBe(0),
  );

  it("has passed when there are two Expires", () => {
    expect(lifetime({ expires: [date(100), date(200)] })).toBe(0);
  });

  it("reaches far beyond 2038", () => {
    expect(lifetime({ expires: "Sun, 21 Nov 2286 04:46:39 GMT" })).toBeGreaterThan(250 * 365 * DAY);
  });
});

describe("heuristic freshness (RFC 9111 §4.2.2)", () => {
  const modified = (secondsAgo: number): Lines => ({ "last-modified": date(-secondsAgo) });

  it("is a tenth of the time since Last-Modified", () => expect(lifetime(modified(36_000))).toBe(HOUR));

  it("is no longer than a day, unless configured", () => {
    expect(lifetime(modified((365 * DAY) / SECOND))).toBe(DAY);
    expect(lifetime(modified((365 * DAY) / SECOND), 200, { heuristicLimit: "1h" })).toBe(HOUR);
  });

  it("is switched off by a fraction of 0", () => {
    expect(whyNot(modified(36_000), 200, { heuristicFraction: 0 })).toBe("no-lifetime");
  });

  it.each([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])("is given to %i", (status) => {
    expect(whyNot(modified(36_000), status)).toBeUndefined();
  });

  it.each([201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599])("is not given to %i", (status) => {
    expect(whyNot(modified(36_000), status)).toBe("no-lifetime");
  });

  it("is given to any status marked public", () => {
    expect(whyNot({ ...modified(36_000), ...cc("public") }, 599)).toBeUndefined();
    expect(whyNot({ ...modified(36_000), ...cc("public") }, 302)).toBeUndefined();
  });

  it("is not given to errors where that is configured", () => {
    expect(whyNot(modified(36_000), 404, { heuristicErrors: false })).toBe("no-lifetime");
    expect(whyNot(modified(36_000), 301, { heuristicErrors: false })).toBeUndefined();
  });

  it("is not used beside explicit freshness, be it stale or invalid", () => {
    expect(lifetime({ ...modified(36_000), ...cc("max-age=0") })).toBe(0);
    expect(lifetime({ ...modified(36_000), ...cc("max-age=x") })).toBe(0);
  });

  it("is not used where Pragma says no-cache (§5.4)", () => {
    expect(whyNot({ ...modified(36_000), pragma: "no-cache" })).toBe("no-lifetime");
    expect(lifetime({ ...cc("max-age=60"), pragma: "no-cache" })).toBe(60 * SECOND);
  });

  it("is nothing for a Last-Modified that is no date, or after Date", () => {
    expect(whyNot({ "last-modified": "yesterday" })).toBe("no-lifetime");
    expect(whyNot(modified(-100))).toBe("no-lifetime");
  });
});

describe("default lifetime", () => {
  it("is off: a response that says nothing is not stored", () => {
    expect(whyNot({})).toBe("no-lifetime");
    expect(whyNot(ETAG)).toBe("no-lifetime");
  });

  it("is given, where configured, to what says nothing itself, and goes before the heuristic", () => {
    expect(stored({}, 200, { defaultTtl: "1m" }).lifetimeMs).toBe(60 * SECOND);
    expect(lifetime({ "last-modified": date(-36_000) }, 200, { defaultTtl: 5 })).toBe(5 * SECOND);
    expect(lifetime(cc("max-age=1"), 200, { defaultTtl: 60 })).toBe(SECOND);
    expect(lifetime({ expires: "0" }, 200, { defaultTtl: 60 })).toBe(0);
  });

  it("is never given to errors, nor to what is not heuristically cacheable", () => {
    for (const status of [302, 400, 404, 410, 500, 501, 503]) {
      expect(whyNot({}, status, { defaultTtl: 60 })).toBe("no-lifetime");
    }
  });
});

describe("targeted fields (RFC 9213 §2.2)", () => {
  const cdn = (value: string, lines: Lines = {}): Lines => ({ "cdn-cache-control": value, ...lines });

  it("take the place of Cache-Control and Expires", () => {
    expect(lifetime(cdn("max-age=3600", cc("max-age=1")))).toBe(HOUR);
    expect(lifetime(cdn("max-age=1", cc("max-age=3600")))).toBe(SECOND);
    expect(lifetime(cdn("max-age=3600", { expires: date(-10_000) }))).toBe(HOUR);
    expect(lifetime(cdn("max-age=0", { expires: date(10_000) }))).toBe(0);
    expect(lifetime(cdn("max-age=3600", cc("no-store")))).toBe(HOUR);
    expect(whyNot(cdn("no-store", cc("max-age=3600")))).toBe("no-store");
    expect(whyNot(cdn("private", cc("max-age=3600")))).toBe("private");
    expect(stored({ ...ETAG, ...cdn("no-cache", cc("max-age=3600")) }).alwaysValidate).toBe(true);
  });

  it("leave a response without a lifetime when they give none", () => {
    expect(whyNot(cdn("none", { expires: date(3600), ...cc("max-age=60") }))).toBe("no-lifetime");
  });

  it("are read together when they come on several lines", () => {
    expect(lifetime({ "cdn-cache-control": ["max-age=60", "must-revalidate"] })).toBe(60 * SECOND);
  });

  it("are ignored when empty, or no dictionary (§2.1)", () => {
    for (const bad of ["", " ", "max-age=100, &&&", "MaX-aGe=100", "max-age =100", "max-age= 100", "max-age=100,"]) {
      expect(lifetime(cdn(bad, cc("max-age=1")))).toBe(SECOND);
    }
    expect(whyNot(cdn("max-age=100, &&&", cc("no-store")))).toBe("no-store");
  });

  it("are not coerced to the type that a directive has (§2.1)", () => {
    for (const wrong of [
      'max-age="100"',
      "max-age=100.0",
      "max-age=100.5",
      "max-age=?1",
      "max-age=a",
      "max-age=(1 2)",
    ]) {
      expect(whyNot(cdn(wrong, cc("max-age=60")))).toBe("no-lifetime");
    }
    expect(whyNot(cdn("max-age=60, no-store=1"))).toBeUndefined();
    expect(whyNot(cdn("max-age=60, private=?0"))).toBeUndefined();
  });

  it("distinguish an integer from a decimal only where it stands, and where it counts", () => {
    expect(lifetime(cdn('max-age=60, x="a, max-age=1.0"'))).toBe(60 * SECOND);
    expect(lifetime(cdn("max-age=1.0, max-age=60"))).toBe(60 * SECOND);
    expect(lifetime(cdn("max-age=60;x=1.0, y=2.0"))).toBe(60 * SECOND);
  });

  it("are stale when negative", () => expect(lifetime(cdn("max-age=-1", cc("max-age=60")))).toBe(0));

  it("may have directives that the cache doesn't know, and parameters", () => {
    expect(lifetime(cdn("foobar, max-age=60;x=1"))).toBe(60 * SECOND);
  });

  it("limit private and no-cache to fields with a string", () => {
    expect(stored(cdn('max-age=60, private="x-user"', { "x-user": "1" })).fields.map(([name]) => name)).not.toContain(
      "x-user",
    );
    expect(whyNot(cdn('max-age=60, private=""'))).toBe("private");
  });

  it("are looked up in the order given, and only those given", () => {
    const options = { targetedFields: ["Example-Cache-Control", "CDN-Cache-Control"] };
    const both = { ...cdn("max-age=1"), "example-cache-control": "max-age=2", "other-cache-control": "no-store" };
    expect(lifetime(both, 200, options)).toBe(2 * SECOND);
    expect(lifetime({ ...both, "example-cache-control": "x=" }, 200, options)).toBe(SECOND);
    expect(lifetime({ ...both, ...cc("max-age=3") }, 200, { targetedFields: [] })).toBe(3 * SECOND);
  });
});
