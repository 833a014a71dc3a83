import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatHttpDate, parseHttpDate } from "../../../src/http/rfc/age.js";
import { NOW } from "./exchanges.js";

const parse = (text: string): string | undefined => {
  const ms = parseHttpDate(text, NOW);
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

describe("HTTP-date (RFC 9110 §5.6.7)", () => {
  it("reads the three forms", () => {
    expect(parse("Sun, 06 Nov 1994 08:49:37 GMT")).toBe("1994-11-06T08:49:37.000Z");
    expect(parse("Sunday, 06-Nov-94 08:49:37 GMT")).toBe("1994-11-06T08:49:37.000Z");
    expect(parse("Sun Nov  6 08:49:37 1994")).toBe("1994-11-06T08:49:37.000Z");
  });

  it("reads them without regard to case (RFC 9111 §4.2)", () => {
    expect(parse("SUN, 06 nov 1994 08:49:37 gmt")).toBe("1994-11-06T08:49:37.000Z");
    expect(parse("sunday, 06-NOV-94 08:49:37 GmT")).toBe("1994-11-06T08:49:37.000Z");
    expect(parse("sun nOv 16 08:49:37 1994")).toBe("1994-11-16T08:49:37.000Z");
  });

  it("reads dates beyond 2038", () => {
    expect(parse("Sun, 21 Nov 2286 04:46:39 GMT")).toBe("2286-11-21T04:46:39.000Z");
  });

  it("reads a two-digit year as the past when it would be more than 50 years ahead", () => {
    expect(parse("Wednesday, 01-Jan-76 00:00:00 GMT")).toBe("2076-01-01T00:00:00.000Z");
    expect(parse("Saturday, 01-Jan-77 00:00:00 GMT")).toBe("1977-01-01T00:00:00.000Z");
  });

  it("doesn't mind the wrong name of a day", () => {
    expect(parse("Mon, 06 Nov 1994 08:49:37 GMT")).toBe("1994-11-06T08:49:37.000Z");
  });

  it("reads a leap second as the second before it (RFC 9111 §4.2)", () => {
    expect(parse("Sat, 31 Dec 2016 23:59:60 GMT")).toBe("2016-12-31T23:59:59.000Z");
  });

  it.each([
    "",
    "0",
    "-1",
    "foo",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 AEST",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun 06 Nov 1994 08:49:37 GMT",
    "Sun, 06  Nov  1994 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08.49.37 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Foo, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "1994-11-06T08:49:37Z",
    " Sun, 06 Nov 1994 08:49:37 GMT",
  ])("takes %j for no date", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it("reads what it writes, to the second", () => {
    const seconds = fc.integer({ min: Date.UTC(0, 0) / 1_000, max: Date.UTC(9999, 11, 31) / 1_000 });
    fc.assert(
      fc.property(seconds, (s) => {
        expect(parseHttpDate(formatHttpDate(s * 1_000), NOW)).toBe(s * 1_000);
      }),
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), fc.integer(), (text, now) => void parseHttpDate(text, now)));
  });
});
