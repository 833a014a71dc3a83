import { afterEach, beforeEach, expect } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { Site } from "./site.js";
import { watchRequests } from "./told.js";

type SiteArguments = typeof Site extends new (cache: Cache, ...more: infer More) => Site ? More : never;

/** Another process's site over the cache of the test. */
export type NewSite = (...more: SiteArguments) => Site;

/**
 * Opens a cache for each test, and closes it. What its sites began must have ended by then without an error, and the events
 * must say of each request what its client saw.
 *
 * @param begin is given the cache before each test
 */
export function siteForEach(open: () => Cache, begin: (cache: Cache) => void): NewSite {
  let cache: Cache;
  let sites: Site[] = [];
  let checkEvents: ReturnType<typeof watchRequests>;
  beforeEach(() => {
    cache = open();
    sites = [];
    checkEvents = watchRequests(cache);
    begin(cache);
  });
  afterEach(async () => {
    for (const site of sites) await site.settled();
    expect(sites.flatMap(({ errors }) => errors)).toEqual([]);
    checkEvents(sites);
    await cache.close();
  });
  return (...more) => {
    const site = new Site(cache, ...more);
    sites.push(site);
    return site;
  };
}
