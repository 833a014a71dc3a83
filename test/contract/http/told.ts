import { expect } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheEvents } from "../../../src/core/event-types.js";
import { cacheStatus } from "../../../src/http/rfc/cache-status.js";
import type { Site } from "./site.js";

/** Listens to requests. @returns what checks that each event says what the client of its request saw */
export function watchRequests(cache: Cache): (sites: readonly Site[]) => void {
  const events: CacheEvents["http"][] = [];
  cache.on("http", (event) => events.push(event));
  return (sites) => {
    expect(events.map(asSeen).sort()).toEqual(sites.flatMap(({ seen }) => seen).sort());
    expect(events.filter(({ durationMs }) => !(durationMs >= 0))).toEqual([]);
  };
}

/** What a client sees of a request, as its event says. */
function asSeen({ method, url, status, error, outcome, detail, ...handling }: CacheEvents["http"]): string {
  if (status === undefined) return `${method} ${url} ${error}`;
  // A client that has left gets no Cache-Status.
  const member = status === 499 ? "" : cacheStatus("x")({ ...handling, how: outcome }).slice("x; ".length);
  return `${method} ${url} ${status} ${member}`;
}
