import { expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { PurgeLog } from "../../../src/tags/purge-log.js";
import { URL_OF_TESTS } from "../../http/rfc/exchanges.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import type { Site } from "./site.js";
import { siteForEach } from "./site-for-each.js";

const FRESH = { "cache-control": "max-age=60" };
const TAGGED = { ...FRESH, "cache-tag": "a, b", etag: '"1"' };
const ORIGIN = new URL(URL_OF_TESTS).origin;

export function purging(open: () => Cache): void {
  let cache: Cache;
  let site: Site;
  const newSite = siteForEach(open, (opened) => {
    cache = opened;
    site = newSite();
  });

  it("ends a URL and its variants", async () => {
    site.answers({ ...FRESH, vary: "foo" });
    for (const foo of ["1", "2"]) await site.get({ foo });
    await site.purge();
    for (const foo of ["1", "2"]) expect((await site.get({ foo })).how).toMatch(/^fwd/);
  });

  it("that is soft has a URL and its variants validated, once each", async () => {
    site.answers({ ...FRESH, vary: "foo", etag: '"1"' });
    for (const foo of ["1", "2"]) await site.get({ foo });
    await site.purge(URL_OF_TESTS, { soft: true });
    site.answers({ ...FRESH, vary: "foo", etag: '"1"' }, null, 304);
    for (const foo of ["1", "2"]) expect((await site.get({ foo })).how).toBe("fwd=stale; fwd-status=304; stored");
    for (const foo of ["1", "2"]) expect((await site.get({ foo })).how).toMatch(/^hit/);
  });

  it("that is soft has a response without variants validated", async () => {
    await site.answers({ ...FRESH, etag: '"1"' }).get();
    await site.purge(URL_OF_TESTS, { soft: true });
    expect((await site.answers(FRESH, null, 304).get()).how).toBe("fwd=stale; fwd-status=304; stored");
  });

  it("of a URL with nothing stored is no error", async () => {
    await site.purge();
    await site.purge(URL_OF_TESTS, { soft: true });
    expect((await site.answers(FRESH).get()).how).toBe("fwd=uri-miss; stored");
  });

  it("refuses what is no URL", async () => {
    await expect(site.purge("/things")).rejects.toThrow(
      /purge: "\/things" is no URL that can be stored; give an absolute/,
    );
  });

  it("by tag ends what has the tag, in every process, and nothing else", async () => {
    const third = `${URL_OF_TESTS}&untagged`;
    await site.answers(TAGGED).get();
    await site.answers(FRESH).get({}, "GET", third);
    const elsewhere = newSite();
    expect((await elsewhere.get()).how).toMatch(/^hit/);
    await site.http.purges.tags(cache, ["b", "unknown"]);
    expect((await elsewhere.answers(TAGGED, "new").get()).how).toBe("fwd=uri-miss; stored");
    expect((await site.get()).body).toBe("new");
    expect((await site.get({}, "GET", third)).how).toMatch(/^hit/);
  });

  it("by tag keeps a response that began before it from requests that came after it, and wait for that response", async () => {
    const [asked, answered] = [deferred<void>(), deferred<void>()];
    let requests = 0;
    site.origin = async () => {
      const body = `answer ${++requests}`;
      asked.resolve();
      if (requests === 1) await answered.promise;
      return { lines: TAGGED, body };
    };
    const first = site.get();
    await asked.promise;
    await site.http.purges.tags(cache, ["b"]);
    const late = [site.get(), site.get()];
    answered.resolve();
    expect((await first).body).toBe("answer 1");
    for (const { body } of await Promise.all(late)) expect(body).not.toBe("answer 1");
    expect((await site.get()).body).not.toBe("answer 1");
  });

  it("by tag that is soft has what has the tag validated", async () => {
    await site.answers({ ...FRESH, "surrogate-key": "one two", etag: '"1"' }).get();
    await site.http.purges.tags(cache, ["two"], { soft: true });
    expect((await site.answers({ ...FRESH, "surrogate-key": "one two" }, null, 304).get()).how).toBe(
      "fwd=stale; fwd-status=304; stored",
    );
    expect((await site.get()).how).toMatch(/^hit/);
  });

  it("by group holds within the origin, and follows Cache-Group-Invalidation (RFC 9875)", async () => {
    const abroad = URL_OF_TESTS.replace("example.com", "example.org");
    site.answers({ ...FRESH, "cache-groups": '"g"' });
    await site.get();
    await site.get({}, "GET", abroad);
    await site.answers({ "cache-group-invalidation": '"g"' }).get({}, "POST", `${ORIGIN}/elsewhere`);
    site.answers({ ...FRESH, "cache-groups": '"g"' });
    expect((await site.get()).how).toBe("fwd=uri-miss; stored");
    expect((await site.get({}, "GET", abroad)).how).toMatch(/^hit/);
    await site.http.purges.groups(cache, ORIGIN, ["g"]);
    expect((await site.get()).how).toBe("fwd=uri-miss; stored");
  });

  const purges: Record<string, () => Promise<unknown>> = {
    "of the URL": () => site.purge(),
    "of the URL, softly": () => site.purge(URL_OF_TESTS, { soft: true }),
    "by tag": () => site.http.purges.tags(cache, ["a"]),
    "by tag, softly": () => site.http.purges.tags(cache, ["a"], { soft: true }),
    "by tag, from another process": () => newSite().http.purges.tags(cache, ["a"]),
    "by an unsafe method, in another process": async () => void (await newSite().get({}, "DELETE")),
  };

  it.each(Object.keys(purges).flatMap((how) => [[how, {}] as const, [how, { vary: "foo" }] as const]))(
    "%s keeps what is being computed, with %j, from being served after it",
    async (how, vary) => {
      const gate = deferred();
      site.origin = async () => {
        const body = `answer ${site.asked.length}`;
        if (body === "answer 1") await gate.promise;
        return { lines: { ...TAGGED, etag: `"${body}"`, ...vary }, body };
      };
      const slow = site.ask({ foo: "1" });
      await until(() => site.asked.length === 1, { what: "the origin to be asked" });
      await purges[how]?.();
      gate.resolve();
      expect((await slow).body).toBe("answer 1");
      await site.settled();
      expect((await site.get({ foo: "1" })).body).toBe("answer 2");
      expect(await site.get({ foo: "1" })).toMatchObject({ body: "answer 2", how: expect.stringMatching(/^hit/) });
    },
  );

  it("keeps a variant that is being computed from being stored beside those after the purge", async () => {
    site.answers({ ...FRESH, vary: "foo" });
    await site.get({ foo: "0" });
    const gate = deferred();
    site.origin = async (asked) => {
      const body = String(site.asked.length);
      if (asked[0]?.[1] === "slow" && body === "2") await gate.promise;
      return { lines: { ...FRESH, vary: "foo" }, body };
    };
    const slow = site.ask({ foo: "slow" });
    await until(() => site.asked.length === 2, { what: "the origin to be asked" });
    await site.purge();
    await site.ask({ foo: "1" });
    gate.resolve();
    expect((await slow).body).toBe("2");
    await site.settled();
    expect((await site.get({ foo: "slow" })).how).toBe("fwd=vary-miss; stored");
  });

  it("by tag that the log has forgotten counts as a soft one", async () => {
    cache.purges.log = new PurgeLog(cache.purges.key(), 4);
    site = newSite();
    await site.answers(TAGGED).get();
    for (let i = 0; i < 9; i++) await site.http.purges.tags(cache, [`unknown ${i}`]);
    expect((await site.answers(TAGGED, null, 304).get()).how).toBe("fwd=stale; fwd-status=304; stored");
    expect((await site.get()).how).toMatch(/^hit/);
    const [members] = await cache.connection.send([["ZCARD", cache.purges.key()]]);
    expect(members).toBeLessThanOrEqual(4 + 1);
  });

  it("by tag whose log is lost counts as a soft one of everything that has tags", async () => {
    await site.answers(TAGGED).get();
    await cache.connection.send([["DEL", cache.purges.key()]]);
    expect((await site.answers(TAGGED, null, 304).get()).how).toBe("fwd=stale; fwd-status=304; stored");
  });

  it("by tag ends what was refreshed by a 304 before it", async () => {
    await site.answers(TAGGED).get();
    site.clock.pass(61);
    await site.answers(TAGGED, null, 304).get();
    await site.http.purges.tags(cache, ["a"]);
    expect((await site.answers(TAGGED).get()).how).toBe("fwd=uri-miss; stored");
  });

  it.each([
    ["both", {}, { data: true, http: true }],
    ["responses", { only: "http" }, { data: false, http: true }],
    ["data", { only: "data" }, { data: true, http: false }],
  ] as const)("by tag of %s is the same for the cache and for its HTTP cache", async (_what, only, ends) => {
    const purges = [() => cache.purgeTags(["a"], only), () => site.http.purges.tags(cache, ["a"], only)];
    for (const purge of purges) {
      await site.answers(TAGGED).get();
      await cache.set("data", 1, { tags: ["a"] });
      const events: unknown[] = [];
      const end = cache.on("purge", (event) => void events.push(event));
      await purge();
      end();
      expect(events).toMatchObject([{ by: "tag", what: ["a"], match: "any", soft: false, count: 1, key: "" }]);
      expect((await site.answers(TAGGED).get()).how).toMatch(ends.http ? /^fwd=uri-miss/ : /^hit/);
      expect(await cache.get("data")).toBe(ends.data ? undefined : 1);
    }
  });

  it("by tags that a response has all of spares those that have one of them", async () => {
    const purges = [
      (tags: string[]) => cache.purgeTags(tags, { match: "all" }),
      (tags: string[]) => site.http.purges.tags(cache, tags, { match: "all" }),
    ];
    for (const purge of purges) {
      await site.answers({ ...FRESH, "cache-tag": "a,b" }).get();
      await purge(["a", "other"]);
      expect((await site.get()).how).toMatch(/^hit/);
      await purge(["b", "a"]);
      expect((await site.get()).how).toMatch(/^fwd=uri-miss/);
    }
  });

  it("by tag refuses what is no list of tags", async () => {
    await expect(site.http.purges.tags(cache, [""])).rejects.toThrow(TypeError);
  });
}
