import { expect, it, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { DecodeError } from "../../../src/core/errors.js";
import type { CacheEvents, EventName } from "../../../src/core/event-types.js";
import { URL_OF_TESTS } from "../../http/rfc/exchanges.js";
import { deferred } from "../../support/deferred.js";
import { until } from "../../support/wait.js";
import { Site } from "./site.js";
import { siteForEach } from "./site-for-each.js";

const FRESH = { "cache-control": "max-age=60" };
const REVALIDATED = { "cache-control": "max-age=60, stale-while-revalidate=60" };
const ORIGIN = new URL(URL_OF_TESTS).origin;

/** That each request's event says what its client saw is checked after every test, here and in the other files: `siteForEach`. */
export function events(open: () => Cache): void {
  let cache: Cache;
  let site: Site;
  const newSite = siteForEach(open, (opened) => {
    cache = opened;
    site = newSite();
  });

  function heard<E extends EventName>(name: E): CacheEvents[E][] {
    const all: CacheEvents[E][] = [];
    cache.on(name, (event) => all.push(event));
    return all;
  }

  /** Requests that come at once, for a response that the origin makes when all others wait. */
  async function together(count: number, lines: Record<string, string>): Promise<void> {
    const gate = deferred();
    const claims = heard("claim");
    site.origin = async () => {
      if (site.asked.length === 1) await gate.promise;
      return { lines };
    };
    const asking = Array.from({ length: count }, () => site.ask());
    await until(() => claims.length === count, { what: "all requests to have tried to claim" });
    gate.resolve();
    await Promise.all(asking);
    await site.settled();
    expect(claims.filter(({ won }) => won)).toHaveLength(1);
    expect(claims).toHaveLength(count);
  }

  it("of requests say why the cache was bypassed and why a response is not stored, without the option debug", async () => {
    const requests = heard("http");
    await site.get({ cookie: "a=1" });
    await site.get({}, "POST");
    await site.answers({ "cache-control": "no-store" }).get();
    await site.get({ "cache-control": "only-if-cached" });
    await site.get({ "cache-control": "only-if-cached", cookie: "a=1" });
    expect(requests.map(({ outcome, detail, status }) => [outcome, detail, status])).toEqual([
      ["bypass", "cookie", 200],
      ["method", "method", 200],
      ["uri-miss", "no-store", 200],
      ["miss", "only-if-cached", 504],
      ["miss", "only-if-cached", 504],
    ]);
  });

  it("of requests are the same on the fast path of a web server", async () => {
    const requests = heard("http");
    site = newSite({}, { isServer: true }).answers(FRESH);
    for (let i = 0; i < 3; i++) await site.get();
    expect(requests.map(({ outcome, stored }) => [outcome, stored])).toEqual([
      ["uri-miss", true],
      ["hit", false],
      ["hit", false],
    ]);
    expect(requests.at(-1)?.ttlMs).toBeGreaterThan(58_000);
    expect(requests.at(-1)?.ttlMs).toBeLessThanOrEqual(60_000);
  });

  it("of a request whose origin throws have the error, and so have the events of the load and the error", async () => {
    const [requests, loads, errors] = [heard("http"), heard("load"), heard("error")];
    const refused = new Error("refused");
    site.origin = () => Promise.reject(refused);
    await expect(site.get()).rejects.toThrow(refused);
    await site.settled();
    expect(requests).toMatchObject([{ outcome: "uri-miss", status: undefined, error: refused }]);
    expect(loads).toMatchObject([{ method: "http", failed: true, background: false }]);
    expect(errors).toMatchObject([{ method: "http", error: refused, kind: "loader" }]);
  });

  it("of a request whose client left while it waited have the status 499", async () => {
    const [requests, waits] = [heard("http"), heard("wait")];
    const gate = deferred();
    site.origin = async () => {
      await gate.promise;
      return { lines: FRESH };
    };
    const first = site.ask();
    await until(() => site.asked.length === 1, { what: "the origin to be asked" });
    const client = new AbortController();
    site.signal = client.signal;
    const claims = heard("claim");
    const second = site.ask();
    await until(() => claims.length === 1, { what: "the second request to wait" });
    client.abort();
    await second;
    expect(requests).toMatchObject([{ outcome: "miss", status: 499, collapsed: false, detail: "client-gone" }]);
    expect(waits).toMatchObject([{ method: "http", answered: false }]);
    gate.resolve();
    await first;
  });

  it("tell of one load, one claim that is won, and the waits of all others", async () => {
    const [requests, waits, loads, sets] = [heard("http"), heard("wait"), heard("load"), heard("set")];
    await together(10, FRESH);
    expect(waits.map(({ method, answered }) => [method, answered])).toEqual(Array(9).fill(["http", true]));
    for (const { durationMs } of waits) expect(durationMs).toBeGreaterThan(0);
    expect(requests.filter(({ collapsed }) => collapsed)).toHaveLength(9);
    expect(loads).toMatchObject([{ method: "http", count: 1, failed: false, background: false }]);
    expect(sets).toMatchObject([{ method: "http", count: 1, key: loads[0]?.key }]);
    const [size] = await cache.connection.send([["STRLEN", sets[0]?.key ?? ""]]);
    expect(sets[0]?.bytes).toBe(size);
  });

  it("tell of waits for a response that can't be stored as waits in vain", async () => {
    const [requests, waits] = [heard("http"), heard("wait")];
    await together(5, { "cache-control": "no-store" });
    expect(waits.map(({ answered }) => answered)).toEqual(Array(4).fill(false));
    expect(requests.filter(({ collapsed }) => collapsed === false)).toHaveLength(4);
  });

  it("describe renewals, and a response that lost its lease to a purge", async () => {
    const [renewals, fenced, sets] = [heard("renew"), heard("fenced"), heard("set")];
    site = newSite({ lease: "1s" });
    const gate = deferred();
    site.origin = async () => {
      await gate.promise;
      return { lines: FRESH };
    };
    const asking = site.ask();
    await until(() => renewals.some(({ held }) => held), { what: "a renewal" });
    await site.purge();
    await until(() => renewals.some(({ held }) => !held), { what: "a renewal that finds the lease lost" });
    gate.resolve();
    await asking;
    await site.settled();
    expect(fenced).toEqual([{ method: "http", key: renewals[0]?.key }]);
    expect(sets).toEqual([]);
  });

  it("describe a stale response, and its refresh as an operation that begins within the request", async () => {
    const [stale, loads, claims] = [heard("stale"), heard("load"), heard("claim")];
    const begun: string[] = [];
    await site.answers({ ...REVALIDATED, age: "61" }).get();
    cache.events.trace(({ kind }) => {
      if (kind !== "roundTrip") begun.push(kind);
      return (work) => work();
    });
    const gate = deferred();
    site.origin = async () => {
      await gate.promise;
      return { lines: REVALIDATED };
    };
    await site.ask();
    expect(begun[0]).toBe("refresh");
    await until(() => site.asked.length === 2, { what: "the refresh" });
    // The lease is known to be taken.
    await site.ask();
    gate.resolve();
    await site.settled();
    expect(begun).toEqual(["refresh", "load"]);
    expect(stale.map(({ method, count }) => [method, count])).toEqual(Array(2).fill(["http", 1]));
    expect(claims.map(({ won }) => won)).toEqual([true, true]);
    expect(loads.map(({ background }) => background)).toEqual([false, true]);
  });

  it("describe each error that onError is called with, once", async () => {
    const errors = heard("error");
    await site.answers(FRESH).get();
    const [key = ""] = await cache.keys("*");
    await cache.connection.send([["SET", String(cache.makeKey(key)), "spoilt"]]);
    await site.get();
    expect(errors).toMatchObject([{ method: "http", key: String(cache.makeKey(key)), kind: "decode" }]);
    expect(site.errors.splice(0)).toEqual([expect.any(DecodeError)]);
  });

  it("describe purges, with what was purged and how many responses there were", async () => {
    const purges = heard("purge");
    site = newSite({ prefixPurges: true });
    await site.answers({ ...FRESH, vary: "foo" }).get({ foo: "1" });
    await site.get({ foo: "2" });
    await site.purge(URL_OF_TESTS, { soft: true });
    await site.purge();
    await site.http.purges.url(cache, { key: "own" });
    await site.http.purges.tags(cache, ["a", "b"]);
    await site.http.purges.tags(cache, ["a", "b", "a"], { match: "all" });
    await site.http.purges.tags(cache, ["a"], { match: "all" });
    await site.http.purges.groups(cache, ORIGIN, ["g"], { soft: true });
    await site.http.purges.prefix(cache, `${ORIGIN}/a`);
    await site.http.purges.tags(cache, []);
    const event = (by: string, what: string[], soft: boolean, ended?: number) =>
      ({ method: "http", key: "", count: what.length, by, what, match: "any", soft, ended }) as const;
    expect(purges).toEqual([
      event("url", [URL_OF_TESTS], true, 2),
      event("url", [URL_OF_TESTS], false, 2),
      event("url", ["own"], false, 0),
      event("tag", ["a", "b"], false),
      { ...event("tag", ["a", "b"], false), match: "all" },
      event("tag", ["a"], false),
      event("group", ["g"], true),
      event("prefix", [`${ORIGIN}/a`], false),
    ]);
  });

  it("describe what an unsafe request has purged", async () => {
    const purges = heard("purge");
    await site.answers(FRESH).get();
    await site.answers({ location: "/other", "cache-group-invalidation": '"g"' }).get({}, "POST");
    const [urls] = purges.filter(({ by }) => by === "url");
    expect(urls).toMatchObject({ what: [URL_OF_TESTS, `${ORIGIN}/other`], count: 2, soft: false, ended: 1 });
    expect(purges.filter(({ by }) => by === "group")).toMatchObject([{ what: ["g"], soft: false }]);
  });

  it("change no response when listeners throw", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const unheard = newSite();
    const names = ["http", "load", "claim", "set", "wait", "stale", "purge", "error"] as const;
    const ends = names.map((name) =>
      cache.on(name, () => {
        throw new Error("listener");
      }),
    );
    await site.answers(FRESH).get();
    const { how, body } = await site.get();
    for (const end of ends) end();
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
    expect(how).toMatch(/^hit/);
    expect(body).toBe((await unheard.get()).body);
  });

  it("are not made without listeners", async () => {
    await using quiet = open();
    const emit = vi.spyOn(quiet.events, "emit");
    const alone = new Site(quiet, {}, { isServer: true }).answers(FRESH);
    for (let i = 0; i < 3; i++) await alone.get();
    const names = () => emit.mock.calls.map(([name]) => name);
    expect(names()).not.toContain("http");
    quiet.on("http", () => {});
    await alone.get();
    expect(names()).toContain("http");
  });
}
