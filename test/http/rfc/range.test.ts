import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerRange, partialFields, type RangeAnswer, unsatisfiableFields } from "../../../src/http/rfc/range.js";
import { date, fields, type Lines, NOW } from "./exchanges.js";

const answer = (range: string, length = 10, asked: Lines = {}, has: Lines = {}, status = 200): RangeAnswer =>
  answerRange(fields({ range, ...asked }), { status, fields: fields(has), responseTimeMs: NOW }, length);
const part = (start: number, end: number): RangeAnswer => ({ kind: "part", start, end });
const WHOLE = { kind: "whole" };
const UNSATISFIABLE = { kind: "unsatisfiable" };

describe("byte ranges (RFC 9110 §14.1.2)", () => {
  it("have a first and a last byte", () => {
    expect(answer("bytes=0-1")).toEqual(part(0, 2));
    expect(answer("bytes=0-0")).toEqual(part(0, 1));
    expect(answer("bytes=9-9")).toEqual(part(9, 10));
  });

  it("end where the body ends", () => {
    expect(answer("bytes=5-100")).toEqual(part(5, 10));
    expect(answer("bytes=1-")).toEqual(part(1, 10));
    expect(answer("bytes=0-99999999999999999999999999")).toEqual(part(0, 10));
  });

  it("may be the last so many bytes", () => {
    expect(answer("bytes=-1")).toEqual(part(9, 10));
    expect(answer("bytes=-100")).toEqual(part(0, 10));
  });

  it("may be written in another case, with white space", () => {
    expect(answer("Bytes=0-1")).toEqual(part(0, 2));
    expect(answer("bytes= 0-1 ")).toEqual(part(0, 2));
  });

  it.each(["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"])(
    "can't be satisfied: %s",
    (range) => {
      expect(answer(range)).toEqual(UNSATISFIABLE);
    },
  );

  it("can't be satisfied by an empty body, but for its end, which is all of it", () => {
    expect(answer("bytes=0-", 0)).toEqual(UNSATISFIABLE);
    expect(answer("bytes=-5", 0)).toEqual(WHOLE);
  });

  it.each([
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=2-1",
    "bytes=a-b",
    "bytes=1.5-2",
    "items=0-1",
    "bytes 0-1",
    "bytes=--1",
  ])("count as absent when they are none: %j", (range) => expect(answer(range)).toEqual(WHOLE));

  it("count as absent when there are several, as a server may (§14.2)", () => {
    expect(answer("bytes=0-0,2-2")).toEqual(WHOLE);
    expect(answer(`bytes=${"0-,".repeat(1_000)}0-`)).toEqual(WHOLE);
  });

  it("are taken only from a 200, and not from one that accepts none (§14.3)", () => {
    expect(answer("bytes=0-1", 10, {}, {}, 404)).toEqual(WHOLE);
    expect(answer("bytes=0-1", 10, {}, { "accept-ranges": "None" })).toEqual(WHOLE);
  });

  it("lie within the body, whatever was asked", () => {
    const number = fc.oneof(fc.constant(""), fc.nat().map(String));
    fc.assert(
      fc.property(number, number, fc.nat(1_000), (first, last, length) => {
        const got = answer(`bytes=${first}-${last}`, length);
        if (got.kind !== "part") return;
        expect(got.start).toBeGreaterThanOrEqual(0);
        expect(got.end).toBeGreaterThan(got.start);
        expect(got.end).toBeLessThanOrEqual(length);
      }),
    );
    fc.assert(fc.property(fc.string(), (range) => void answer(range)));
  });
});

describe("If-Range (RFC 9110 §13.1.5)", () => {
  const ranged = (ifRange: string, has: Lines): boolean =>
    answer("bytes=0-1", 10, { "if-range": ifRange }, has).kind === "part";

  it("holds for the same strong ETag only", () => {
    expect(ranged('"1"', { etag: '"1"' })).toBe(true);
    expect(ranged('"2"', { etag: '"1"' })).toBe(false);
    expect(ranged('W/"1"', { etag: 'W/"1"' })).toBe(false);
    expect(ranged('"1"', { etag: 'W/"1"' })).toBe(false);
    expect(ranged('W/"1"', { etag: '"1"' })).toBe(false);
    expect(ranged('"1"', {})).toBe(false);
    expect(ranged("1", { etag: "1" })).toBe(false);
  });

  it("holds for the very same Last-Modified, when that is at least a second before Date (§8.8.2.2)", () => {
    expect(ranged(date(-60), { "last-modified": date(-60), date: date(0) })).toBe(true);
    expect(ranged(date(-59), { "last-modified": date(-60), date: date(0) })).toBe(false);
    expect(ranged(date(0), { "last-modified": date(0), date: date(0) })).toBe(false);
    expect(ranged(date(-60), { "last-modified": date(-60) })).toBe(false);
    expect(ranged("x", { "last-modified": "x", date: date(0) })).toBe(false);
  });

  it("counts for nothing without Range", () => {
    const selected = { status: 200, fields: fields({ etag: '"1"' }), responseTimeMs: NOW };
    expect(answerRange(fields({ "if-range": '"2"' }), selected, 10)).toEqual(WHOLE);
  });
});

describe("answers", () => {
  const has = fields({
    etag: '"1"',
    "cache-control": "max-age=1",
    "content-length": "10",
    "content-type": "x",
    date: date(0),
  });

  it("with a part say which (§15.3.7)", () => {
    expect(partialFields(has, { start: 2, end: 5 }, 10)).toEqual(
      fields({
        etag: '"1"',
        "cache-control": "max-age=1",
        "content-type": "x",
        date: date(0),
        "content-length": "3",
        "content-range": "bytes 2-4/10",
      }),
    );
  });

  it("with a part, or none, leave out digests of the whole's bytes (RFC 9530 §2)", () => {
    const digests = fields({ "content-digest": "sha-256=:a:", "content-md5": "a", "repr-digest": "sha-256=:a:" });
    const part = partialFields(digests, { start: 2, end: 5 }, 10);
    expect(part.map(([name]) => name)).toEqual(["repr-digest", "content-length", "content-range"]);
    expect(unsatisfiableFields(digests, 10).map(([name]) => name)).toEqual(["content-range", "content-length"]);
  });

  it("with none say how long the body is, and aren't to be stored by others for it (§15.5.17)", () => {
    const cors = fields({ "access-control-allow-origin": "*", "cdn-cache-control": "max-age=1", expires: date(9) });
    expect(unsatisfiableFields([...has, ...cors], 10)).toEqual(
      fields({
        date: date(0),
        "access-control-allow-origin": "*",
        "content-range": "bytes */10",
        "content-length": "0",
      }),
    );
  });
});
