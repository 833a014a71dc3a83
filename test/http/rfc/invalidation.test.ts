import { describe, expect, it } from "vitest";
import { invalidatedUrls } from "../../../src/http/rfc/invalidation.js";
import { type Lines, request, response } from "./exchanges.js";

const URL_ = "https://example.com/dir/page?x=1";
const invalidated = (method: string, lines: Lines = {}, status = 200, url = URL_): string[] =>
  invalidatedUrls(request({}, method, url), response(lines, status));

describe("invalidation (RFC 9111 §4.4)", () => {
  it.each(["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "UNKNOWN", "get"])("follows a successful %s", (method) => {
    expect(invalidated(method)).toEqual([URL_]);
  });

  it.each(["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND"])("doesn't follow a %s, which is safe", (method) => {
    expect(invalidated(method, { location: "/other" })).toEqual([]);
  });

  it("follows a redirection, but no error and no interim response", () => {
    for (const status of [200, 201, 204, 299, 301, 303, 399]) expect(invalidated("POST", {}, status)).toEqual([URL_]);
    for (const status of [100, 199, 400, 404, 409, 500, 503]) expect(invalidated("POST", {}, status)).toEqual([]);
  });

  it("reaches Location and Content-Location, relative or absolute, without fragments", () => {
    const lines = { location: "other", "content-location": "https://example.com:443/third#there" };
    expect(invalidated("POST", lines)).toEqual([URL_, "https://example.com/dir/other", "https://example.com/third"]);
    expect(invalidated("PUT", { location: URL_ }, 200, `${URL_}#here`)).toEqual([URL_]);
  });

  it.each([
    "https://other.example/page",
    "http://example.com/page",
    "https://example.com:8443/page",
    "//other.example/page",
    "https://example.com.other.example/",
    "https://example.com@other.example/",
    "javascript:alert(1)",
    "http://[",
  ])("reaches nothing of another origin: %s", (location) => {
    expect(invalidated("POST", { location, "content-location": location })).toEqual([URL_]);
  });

  it("invalidates nothing for a URL that is none", () => expect(invalidated("POST", {}, 200, "/page")).toEqual([]));
});
