import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createCache } from "../../src/index.js";
import { type Got, Site } from "../contract/http/site.js";
import { watchRequests } from "../contract/http/told.js";
import type { Lines } from "./rfc/exchanges.js";

/** Fields that a request may have, and values that tell one kind of request from another. */
const FIELDS: Record<string, string[]> = {
  accept: ["*/*"],
  authorization: ["Basic x"],
  "cache-control": [
    "no-cache",
    "no-store",
    "max-age=0",
    "max-age=5",
    "max-stale",
    "min-fresh=50",
    "only-if-cached",
    "",
  ],
  connection: ["keep-alive", "Close", "upgrade", "x, Upgrade"],
  "content-length": ["0", "5"],
  cookie: ["a=1", "allowed=1"],
  foo: ["1", "2"],
  "if-match": ['"a"'],
  "if-modified-since": ["Mon, 01 Jan 2035 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT"],
  "if-none-match": ['"a"', '"b"', "*"],
  "if-range": ['"a"'],
  "if-unmodified-since": ["Mon, 01 Jan 2035 00:00:00 GMT"],
  pragma: ["no-cache"],
  range: ["bytes=1-2", "bytes=90-"],
  "transfer-encoding": ["chunked"],
  upgrade: ["h2c"],
  "user-agent": ["x"],
  "x-http-method": ["PUT"],
  "x-http-method-override": ["PUT"],
  "x-method-override": ["PUT"],
};
const each = Object.entries(FIELDS).flatMap(([name, values]) => values.map((value): [string, string] => [name, value]));
/** Few fields, so that often none of them tells. */
const few = fc.subarray(each, { maxLength: 2 }).map((chosen): Lines => Object.fromEntries(chosen));

const KINDS: Record<string, Lines> = {
  fresh: { "cache-control": "max-age=60", etag: '"a"', "last-modified": "Mon, 01 Jan 2020 00:00:00 GMT" },
  immutable: { "cache-control": "max-age=60, immutable" },
  stale: { "cache-control": "max-age=5", etag: '"a"' },
  "stale while revalidated": { "cache-control": "max-age=5, stale-while-revalidate=60" },
  "to be validated": { "cache-control": "max-age=60, no-cache", etag: '"a"' },
  varying: { "cache-control": "max-age=60", vary: "foo" },
  tagged: { "cache-control": "max-age=60", "cache-tag": "t" },
  "not to be stored": { "cache-control": "no-store" },
};
const PURGES = ["none", "soft", "hard", "tag", "soft tag"] as const;

interface Scene {
  readonly kind: Lines;
  readonly purge: (typeof PURGES)[number];
  readonly request: Lines;
  readonly method: string;
}

const scene: fc.Arbitrary<Scene> = fc.record({
  kind: fc.constantFrom(...Object.values(KINDS)),
  purge: fc.oneof({ weight: 4, arbitrary: fc.constant("none" as const) }, fc.constantFrom(...PURGES)),
  request: few,
  method: fc.constantFrom("GET", "GET", "GET", "HEAD"),
});

/** What a request gets from a response that was stored ten seconds before, and whether the origin was asked. */
async function play({ kind, purge, request, method }: Scene, isServer: boolean): Promise<[Got, number]> {
  await using cache = createCache({ location: "memory:", keyPrefix: randomUUID() });
  // One of the two has listeners, so that these change nothing.
  const checkEvents = isServer ? watchRequests(cache) : undefined;
  const site = new Site(cache, { allowCookies: ["allowed"] }, { isServer });
  // Nothing that is compared depends on how long the other one took.
  const now = vi.spyOn(site.clock, "now").mockReturnValue(NOW_MS);
  site.answers(kind);
  for (let i = 0; i < 3; i++) await site.get();
  now.mockReturnValue(NOW_MS + 10_000);
  if (purge === "tag" || purge === "soft tag")
    await site.http.purges.tags(cache, ["t"], { soft: purge === "soft tag" });
  else if (purge !== "none") await site.purge(undefined, { soft: purge === "soft" });
  const before = site.asked.length;
  const got = await site.get(request, method);
  expect(site.errors).toEqual([]);
  checkEvents?.([site]);
  return [got, site.asked.length - before];
}

const NOW_MS = Date.UTC(2030, 0, 1);

async function isAnsweredAlike(scene: Scene): Promise<void> {
  const [short, shortAsked] = await play(scene, true);
  const [long, longAsked] = await play(scene, false);
  expect({ ...short, headers: [...short.headers] }).toEqual({ ...long, headers: [...long.headers] });
  expect(shortAsked).toBe(longAsked);
}

describe("a request as a web server hands it over", () => {
  it.each(each)("is answered as with all fields looked at, with %s: %s", async (name, value) => {
    for (const kind of Object.values(KINDS)) {
      await isAnsweredAlike({ kind, purge: "none", request: { [name]: value }, method: "GET" });
    }
  });

  it("is answered as with all fields looked at, whatever was purged", async () => {
    await fc.assert(fc.asyncProperty(scene, isAnsweredAlike), { numRuns: 200 });
  });

  it("has its fields taken only where one of them is looked at", async () => {
    await using cache = createCache({ location: "memory:", keyPrefix: randomUUID() });
    const site = new Site(cache, {}, { isServer: true }).answers({ "cache-control": "max-age=60" });
    await site.get();
    await site.get();
    const entries = vi.spyOn(Headers.prototype, Symbol.iterator);
    const { how } = await site.get({ accept: "*/*", "user-agent": "x", connection: "keep-alive" });
    expect(how).toMatch(/^hit/);
    expect(entries).not.toHaveBeenCalled();
    await site.get({ "cache-control": "max-age=5" });
    expect(entries).toHaveBeenCalled();
  });
});
