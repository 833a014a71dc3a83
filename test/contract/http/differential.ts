import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import { Model, type Says, type Step } from "./model.js";
import { Site } from "./site.js";

const URLS = 3;
const url = fc.nat(URLS - 1);
const says: fc.Arbitrary<Says> = fc.record({
  // Between the times that pass, so that no rounding decides.
  maxAge: fc.constantFrom(undefined, 0, 15, 35),
  etag: fc.boolean(),
  tag: fc.boolean(),
});
const get = fc.record({ do: fc.constant("get" as const), url, foo: fc.nat(1) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: get },
  fc.record({ do: fc.constant("pass" as const), seconds: fc.constantFrom(10, 20, 40) }),
  fc.record({ do: fc.constant("say" as const), url, says }),
  fc.record({ do: fc.constant("change" as const), url }),
  fc.record({ do: fc.constant("post" as const), url }),
  fc.record({ do: fc.constant("purge" as const), url, soft: fc.boolean() }),
  fc.record({ do: fc.constant("purge tag" as const), soft: fc.boolean() }),
);

const urlOf = (number: number): string => `https://example.com/${number}`;

/** Two caches over one store, as two processes would be, which are asked in turn. */
async function agrees(steps: readonly Step[], open: () => Cache): Promise<void> {
  await using cache = open();
  const model = new Model(URLS);
  const sites = [new Site(cache), new Site(cache, {}, { isServer: true })];
  // A process that has seen no label yet reads the log late, and then forgets more than it must.
  for (const site of sites) {
    await site.answers({ "cache-control": "max-age=1000", "cache-tag": "other" }).get({}, "GET", urlOf(URLS));
    await site.get({}, "GET", urlOf(URLS));
  }
  for (const [i, each] of steps.entries()) {
    const site = sites[i % 2] as Site;
    if (each.do !== "get") {
      model.apply(each);
      await carryOut(each, site, sites, cache);
      continue;
    }
    site.origin = (asked) => answer(model, each.url, asked.find(([name]) => name === "if-none-match")?.[1]);
    const before = site.asked.length;
    const expected = model.get(each.url, each.foo);
    const got = await site.get({ foo: String(each.foo) }, "GET", urlOf(each.url));
    expect({ version: got.body, asked: site.asked.length > before }).toEqual({
      ...expected,
      version: `${expected.version}`,
    });
    expect(got.how.startsWith("hit")).toBe(!expected.asked);
  }
  expect(sites.flatMap(({ errors }) => errors)).toEqual([]);
}

function answer(model: Model, number: number, noneMatch: string | undefined) {
  const { maxAge, etag, tag } = model.says[number] as Says;
  const version = String(model.versions[number]);
  const lines = {
    "cache-control": maxAge === undefined ? "no-store" : `max-age=${maxAge}`,
    ...(Model.varies(number) ? { vary: "foo" } : {}),
    ...(etag ? { etag: `"${version}"` } : {}),
    ...(tag ? { "cache-tag": "t" } : {}),
  };
  return etag && noneMatch === `"${version}"` ? { lines, status: 304 } : { lines, body: version };
}

async function carryOut(
  step: Exclude<Step, { do: "get" }>,
  site: Site,
  sites: readonly Site[],
  cache: Site["cache"],
): Promise<void> {
  if (step.do === "pass") for (const { clock } of sites) clock.pass(step.seconds);
  else if (step.do === "post") {
    site.origin = () => ({});
    await site.get({}, "POST", urlOf(step.url));
  } else if (step.do === "purge") await site.purge(urlOf(step.url), { soft: step.soft });
  else if (step.do === "purge tag") await site.http.purges.tags(cache, ["t"], { soft: step.soft });
}

export interface DifferentialOptions {
  /** A cache under a prefix of its own. */
  readonly open: () => Cache;
  /** How many sequences are tried. */
  readonly numRuns: number;
}

/** The HTTP cache beside a model of it. */
export function differential(name: string, { open, numRuns }: DifferentialOptions): void {
  describe(`any sequence of requests, answers, times and purges over ${name}`, () => {
    it("gets what RFC 9111 says", async () => {
      const steps = fc.array(step, { minLength: 5, maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(steps, (each) => agrees(each, open)),
        { numRuns },
      );
    });
  });
}
