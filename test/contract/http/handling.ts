import { expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { URL_OF_TESTS } from "../../http/rfc/exchanges.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import { askedFor, type Site } from "./site.js";
import { siteForEach } from "./site-for-each.js";

const FRESH = { "cache-control": "max-age=60" };

export function handling(open: () => Cache): void {
  let cache: Cache;
  let site: Site;
  const newSite = siteForEach(open, (opened) => {
    cache = opened;
    site = newSite();
  });

  it("answers from the store, with Age and Cache-Status (RFC 9111 §4, RFC 9211)", async () => {
    site.answers({ ...FRESH, a: "1" });
    expect((await site.get()).how).toBe("fwd=uri-miss; stored");
    site.clock.pass(3);
    const hit = await site.get();
    expect([hit.status, hit.body, hit.headers.get("a"), hit.headers.get("age")]).toEqual([200, "0123456789", "1", "3"]);
    expect(hit.how).toMatch(/^hit; ttl=5[67]$/);
    expect(site.asked).toHaveLength(1);
  });

  it("stores bytes as they are", async () => {
    const bytes = Uint8Array.from({ length: 4_096 }, (_none, i) => (i * 31) % 256);
    site.origin = () => ({ lines: FRESH, body: new Blob([bytes]).stream() });
    await site.get();
    const hit = await site.response();
    expect(new Uint8Array(await hit.arrayBuffer())).toEqual(bytes);
    expect(site.asked).toHaveLength(1);
  });

  it("validates what is stale, and is fresh again after a 304 (§4.3)", async () => {
    await site.answers({ ...FRESH, etag: '"1"', a: "old" }).get();
    site.clock.pass(61);
    const validated = await site.answers({ ...FRESH, etag: '"1"', a: "new" }, null, 304).get();
    expect(askedFor(site, "if-none-match")).toBe('"1"');
    expect([validated.status, validated.body, validated.headers.get("a")]).toEqual([200, "0123456789", "new"]);
    expect(validated.how).toBe("fwd=stale; fwd-status=304; stored");
    const hit = await site.get();
    expect([hit.headers.get("a"), hit.how.slice(0, 3), site.asked.length]).toEqual(["new", "hit", 2]);
  });

  it("gives a 304's Set-Cookie to the client that asked, and to no other", async () => {
    await site.answers({ ...FRESH, etag: '"1"' }).get();
    site.clock.pass(61);
    const validated = await site.answers({ ...FRESH, etag: '"1"', "set-cookie": "a=b" }, null, 304).get();
    expect(validated.headers.getSetCookie()).toEqual(["a=b"]);
    expect((await site.get()).headers.getSetCookie()).toEqual([]);
  });

  it("asks anew when a 304 is about another response (§4.3.4)", async () => {
    await site.answers({ ...FRESH, etag: '"1"' }, "old").get();
    site.clock.pass(61);
    site.origin = () =>
      site.asked.length === 2 ? { status: 304, lines: { etag: '"2"' } } : { lines: FRESH, body: "new" };
    expect((await site.get()).body).toBe("new");
    expect(askedFor(site, "if-none-match")).toBeUndefined();
  });

  it("keeps variants apart, and finds the one that was made for the request (§4.1)", async () => {
    site.origin = (asked) => ({ lines: { ...FRESH, vary: "Foo" }, body: JSON.stringify(asked) });
    const [one, two] = [await site.get({ foo: "1" }), await site.get({ foo: "2" })];
    expect([one.how, two.how]).toEqual(["fwd=uri-miss; stored", "fwd=vary-miss; stored"]);
    expect(await site.get({ foo: "1" })).toMatchObject({ body: one.body, how: expect.stringMatching(/^hit/) });
    expect(await site.get({ foo: "2" })).toMatchObject({ body: two.body, how: expect.stringMatching(/^hit/) });
    expect((await site.get()).how).toBe("fwd=vary-miss; stored");
    expect(site.asked).toHaveLength(3);
  });

  it("finds variants by each Vary that the URL has had, and gives up those for a response without", async () => {
    site.answers({ ...FRESH, vary: "a" }, "by a");
    await site.get({ a: "1", b: "1" });
    site.answers({ ...FRESH, vary: "b" }, "by b");
    await site.get({ a: "2", b: "2" });
    expect((await site.get({ a: "1", b: "9" })).body).toBe("by a");
    expect((await site.get({ a: "9", b: "2" })).body).toBe("by b");
    site.answers(FRESH, "for all");
    expect((await site.get({ a: "7", b: "7" })).body).toBe("for all");
    expect((await site.get({ a: "8", b: "8" })).how).toMatch(/^hit/);
    expect(site.asked).toHaveLength(3);
  });

  it("keeps as many variants as it may, and lets the oldest go", async () => {
    site = newSite({ maxVariants: 3 });
    site.answers({ ...FRESH, vary: "foo" });
    for (const foo of ["1", "2", "3", "4"]) await site.get({ foo });
    expect((await site.get({ foo: "2" })).how).toMatch(/^hit/);
    expect((await site.get({ foo: "1" })).how).toBe("fwd=vary-miss; stored");
    expect((await cache.keys("*")).filter((key) => /:[\w-]{32}$/.test(key))).toHaveLength(3);
  });

  it("stores all variants that come at once", async () => {
    site.answers({ ...FRESH, vary: "foo" });
    await site.get({ foo: "0" });
    const all = Array.from({ length: 10 }, (_none, i) => ({ foo: String(i) }));
    await Promise.all(all.map((lines) => site.ask(lines)));
    await site.settled();
    for (const lines of all) expect((await site.get(lines)).how).toMatch(/^hit/);
  });

  it("lets one of many ask, and gives the others what it stored", async () => {
    const gate = deferred();
    site.origin = async () => {
      await gate.promise;
      return { lines: FRESH, body: "once" };
    };
    const asking = Array.from({ length: 20 }, () => site.ask());
    await until(() => site.asked.length === 1, { what: "the first to ask" });
    gate.resolve();
    const answers = await Promise.all(asking);
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(["once"]));
    expect(answers.filter(({ how }) => how.includes("collapsed")).length).toBeGreaterThan(0);
    expect(site.asked).toHaveLength(1);
  });

  it("lets all ask at once what can't be stored, and doesn't wait the next time", async () => {
    const gate = deferred();
    site.origin = async () => {
      if (site.asked.length > 1) await gate.promise;
      return { lines: { "cache-control": "no-store" } };
    };
    const asking = Array.from({ length: 20 }, () => site.ask());
    await until(() => site.asked.length === 20, { what: "all to ask at once" });
    gate.resolve();
    await Promise.all(asking);
    expect((await site.get()).how).toBe("fwd=uri-miss");
  });

  it("stores the next response that may be, in the place of that memory", async () => {
    await site.answers({ "cache-control": "no-store" }).get();
    await site.answers(FRESH).get();
    expect((await site.get()).how).toMatch(/^hit/);
  });

  it("never lets a request with credentials wait", async () => {
    const gate = deferred();
    site.origin = async (asked) => {
      if (!asked.some(([name]) => name === "authorization")) await gate.promise;
      return { lines: FRESH };
    };
    const slow = site.ask();
    await until(() => site.asked.length === 1, { what: "the slow one to ask" });
    expect((await site.ask({ authorization: "me" })).status).toBe(200);
    gate.resolve();
    await slow;
  });

  it("answers with 504 when only a stored response is wanted, and does not keep others waiting (§5.2.1.7)", async () => {
    expect((await site.get({ "cache-control": "only-if-cached" })).status).toBe(504);
    expect((await site.get()).how).toBe("fwd=uri-miss");
    expect(site.asked).toHaveLength(1);
  });

  it("serves stale while it revalidates, once, without the client's fields (RFC 5861 §3)", async () => {
    await site
      .answers({ "cache-control": "max-age=60, stale-while-revalidate=60", vary: "foo" }, "old")
      .get({ foo: "1" });
    site.clock.pass(61);
    const gate = deferred();
    site.origin = async () => {
      await gate.promise;
      return { lines: { ...FRESH, vary: "foo" }, body: "new" };
    };
    const stale = await Promise.all([site.ask({ foo: "1", secret: "x" }), site.ask({ foo: "1", secret: "y" })]);
    expect(stale.map(({ body }) => body)).toEqual(["old", "old"]);
    gate.resolve();
    await site.settled();
    expect(site.asked[1]).toEqual([
      ["foo", "1"],
      ["host", "example.com"],
    ]);
    expect([(await site.get({ foo: "1" })).body, site.asked.length]).toEqual(["new", 2]);
  });

  it("has one client wait for the refresh where the host can't refetch", async () => {
    site = newSite({}, { canRefetch: false });
    await site.answers({ "cache-control": "max-age=60, stale-while-revalidate=60" }, "old").get();
    site.clock.pass(61);
    expect((await site.answers(FRESH, "new").get()).body).toBe("new");
  });

  it("serves stale for a while after a refresh failed, and then tries again", async () => {
    await site.answers({ "cache-control": "max-age=60, stale-while-revalidate=600" }, "old").get();
    site.clock.pass(61);
    site.answers({}, "broken", 503);
    await site.get();
    expect([(await site.get()).body, site.asked.length]).toEqual(["old", 2]);
  });

  it("serves stale in the place of an error, where that is allowed (RFC 5861 §4)", async () => {
    await site.answers({ "cache-control": "max-age=60, stale-if-error=60" }, "old").get();
    site.clock.pass(61);
    expect(await site.answers({}, "broken", 503).get()).toMatchObject({ status: 200, body: "old" });
    site.clock.pass(61);
    expect(await site.get()).toMatchObject({ status: 503, body: "broken" });
  });

  it("serves stale when the origin can't be reached, and fails where nothing is stored (§4.2.4)", async () => {
    await site.answers(FRESH, "old").get();
    site.clock.pass(61);
    site.origin = () => Promise.reject(new Error("refused"));
    expect(await site.get()).toMatchObject({ status: 200, body: "old", how: expect.stringMatching(/^hit; ttl=-\d/) });
    await expect(site.get({}, "GET", `${URL_OF_TESTS}&other`)).rejects.toThrow("refused");
    await site.settled();
  });

  it("answers conditions and ranges from the store, and on a miss, too (RFC 9110 §§13, 14)", async () => {
    site.answers({ ...FRESH, etag: '"1"', "content-length": "10" });
    expect(await site.get({ "if-none-match": '"1"' })).toMatchObject({ status: 304, body: "" });
    expect(site.asked).toEqual([[["host", "example.com"]]]);
    expect(await site.get({ range: "bytes=2-4" })).toMatchObject({ status: 206, body: "234" });
    expect((await site.get({ range: "bytes=10-" })).status).toBe(416);
    await site.purge();
    const part = await site.get({ range: "bytes=-3" });
    expect([part.status, part.body, part.headers.get("content-range")]).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await site.get()).toMatchObject({ body: "0123456789", how: expect.stringMatching(/^hit/) });
    expect(site.asked).toHaveLength(2);
  });

  it("answers HEAD from a stored GET, and learns from a HEAD that the origin answered (§4.3.5)", async () => {
    await site.answers({ ...FRESH, etag: '"1"' }).get();
    expect(await site.get({}, "HEAD")).toMatchObject({ status: 200, body: "", how: expect.stringMatching(/^hit/) });
    site.clock.pass(61);
    await site.answers({ ...FRESH, etag: '"1"', a: "2" }, null).get({}, "HEAD");
    const hit = await site.get();
    expect([hit.headers.get("a"), hit.body, hit.how.slice(0, 3)]).toEqual(["2", "0123456789", "hit"]);
    site.clock.pass(61);
    await site.answers({ ...FRESH, etag: '"2"' }, null).get({}, "HEAD");
    expect((await site.answers({ ...FRESH, etag: '"2"' }).get()).how).toMatch(/^fwd=stale/);
  });

  it.each(["POST", "PUT", "DELETE", "UNKNOWN"])(
    "forgets a URL, its variants and its Location after a %s (§4.4)",
    async (method) => {
      site.answers({ ...FRESH, vary: "foo" });
      const other = new URL("/other", URL_OF_TESTS).href;
      await site.get({ foo: "1" });
      await site.get({ foo: "2" });
      await site.get({}, "GET", other);
      await site.answers({ location: "/other" }, "done", 201).get({}, method);
      site.answers({ ...FRESH, vary: "foo" });
      for (const foo of ["1", "2"]) expect((await site.get({ foo })).how).toMatch(/^fwd/);
      expect((await site.get({}, "GET", other)).how).toMatch(/^fwd/);
    },
  );

  it("keeps what is stored after an unsafe method that failed, and after a safe one", async () => {
    await site.answers(FRESH).get();
    await site.answers({}, "no", 500).get({}, "POST");
    await site.answers({}).get({}, "OPTIONS");
    expect((await site.get()).how).toMatch(/^hit/);
  });

  it("answers a later GET with a POST's response that says it may (RFC 9110 §9.3.3)", async () => {
    await site.answers({ ...FRESH, "content-location": URL_OF_TESTS }, "posted").get({}, "POST");
    expect(await site.get()).toMatchObject({ body: "posted", how: expect.stringMatching(/^hit/) });
    await site
      .answers({ ...FRESH, "content-location": URL_OF_TESTS }, "evil")
      .get({ "x-forwarded-host": "evil" }, "POST");
    expect((await site.answers(FRESH, "good").get()).body).toBe("good");
  });

  it("stores no response to a POST whose handler saw the target in other words than the key has it", async () => {
    const other = URL_OF_TESTS.replace("example.com", "EXAMPLE.COM");
    await site.answers({ ...FRESH, "content-location": other }, other).get({}, "POST", other);
    expect((await site.answers(FRESH, "good").get()).body).toBe("good");
  });
}
