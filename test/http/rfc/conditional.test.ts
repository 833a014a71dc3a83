import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isForOrigin, isNotModified, notModifiedFields, unconditional } from "../../../src/http/rfc/conditional.js";
import { date, fields, type Lines, NOW } from "./exchanges.js";

const notModified = (asked: Lines, has: Lines, status = 200): boolean =>
  isNotModified(fields(asked), { status, fields: fields(has), responseTimeMs: NOW });

describe("If-None-Match (RFC 9110 §13.1.2)", () => {
  it("is met by an ETag that is equal by the weak comparison (§8.8.3.2)", () => {
    for (const mine of ['"1"', 'W/"1"']) {
      for (const theirs of ['"1"', 'W/"1"']) {
        expect(notModified({ "if-none-match": theirs }, { etag: mine })).toBe(true);
      }
    }
    expect(notModified({ "if-none-match": '"2"' }, { etag: '"1"' })).toBe(false);
    expect(notModified({ "if-none-match": '"A"' }, { etag: '"a"' })).toBe(false);
  });

  it.each(['"1", "2", "3"', '"2", "1", "3"', '"2","3","1"', '"2", , W/"1"'])("may be a list: %s", (list) => {
    expect(notModified({ "if-none-match": list }, { etag: '"1"' })).toBe(true);
  });

  it("has weak tags with a capital W alone (RFC 9110 §8.8.3)", () => {
    expect(notModified({ "if-none-match": 'w/"1"' }, { etag: '"1"' })).toBe(false);
    expect(notModified({ "if-none-match": 'w/"1", W/"1"' }, { etag: '"1"' })).toBe(true);
    expect(notModified({ "if-none-match": 'w/"1"' }, { etag: 'w/"1"' })).toBe(true);
  });

  it("may be several lines", () => {
    expect(notModified({ "if-none-match": ['"2"', '"1"'] }, { etag: '"1"' })).toBe(true);
  });

  it("may have commas, spaces and other characters in its tags", () => {
    expect(notModified({ "if-none-match": '"x", "a, b"' }, { etag: '"a, b"' })).toBe(true);
    expect(notModified({ "if-none-match": '"a, b"' }, { etag: '"a"' })).toBe(false);
    expect(notModified({ "if-none-match": '"abcdefü"' }, { etag: '"abcdefü"' })).toBe(true);
  });

  it("is met by anything when it is a star, and by nothing without an ETag", () => {
    expect(notModified({ "if-none-match": "*" }, {})).toBe(true);
    expect(notModified({ "if-none-match": '"1"' }, {})).toBe(false);
    expect(notModified({ "if-none-match": '""' }, { etag: "" })).toBe(false);
    expect(notModified({ "if-none-match": "" }, { etag: '"1"' })).toBe(false);
  });

  it("goes before If-Modified-Since (§13.2.2)", () => {
    const has = { etag: '"1"', "last-modified": date(-100) };
    expect(notModified({ "if-none-match": '"1"', "if-modified-since": date(-200) }, has)).toBe(true);
    expect(notModified({ "if-none-match": '"2"', "if-modified-since": date(0) }, has)).toBe(false);
  });
});

describe("If-Modified-Since (RFC 9110 §13.1.3)", () => {
  const has = { "last-modified": date(-100), date: date(0) };

  it("is met by what wasn't modified later", () => {
    expect(notModified({ "if-modified-since": date(-100) }, has)).toBe(true);
    expect(notModified({ "if-modified-since": date(-50) }, has)).toBe(true);
    expect(notModified({ "if-modified-since": date(-101) }, has)).toBe(false);
  });

  it("may be written in each form of a date", () => {
    expect(notModified({ "if-modified-since": "Friday, 01-May-26 11:59:00 GMT" }, has)).toBe(true);
    expect(notModified({ "if-modified-since": "Fri May  1 11:59:00 2026" }, has)).toBe(true);
  });

  it("counts as absent when it is no date", () => {
    expect(notModified({ "if-modified-since": "now" }, has)).toBe(false);
    expect(notModified({ "if-modified-since": [date(0), date(0)] }, has)).toBe(false);
  });

  it("is held against Date, or the time of arrival, where there is no Last-Modified (RFC 9111 §4.3.2)", () => {
    expect(notModified({ "if-modified-since": date(-10) }, { date: date(-10) })).toBe(true);
    expect(notModified({ "if-modified-since": date(-11) }, { date: date(-10) })).toBe(false);
    expect(notModified({ "if-modified-since": date(0) }, {})).toBe(true);
    expect(notModified({ "if-modified-since": date(-1) }, {})).toBe(false);
  });
});

it("only a stored 200 is held against conditions (RFC 9111 §4.3.2)", () => {
  for (const status of [203, 301, 404])
    expect(notModified({ "if-none-match": '"1"' }, { etag: '"1"' }, status)).toBe(false);
});

it("reading conditions never throws", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (asked, has) => {
      notModified({ "if-none-match": asked }, { etag: has });
      notModified({ "if-modified-since": asked }, { "last-modified": has, date: has });
    }),
  );
});

describe("a 304 from the store (RFC 9110 §15.4.5)", () => {
  it("has all fields but those about the body", () => {
    const kept = { etag: '"1"', date: date(0), "cache-control": "x", expires: "x", vary: "x", "content-location": "x" };
    const others = { "content-security-policy": "x", "x-other": "1" };
    const body = { "content-type": "x", "content-length": "1", "content-encoding": "br", "content-language": "de" };
    expect(notModifiedFields(fields({ ...kept, ...others, ...body, "last-modified": date(-1) }))).toEqual(
      fields({ ...kept, ...others }),
    );
  });

  it("has Last-Modified where there is no ETag", () => {
    expect(notModifiedFields(fields({ "last-modified": date(-1) }))).toEqual(fields({ "last-modified": date(-1) }));
  });
});

describe("a request on its way to the origin", () => {
  it("asks for all of the response, with the conditions left that are the origin's", () => {
    const asked = fields({
      "if-none-match": "x",
      "if-modified-since": "x",
      "if-range": "x",
      range: "x",
      "if-match": "x",
      "if-unmodified-since": "x",
      accept: "x",
    });
    expect(unconditional(asked).map(([name]) => name)).toEqual(["if-match", "if-unmodified-since", "accept"]);
  });

  it("is not the cache's to answer when it has such (RFC 9111 §4.3.2)", () => {
    expect(isForOrigin(fields({ "if-match": "*" }))).toBe(true);
    expect(isForOrigin(fields({ "if-unmodified-since": date(0) }))).toBe(true);
    expect(isForOrigin(fields({ "if-none-match": "*" }))).toBe(false);
  });
});
