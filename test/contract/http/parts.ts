import { expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { fieldValue } from "../../../src/http/rfc/message.js";
import { askedFor, type Site } from "./site.js";
import { siteForEach } from "./site-for-each.js";

const FRESH = { "cache-control": "max-age=60" };
const LARGE = "0123456789abcdefghij";
const LIMIT = 10;

/** A file that is too large to be stored, on a server that answers one range and compares entity tags. */
function serveFile(site: Site, body = LARGE, etag = '"1"'): void {
  const about = { ...FRESH, etag, "accept-ranges": "bytes" };
  site.origin = (asked) => {
    if (fieldValue(asked, "if-none-match") === etag) return { status: 304, lines: about };
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(fieldValue(asked, "range") ?? "") ?? [];
    if (first === "") return { lines: { ...about, "content-length": String(body.length) }, body };
    const part = body.slice(Number(first), last === "" ? undefined : Number(last) + 1);
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${body.length}`;
    const lines = { ...about, "content-range": range, "content-length": String(part.length) };
    return { status: 206, lines, body: part };
  };
}

/** What becomes of parts of bodies that can't be stored whole. RFC 9111 §3.3. */
export function parts(open: () => Cache): void {
  let site: Site;
  const newSite = siteForEach(open, () => {
    site = newSite({ maxBodySize: LIMIT });
    serveFile(site);
  });
  const get = (range: string, more = {}) => site.get({ range, ...more });

  it("is stored once the whole was too large, and answers requests for the same range", async () => {
    expect(await get("bytes=2-4")).toMatchObject({ status: 206, body: "234", how: "fwd=uri-miss" });
    expect(askedFor(site, "range")).toBeUndefined();
    expect(await get("bytes=2-4")).toMatchObject({ status: 206, body: "234", how: "fwd=uri-miss; stored" });
    expect(askedFor(site, "range")).toBe("bytes=2-4");
    const hit = await get("bytes=2-4");
    expect(hit).toMatchObject({ status: 206, body: "234", how: expect.stringMatching(/^hit/) });
    expect(hit.headers.get("content-range")).toBe("bytes 2-4/20");
    expect(site.asked).toHaveLength(2);
  });

  it("is stored beside other parts, each of which answers its own range", async () => {
    await site.get();
    for (const range of ["bytes=0-9", "bytes=10-19", "bytes=15-"]) await get(range);
    for (const [range, body] of [
      ["bytes=0-9", "0123456789"],
      ["bytes=10-19", "abcdefghij"],
      ["bytes=15-", "fghij"],
    ] as const)
      expect(await get(range)).toMatchObject({ status: 206, body, how: expect.stringMatching(/^hit/) });
    expect(site.asked).toHaveLength(4);
  });

  it("never answers a request for the whole, for another range, or a HEAD", async () => {
    await site.get();
    await get("bytes=0-4");
    expect(await site.get()).toMatchObject({ status: 200, body: LARGE });
    expect(await get("bytes=0-3")).toMatchObject({ status: 206, body: "0123" });
    expect(await get("bytes=0-1,3-4")).toMatchObject({ status: 200, body: LARGE });
    expect((await site.get({ range: "bytes=0-4" }, "HEAD")).status).toBe(200);
    expect(await get("bytes=0-4")).toMatchObject({ status: 206, body: "01234", how: expect.stringMatching(/^hit/) });
  });

  it("answers If-Range only while the validator is its own; else the whole is asked for (RFC 9110 §13.1.5)", async () => {
    await site.get();
    await get("bytes=0-4");
    const held = await get("bytes=0-4", { "if-range": '"1"' });
    expect(held).toMatchObject({ status: 206, body: "01234", how: expect.stringMatching(/^hit/) });
    const other = await get("bytes=0-4", { "if-range": '"2"' });
    expect(other).toMatchObject({ status: 200, body: LARGE, how: "fwd=partial" });
    expect((await get("bytes=0-4")).how).toMatch(/^hit/);
  });

  it("is validated when it is stale, as a part: a 304 keeps it, and another part replaces it (§4.3)", async () => {
    await site.get();
    await get("bytes=0-4");
    site.clock.pass(61);
    const validated = await get("bytes=0-4");
    expect(validated).toMatchObject({ status: 206, body: "01234", how: "fwd=stale; fwd-status=304; stored" });
    expect([askedFor(site, "range"), askedFor(site, "if-none-match")]).toEqual(["bytes=0-4", '"1"']);
    expect((await get("bytes=0-4")).how).toMatch(/^hit/);
    site.clock.pass(61);
    serveFile(site, LARGE.toUpperCase().replace("0", "X"), '"2"');
    expect(await get("bytes=0-4")).toMatchObject({ status: 206, body: "X1234", how: "fwd=stale; stored" });
    expect(await get("bytes=0-4")).toMatchObject({ body: "X1234", how: expect.stringMatching(/^hit/) });
  });

  it("is refreshed in the background as a part (RFC 5861)", async () => {
    site = newSite({ maxBodySize: LIMIT, staleWhileRevalidate: "1m" });
    serveFile(site);
    await site.get();
    await get("bytes=0-4");
    site.clock.pass(61);
    serveFile(site, "ABCDEFGHIJKLMNOPQRST", '"2"');
    expect(await get("bytes=0-4")).toMatchObject({ body: "01234", how: expect.stringMatching(/^hit; ttl=-/) });
    expect(await get("bytes=0-4")).toMatchObject({ status: 206, body: "ABCDE", how: expect.stringMatching(/^hit/) });
    site.clock.pass(61);
    // The origin has seen a Range, so that this may depend on it.
    site.answers(FRESH, "a Range");
    expect(await get("bytes=0-4")).toMatchObject({ body: "ABCDE" });
    expect((await site.answers(FRESH, "whole").get()).body).toBe("whole");
  });

  it("gives way to the whole when that can be stored", async () => {
    await site.get();
    await get("bytes=0-4");
    serveFile(site, "small", '"2"');
    expect((await site.get()).how).toBe("fwd=vary-miss; stored");
    expect(await get("bytes=0-4")).toMatchObject({ status: 206, body: "small", how: expect.stringMatching(/^hit/) });
  });

  it("is purged with its URL, and by its tags", async () => {
    await site.get();
    await get("bytes=0-4");
    expect(await site.purge()).toBe(1);
    expect((await get("bytes=0-4")).how).toBe("fwd=uri-miss");
    const serve = site.origin;
    site.origin = async (asked) => {
      const reply = await serve(asked);
      return { ...reply, lines: { ...reply.lines, "cache-tag": "file" } };
    };
    await get("bytes=0-4");
    expect((await get("bytes=0-4")).how).toMatch(/^hit/);
    await site.http.purges.tags(site.cache, ["file"]);
    expect((await get("bytes=0-4")).how).toMatch(/^fwd/);
  });

  it.each<[string, string, Record<string, string>]>([
    ["is another range than was asked for", "bytes=0-4", { "content-range": "bytes 0-3/20" }],
    ["doesn't say how long the whole is", "bytes=0-4", { "content-range": "bytes 0-4/*" }],
    ["has several ranges", "bytes=0-1,3-4", { "content-type": "multipart/byteranges; boundary=x" }],
    ["says nothing of its range", "bytes=0-4", {}],
    ["has another length than its range", "bytes=0-4", { "content-range": "bytes 0-4/20", "content-length": "4" }],
    ["is shorter than its range", "bytes=0-5", { "content-range": "bytes 0-5/20" }],
    ["is too large itself", "bytes=0-14", { "content-range": "bytes 0-14/20" }],
    ["may not be stored", "bytes=0-4", { "content-range": "bytes 0-4/20", "cache-control": "no-store" }],
  ])("is not stored when it %s", async (_what, range, lines) => {
    await site.get();
    site.answers({ ...FRESH, ...lines }, LARGE.slice(0, range === "bytes=0-14" ? 15 : 5), 206);
    for (let turn = 0; turn < 2; turn++) expect((await get(range)).how).toMatch(/^fwd=[a-z-]+$/);
    expect(site.asked).toHaveLength(3);
  });

  it("is not stored for a request with further conditions, nor is what a handler makes of a Range beside it", async () => {
    await site.get();
    await get("bytes=0-4", { "if-range": '"1"' });
    await get("bytes=0-4", { "if-none-match": '"2"' });
    site.answers(FRESH, "Range", 200);
    await get("bytes=0-4");
    expect(await site.get()).toMatchObject({ how: expect.stringMatching(/^fwd/) });
    expect(site.asked).toHaveLength(5);
  });

  it("is never stored where the origin sends one unasked", async () => {
    site.answers({ ...FRESH, "content-range": "bytes 0-4/20" }, "01234", 206);
    expect((await get("bytes=0-4")).how).toBe("fwd=uri-miss");
    expect(askedFor(site, "range")).toBeUndefined();
    await site.purge();
    expect((await get("bytes=0-4")).how).toBe("fwd=uri-miss");
  });
}
