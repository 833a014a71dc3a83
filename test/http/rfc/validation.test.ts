import { describe, expect, it } from "vitest";
import { fieldValue, type RequestHead } from "../../../src/http/rfc/message.js";
import { makePolicy } from "../../../src/http/rfc/policy.js";
import type { StoredResponse } from "../../../src/http/rfc/stored-response.js";
import { type Freshened, freshen, freshenFromHead, validationRequest } from "../../../src/http/rfc/validation.js";
import { date, fields, type Lines, NOW, request, SECOND, stored } from "./exchanges.js";

const LATER = NOW + 100 * SECOND;
const AGES_AGO = date(-1_000_000);
const had = (lines: Lines = {}): StoredResponse => stored({ "cache-control": "max-age=60", a: "old", ...lines });

function notModified(before: StoredResponse, lines: Lines, asked: RequestHead = request()): Freshened {
  const response = { status: 304, fields: fields(lines) };
  return freshen(before, asked, response, { requestTimeMs: LATER, responseTimeMs: LATER }, makePolicy());
}

/** The stored response after a 304 that updates it. */
function updated(before: StoredResponse, lines: Lines): StoredResponse {
  const result = notModified(before, lines);
  if (result.outcome !== "updated") throw new Error(`not updated: ${result.outcome}`);
  return result.stored;
}

describe("a validation request (RFC 9111 §4.3.1)", () => {
  it("has both stored validators as they are, weak or without quotes", () => {
    expect(validationRequest([], had({ etag: 'W/"1"', "last-modified": AGES_AGO }))).toEqual([
      ["if-none-match", 'W/"1"'],
      ["if-modified-since", AGES_AGO],
    ]);
    expect(validationRequest([], had({ etag: "1" }))).toEqual([["if-none-match", "1"]]);
  });

  it("has the client's fields, but none of its conditions and no Range", () => {
    const asked = fields({ accept: "x", "if-none-match": '"2"', "if-modified-since": date(0), range: "bytes=0-1" });
    expect(validationRequest([...asked, ["if-range", '"2"']], had({ etag: '"1"' }))).toEqual([
      ["accept", "x"],
      ["if-none-match", '"1"'],
    ]);
  });

  it("has no condition when nothing stored can be validated", () => {
    expect(validationRequest(fields({ "if-none-match": '"2"' }), had())).toEqual([]);
  });
});

describe("a 304 (RFC 9111 §4.3.4)", () => {
  it("replaces the fields that it has, all their lines, and leaves the others (§3.2)", () => {
    const after = updated(had({ b: ["1", "2"], "content-foo": "old", c: "kept" }), {
      b: "3",
      "content-foo": "new",
      d: "4",
    });
    expect(after.fields).toEqual([
      ["cache-control", "max-age=60"],
      ["a", "old"],
      ["c", "kept"],
      ["b", "3"],
      ["content-foo", "new"],
      ["d", "4"],
      ["date", date(100)],
    ]);
  });

  it("doesn't replace what describes the stored body, nor bring what isn't stored (§3.2)", () => {
    const body = { "content-length": "5", "content-encoding": "br", "content-range": "x" };
    const after = updated(had(body), {
      "content-length": "10",
      "content-encoding": "gzip",
      "content-range": "y",
      "set-cookie": "a=1",
      connection: "e",
      e: "1",
      "keep-alive": "x",
    });
    expect(after.fields).toEqual([...had(body).fields.filter(([name]) => name !== "date"), ["date", date(100)]]);
  });

  it("makes the response fresh again, for its own lifetime", () => {
    expect(updated(had(), { date: date(100) })).toMatchObject({
      responseTimeMs: LATER,
      initialAgeMs: 0,
      lifetimeMs: 60 * SECOND,
    });
    expect(updated(had(), { "cache-control": "max-age=3600" }).lifetimeMs).toBe(3_600 * SECOND);
  });

  it("makes it fresh without a Date of its own, too (RFC 9110 §6.6.1)", () => {
    expect(updated(had({ date: date(-10) }), {}).initialAgeMs).toBe(0);
  });

  it("brings its own age", () => {
    const after = updated(had({ age: "50" }), { age: "7" });
    expect(after.initialAgeMs).toBe(7 * SECOND);
    expect(fieldValue(after.fields, "age")).toBeUndefined();
  });

  it("is about a stored response with the same strong ETag", () => {
    const before = had({ etag: '"1"', "last-modified": AGES_AGO });
    expect(notModified(before, { etag: '"1"', "last-modified": date(0) }).outcome).toBe("updated");
    expect(notModified(before, { etag: '"2"', "last-modified": AGES_AGO }).outcome).toBe("mismatch");
    expect(notModified(had({ etag: 'W/"1"' }), { etag: '"1"' }).outcome).toBe("mismatch");
    expect(notModified(had(), { etag: '"1"' }).outcome).toBe("mismatch");
  });

  it("is about a stored response with the same weak validator", () => {
    expect(notModified(had({ etag: '"1"' }), { etag: 'W/"1"' }).outcome).toBe("updated");
    expect(notModified(had({ etag: 'W/"1"' }), { etag: 'W/"2"' }).outcome).toBe("mismatch");
    expect(notModified(had({ "last-modified": AGES_AGO }), { "last-modified": AGES_AGO }).outcome).toBe("updated");
    expect(notModified(had({ "last-modified": AGES_AGO }), { "last-modified": date(0) }).outcome).toBe("mismatch");
  });

  it("answers the validators that were sent when it has none itself", () => {
    expect(notModified(had({ etag: '"1"' }), {}).outcome).toBe("updated");
    expect(notModified(had(), {}).outcome).toBe("updated");
  });

  it("ends the storing of what it forbids to store", () => {
    for (const value of ["no-store", "private"]) {
      const result = notModified(had({ etag: '"1"' }), { "cache-control": value, a: "new", "set-cookie": "b=1" });
      expect(result).toMatchObject({ outcome: "last", why: value });
      expect(result.outcome === "last" && fieldValue(result.fields, "a")).toBe("new");
      expect(result.outcome === "last" && fieldValue(result.fields, "set-cookie")).toBeUndefined();
    }
    expect(notModified(had(), { vary: "*" })).toMatchObject({ outcome: "last", why: "vary" });
  });

  it("leaves what is stored as it was when it answers credentials, or a request that may not be stored", () => {
    const credentials = request({ authorization: "Bearer x" });
    expect(notModified(had(), { a: "mine" }, credentials)).toMatchObject({ outcome: "once", why: "authorization" });
    const unstorable = request({ "cache-control": "no-store" });
    expect(notModified(had(), { a: "mine" }, unstorable)).toMatchObject({ outcome: "once", why: "no-store" });
    const shared = had({ "cache-control": "s-maxage=60" });
    expect(notModified(shared, {}, credentials).outcome).toBe("updated");
  });

  it("can change what the response varies on", () => {
    expect(updated(had({ vary: "a" }), { vary: "A, b" }).vary).toEqual(["a", "b"]);
  });
});

describe("a response to HEAD (RFC 9111 §4.3.5)", () => {
  const head = (before: StoredResponse, lines: Lines, status = 200) =>
    freshenFromHead(
      before,
      request({}, "HEAD"),
      { status, fields: fields(lines) },
      { requestTimeMs: LATER, responseTimeMs: LATER },
      makePolicy(),
    );

  it("updates the stored response to GET that it agrees with", () => {
    const before = had({ etag: '"1"', "content-length": "5", "last-modified": AGES_AGO });
    const result = head(before, { etag: '"1"', "content-length": "5", "cache-control": "max-age=1000", a: "new" });
    expect(result).toMatchObject({ outcome: "updated", stored: { lifetimeMs: 1_000 * SECOND, responseTimeMs: LATER } });
    expect(result?.outcome === "updated" && fieldValue(result.stored.fields, "a")).toBe("new");
    expect(head(had(), {})).toMatchObject({ outcome: "updated" });
  });

  it("makes the stored response stale that it differs from", () => {
    expect(head(had({ etag: '"1"' }), { etag: '"2"' })).toEqual({ outcome: "stale" });
    expect(head(had({ etag: '"1"' }), { etag: 'W/"1"' })).toEqual({ outcome: "stale" });
    expect(head(had({ "last-modified": AGES_AGO }), { "last-modified": date(0) })).toEqual({ outcome: "stale" });
    expect(head(had({ "content-length": "5" }), { "content-length": "6" })).toEqual({ outcome: "stale" });
    expect(head(had(), { etag: '"1"' })).toEqual({ outcome: "stale" });
  });

  it("says nothing of it with another status", () => {
    expect(head(had(), { "cache-control": "max-age=1000" }, 410)).toBeUndefined();
    expect(head(stored({ "cache-control": "max-age=60" }, 404), {})).toBeUndefined();
  });
});
