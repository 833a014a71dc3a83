import { describe, expect, it } from "vitest";
import { bypassReason, mayCollapse, UNKEYED_FIELDS } from "../../../src/http/rfc/admission.js";
import { withoutFields } from "../../../src/http/rfc/message.js";
import { makePolicy } from "../../../src/http/rfc/policy.js";
import { fields, type Lines, request } from "./exchanges.js";

const bypass = (lines: Lines, { method = "GET", body = false, cookies = [] as string[] } = {}): string | undefined =>
  bypassReason(request(lines, method), body, { cookies });

describe("requests that the cache doesn't handle", () => {
  it("are all but GET and HEAD, whose names are case-sensitive (RFC 9110 §9.1)", () => {
    expect([bypass({}), bypass({}, { method: "HEAD" })]).toEqual([undefined, undefined]);
    for (const method of ["POST", "get", "OPTIONS", "PURGE"]) expect(bypass({}, { method })).toBe("method");
  });

  it("are those with a body", () => {
    expect(bypass({}, { body: true })).toBe("body");
    expect(bypass({ "content-length": "1" })).toBe("body");
    expect(bypass({ "transfer-encoding": "chunked" })).toBe("body");
    expect(bypass({ "content-length": "0" })).toBeUndefined();
  });

  it.each(["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"])("are those with %s", (name) => {
    expect(bypass({ [name]: "POST" })).toBe("method-override");
    expect(bypass({ [name]: "GET" })).toBe("method-override");
  });

  it("are those that ask for another protocol (RFC 9110 §7.8)", () => {
    expect(bypass({ upgrade: "websocket" })).toBe("upgrade");
    expect(bypass({ connection: "keep-alive, Upgrade" })).toBe("upgrade");
  });

  it("are those with conditions for the origin (RFC 9111 §4.3.2)", () => {
    expect(bypass({ "if-match": '"1"' })).toBe("precondition");
    expect(bypass({ "if-none-match": '"1"', "if-modified-since": "x", range: "bytes=0-1" })).toBeUndefined();
  });

  it("are those with control characters", () => {
    expect(bypass({ accept: "a\u0001b" })).toBe("malformed");
    expect(bypass({ "a\nb": "c" })).toBe("malformed");
  });

  it("are those with any cookie that isn't listed", () => {
    expect(bypass({ cookie: "a=1" })).toBe("cookie");
    expect(bypass({ cookie: "a=1" }, { cookies: ["a"] })).toBeUndefined();
    expect(bypass({ cookie: "a=1; b=2" }, { cookies: ["a"] })).toBe("cookie");
    expect(bypass({ cookie: ["a=1", "b=2"] }, { cookies: ["a"] })).toBe("cookie");
    expect(bypass({ cookie: "session" }, { cookies: ["a"] })).toBe("cookie");
    expect(bypass({ cookie: "=x" }, { cookies: ["a"] })).toBe("cookie");
    expect(bypass({ cookie: "A=1" }, { cookies: ["a"] })).toBe("cookie");
    expect(bypass({ cookie: " ; " })).toBeUndefined();
  });

  it("are not those with cookies that a star covers", () => {
    expect(bypass({ cookie: "_ga=1; _ga_X=2" }, { cookies: ["_ga*"] })).toBeUndefined();
    expect(bypass({ cookie: "x_ga=1" }, { cookies: ["_ga*"] })).toBe("cookie");
    expect(bypass({ cookie: "anything=1" }, { cookies: ["*"] })).toBeUndefined();
  });

  it("are not those with Authorization, whose responses are looked at (RFC 9111 §3.5)", () => {
    expect(bypass({ authorization: "Bearer x" })).toBeUndefined();
  });
});

it("requests with credentials, or whose response may not be stored, wait for no other's response", () => {
  expect(mayCollapse(fields({ accept: "x" }), false, makePolicy())).toBe(true);
  expect(mayCollapse(fields({ authorization: "x" }), false, makePolicy())).toBe(false);
  expect(mayCollapse(fields({ cookie: "a=1" }), false, makePolicy())).toBe(false);
  expect(mayCollapse(fields({}), true, makePolicy())).toBe(false);
});

it("takes from a request what isn't in its key", () => {
  const asked = fields({ "X-Forwarded-Host": "evil", "x-original-url": "/admin", forwarded: "host=evil", accept: "x" });
  expect(withoutFields(asked, UNKEYED_FIELDS)).toEqual(fields({ accept: "x" }));
});
