import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCacheControl } from "../../../src/http/rfc/cache-control.js";
import { fromCacheControl, type ResponseDirectives } from "../../../src/http/rfc/response-policy.js";

const read = (value: string): ResponseDirectives => fromCacheControl(parseCacheControl(value));
const maxAge = (value: string): number | undefined => read(value).maxAgeMs;

describe("Cache-Control (RFC 9111 §5.2)", () => {
  it("reads directives without regard to case", () => {
    expect(read("No-StOrE").noStore).toBe(true);
    expect(read("PRIVATE").private).toBe(true);
    expect(maxAge("MaX-aGe=60")).toBe(60_000);
  });

  it("takes an argument as a token and as a quoted string", () => {
    expect(maxAge("max-age=60")).toBe(60_000);
    expect(maxAge('max-age="60"')).toBe(60_000);
  });

  it("looks for no directive in a quoted string", () => {
    expect(maxAge('extension="max-age=100", max-age=1')).toBe(1_000);
    expect(maxAge('max-age=1, extension="max-age=100"')).toBe(1_000);
    expect(read('extension="no-store, private"').noStore).toBe(false);
  });

  it("ignores directives that it doesn't know (§5.2.3)", () => {
    expect(read("foobar, x=1, max-age=60")).toMatchObject({ maxAgeMs: 60_000, noStore: false });
  });

  it("gives nothing for nothing", () => {
    expect(read("")).toMatchObject({ noStore: false, noCache: false, private: false, maxAgeMs: undefined });
  });
});

describe("delta-seconds (RFC 9111 §1.2.2)", () => {
  it("takes leading zeros", () => expect(maxAge("max-age=003600")).toBe(3_600_000));

  it("takes what is too large to represent for 2^31 seconds", () => {
    for (const digits of ["2147483648", "2147483649", "99999999999", "9".repeat(400)]) {
      expect(maxAge(`max-age=${digits}`)).toBe(2 ** 31 * 1_000);
    }
  });

  it.each([
    "max-age",
    "max-age=",
    "max-age=a60",
    "max-age=60a",
    "max-age=-60",
    "max-age=60.0",
    "max-age=60.5",
    "max-age='60'",
    "max-age =60",
    "max-age= 60",
    "max-age=60 foo",
    "max-age=60; foo",
    "max-age=1e3",
    "max-age=0x10",
    "max-age=٣",
  ])("takes %j for stale (§4.2.1)", (value) => expect(maxAge(value)).toBe(0));
});

describe("repeated directives (RFC 9111 §4.2.1)", () => {
  it("takes two that agree for one", () => expect(maxAge("max-age=60, max-age=60")).toBe(60_000));

  it("takes two that contradict each other for stale, in either order", () => {
    expect(maxAge("max-age=1800, max-age=1")).toBe(0);
    expect(maxAge("max-age=1, max-age=1800")).toBe(0);
    expect(read("s-maxage=1, s-maxage=1800").sMaxageMs).toBe(0);
  });

  it("takes contradicting or invalid stale-* for absent", () => {
    expect(read("stale-while-revalidate=1, stale-while-revalidate=2").staleWhileRevalidateMs).toBeUndefined();
    expect(read("stale-if-error=x").staleIfErrorMs).toBeUndefined();
    expect(read("stale-if-error=5").staleIfErrorMs).toBe(5_000);
  });
});

describe("qualified no-cache and private (RFC 9111 §§5.2.2.4, 5.2.2.7)", () => {
  it("reads the fields that they name", () => {
    expect(read('no-cache="a, B"').noCache).toEqual(["a", "b"]);
    expect(read('private="Set-Cookie"').private).toEqual(["set-cookie"]);
    expect(read("private=x-user").private).toEqual(["x-user"]);
    expect(read('private="a", private="b"').private).toEqual(["a", "b"]);
  });

  it.each(['private=""', 'private="a b"', 'private=","', 'private="a", private', "private =a", 'private="a";x'])(
    "takes %j for all of the response",
    (value) => expect(read(value).private).toBe(true),
  );
});

describe("malformed Cache-Control", () => {
  it("lets restrictions stand that were separated in the wrong way", () => {
    expect(read("private; max-age=60")).toMatchObject({ private: true, maxAgeMs: 0 });
    expect(read("no-cache; no-store")).toMatchObject({ noCache: true, noStore: true });
    expect(read("no-store foo").noStore).toBe(true);
    expect(read('"no-store"').noStore).toBe(true);
    expect(read("no-store=1").noStore).toBe(true);
  });

  it("lets no permission stand", () => {
    expect(read("public; foo").public).toBe(false);
    expect(read("public=1").public).toBe(false);
    expect(read("must-understand;").mustUnderstand).toBe(false);
  });

  it("takes a quoted string that never ends for no-store, as that may be part of it", () => {
    expect(read('x="a, no-store').noStore).toBe(true);
    expect(read('must-understand, x="a')).toMatchObject({ noStore: true, mustUnderstand: false });
  });
});

it("parsing Cache-Control never throws", () => {
  fc.assert(fc.property(fc.string(), (value) => void read(value)));
  const bits = fc.constantFrom("max-age", "private", "no-cache", "=", '"', "\\", ",", ";", " ", "1", "a", "-");
  fc.assert(fc.property(fc.array(bits), (parts) => void read(parts.join(""))));
});

it("a restriction is found among any other directives", () => {
  const others = fc.constantFrom("public", "max-age=60", 's-maxage="5"', 'x="a, b"', "foo", "foo=bar", "immutable", "");
  const restrictions = fc.constantFrom("no-store", "private", "NO-STORE", "Private", " private ", "no-store\t");
  fc.assert(
    fc.property(fc.array(others), restrictions, fc.array(others), (before, restriction, after) => {
      const { noStore, private: isPrivate } = read([...before, restriction, ...after].join(","));
      expect(noStore || isPrivate === true).toBe(true);
    }),
  );
});
