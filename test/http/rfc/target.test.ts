import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toFields } from "../../../src/http/rfc/message.js";
import { isRoutedAs, saysTarget, type Target, toTarget } from "../../../src/http/rfc/target.js";

function target(url: string): Target {
  const made = toTarget(url);
  if (!made) throw new Error(`${url} is no target`);
  return made;
}

describe("the target of a request", () => {
  it.each([
    ["HTTP://SHOP.example/x", "http://shop.example/x"],
    ["http://shop.example:80/x", "http://shop.example/x"],
    ["https://shop.example:443", "https://shop.example/"],
    ["http://shop.example:8080/x", "http://shop.example:8080/x"],
    ["http://shop.example/a/../b/%2e%2E/c", "http://shop.example/c"],
    ["http://shop.example/caf\u00e9?q= 1", "http://shop.example/caf%C3%A9?q=%201"],
    ["http://shop.example/x?a'b#c", "http://shop.example/x?a%27b"],
    ["http://shop.example/%7Ex//y/?", "http://shop.example/%7Ex//y/?"],
    ["http://b\u00fccher.example/", "http://xn--bcher-kva.example/"],
    ["http://127.1/", "http://127.0.0.1/"],
    ["http://[::1]:80/", "http://[::1]/"],
    ["http://shop.example./", "http://shop.example./"],
  ])("of %j is %j, as the URL standard has it and nothing more", (url, normal) => {
    for (let i = 0; i < 2; i++) expect(toTarget(url)?.url).toBe(normal);
  });

  it.each([
    "http://user:secret@shop.example/",
    "http://user@shop.example/",
    "ftp://shop.example/",
    "//shop.example/",
    "http:shop.example",
    "http://shop.example/\0",
    "http://sh op.example/",
    "http://shop.example:99999/",
  ])("is none where the URL is %j", (url) => expect(toTarget(url)).toBeUndefined());

  it("is what the URL standard makes of any URL, whatever URLs came before", () => {
    const host = fc.constantFrom(
      "a.b",
      "A.b",
      "a.b:80",
      "a.b:443",
      "a.b:8080",
      "127.0.0.1:9000",
      "1.2",
      "a_b",
      "[::1]",
    );
    const segment = fc.string({
      unit: fc.constantFrom("a", ".", "%2e", "%2E", "%", "'", "^", "|", "\\", "\u00e9", "~", "@", ":", "#"),
    });
    const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
    const query = fc.option(segment, { nil: undefined });
    fc.assert(
      fc.property(fc.constantFrom("http", "https"), host, path, query, (scheme, authority, rest, search) => {
        const url = `${scheme}://${authority}${rest}${search === undefined ? "" : `?${search}`}`;
        const byStandard = new URL(url);
        byStandard.hash = "";
        const { pathname } = byStandard;
        const made = target(url);
        expect(made.url).toBe(byStandard.href);
        expect(made.host).toBe(byStandard.host);
        expect(made.path.startsWith(pathname)).toBe(true);
        expect(`${made.scheme}://${made.host}${made.path}`).toBe(made.url);
      }),
      { numRuns: 5_000 },
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.webUrl()), (url) => void toTarget(url)));
  });

  it("says when a framework has routed by something else", () => {
    const routed = (url: string): boolean => isRoutedAs(url, target(url));
    for (const url of ["http://a.b", "http://a.b?c", "http://A.b:80/x?y", "http://a.b/x#y"])
      expect(routed(url)).toBe(true);
    for (const url of ["http://a.b/x/../y", "http://a.b/\u00e9", "http://a.b\\x", "http://a.b/x?a'b"])
      expect(routed(url)).toBe(false);
  });

  it("is what a Host field says, or is not", () => {
    const says = (url: string, ...hosts: string[]) =>
      saysTarget(toFields(hosts.map((host) => ["host", host] as const)), target(url));
    expect(says("http://shop.example/")).toBe(true);
    expect(says("http://shop.example:80/", "shop.example")).toBe(true);
    expect(says("http://shop.example:8080/", "shop.example:8080")).toBe(true);
    for (const host of ["SHOP.example", "shop.example:80", "evil.example", "shop.example, evil.example", ""]) {
      expect(says("http://shop.example/", host)).toBe(false);
    }
    expect(says("http://shop.example/", "shop.example", "shop.example")).toBe(false);
  });
});
