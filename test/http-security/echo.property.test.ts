import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import { HONO_CALLED, HONO_HOSTS } from "../adapters/hono.js";
import { SHOP } from "../adapters/host.js";
import { HTTP_HOSTS, SERVED_HOSTS } from "../adapters/hosts.js";
import { newCache } from "../adapters/replies.js";
import { type Ask, type Layer, OTHER, play, type Says, type Site, type Through } from "./echo.js";

/** `ECHO_MINUTES=10` runs it for so long, and `ECHO_SEED` repeats a run. */
const MINUTES = Number(process.env.ECHO_MINUTES ?? 0);
const SEED = Number(process.env.ECHO_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = 400;
/** For each host that is not Hono: the law is about the engine, and these about what they show of a request. */
const RUNS_OF_OTHERS = 25;

let cache: Cache;

beforeAll(() => {
  cache = newCache();
});

afterAll(() => cache.close());

const CONTROLS = [
  "max-age=60",
  "public, max-age=60",
  "s-maxage=60",
  "max-age=60, must-revalidate",
  "max-age=0, must-revalidate",
  "max-age=0, stale-while-revalidate=60",
  "public, max-age=0, stale-while-revalidate=60",
  "max-age=0, stale-if-error=60",
  "no-cache",
  "public, no-cache",
  "private, max-age=60",
  "no-store",
];
const VARY = ["foo", "authorization", "cookie", "x-api-key", "x-forwarded-host", "accept-language", "host", "origin"];
const MARKED = [
  "authorization",
  "cookie",
  "forwarded",
  "if-modified-since",
  "if-none-match",
  "range",
  "x-api-key",
  "x-host",
  "x-original-url",
  "x-own",
  "x-rewrite-url",
];

const mostly = <T>(value: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, { weight: 2, arbitrary: other });

const says: fc.Arbitrary<Says> = fc.record({
  control: fc.oneof(fc.constantFrom(...CONTROLS.slice(0, 4)), fc.constantFrom(...CONTROLS)),
  vary: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.subarray(VARY, { maxLength: 2 })),
  status: fc.oneof({ weight: 8, arbitrary: fc.constant(200 as const) }, fc.constantFrom(404 as const, 500 as const)),
  conditional: fc.boolean(),
  setsCookie: fc.boolean(),
  streams: fc.boolean(),
});

const hosts = [SHOP, OTHER, "http"];
const trusting = fc.constantFrom<Site["options"]>(
  {},
  { hosts },
  { trustForwarded: ["proto"] },
  { trustForwarded: ["host"], hosts },
  { trustForwarded: ["proto", "host"], hosts },
  { trustForwarded: { fields: ["host", "proto"], hops: 2 }, hosts },
);
const querying = fc.constantFrom<Site["options"]>(
  {},
  { query: { remove: ["utm_*"] } },
  { query: { sort: true } },
  { query: { remove: ["utm_*"], sort: true } },
);
const keeping = fc.constantFrom<Site["options"]>(
  {},
  { unkeyedFields: ["X-Own"] },
  { credentialFields: ["X-Api-Key"] },
  {
    unkeyedFields: ["X-Own"],
    credentialFields: ["X-Api-Key"],
  },
);
const rest = fc.record<Site["options"]>({
  awaitBackground: fc.boolean(),
  allowCookies: fc.constantFrom([], ["tier"]),
  maxVariants: fc.constantFrom(2, 32),
});

const layers = fc
  .shuffledSubarray<Layer>(["before", "after", "cors", "etag", "tenant"])
  .chain((others) =>
    fc.nat(others.length).map((at): Layer[] => [...others.slice(0, at), "cache", ...others.slice(at)]),
  );

const site: fc.Arbitrary<Site> = fc.record({
  options: fc.tuple(trusting, querying, keeping, rest).map((parts) => Object.assign({}, ...parts)),
  hasApp: fc.boolean(),
  layers,
  tenantField: fc.constantFrom("x-tenant", "x-forwarded-host", "host"),
  isTargeted: fc.boolean(),
  says: fc.array(says, { minLength: 1, maxLength: 3 }),
});

const forwardedHosts = [
  "MARK.example",
  SHOP,
  OTHER,
  `MARK.example, ${SHOP}`,
  `${SHOP}, MARK.example`,
  `${OTHER}, ${SHOP}`,
];
const pooled = fc.record(
  {
    foo: fc.constantFrom("a", "b"),
    origin: fc.constantFrom("https://a.example", "https://b.example"),
    "accept-language": fc.constantFrom("de", "en"),
    host: fc.constantFrom(SHOP, OTHER, SHOP.toUpperCase()),
    "x-tenant": fc.constantFrom("a", "b"),
    "x-forwarded-host": fc.constantFrom(...forwardedHosts),
    "x-forwarded-proto": fc.constantFrom("https", "http", "MARK", "MARK, https", "https, http"),
    "cache-control": fc.constantFrom("no-cache", "max-age=0", "no-store", "only-if-cached", "max-stale=60"),
  },
  { requiredKeys: [] },
);

const attack: fc.Arbitrary<Ask> = fc.record({
  method: fc.oneof(
    { weight: 6, arbitrary: fc.constant("GET" as const) },
    fc.constantFrom("HEAD" as const, "POST" as const),
  ),
  path: mostly("/a", fc.constantFrom("/b", "/b/../a", "//a")),
  host: mostly(SHOP, fc.constantFrom(OTHER, SHOP.toUpperCase(), `${SHOP}:80`)),
  query: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    fc.shuffledSubarray(["a=1", "b=2", "utm_source=MARK", "utm_MARK"]),
  ),
  hasFragment: fc.boolean(),
  marked: fc.oneof(
    fc.constant([]),
    { weight: 3, arbitrary: fc.constantFrom(...MARKED).map((name) => [name]) },
    fc.subarray(MARKED, { maxLength: 4 }),
  ),
  pooled: mostly({}, pooled),
});
/** A client that sends nothing but the target, which is the most likely one to get another's response. */
const victim: fc.Arbitrary<Ask> = mostly("/a", fc.constant("/b")).map((path) => ({
  method: "GET",
  path,
  host: SHOP,
  query: [],
  hasFragment: false,
  marked: [],
  pooled: {},
}));
/** One that has what is stored validated, with a mark. */
const reload: fc.Arbitrary<Ask> = fc.tuple(victim, fc.constantFrom(...MARKED)).map(([plain, name]) => ({
  ...plain,
  marked: [name],
  pooled: { "cache-control": "no-cache" },
}));
const ask = fc.oneof({ weight: 2, arbitrary: attack }, { weight: 2, arbitrary: victim }, reload);
const groups = fc.array(fc.array(ask, { minLength: 1, maxLength: 2 }), { minLength: 2, maxLength: 10 });

/** Plays random sites, others for each host. @returns how many, and how many of the answers were hits */
async function check(
  host: fc.Arbitrary<Through>,
  { numRuns, sites = site, hostNumber = 0 }: { numRuns: number; sites?: typeof site; hostNumber?: number },
): Promise<{ runs: number; hits: number }> {
  let [runs, hits] = [0, 0];
  // The sites of the host before have had the same names.
  await cache.clear();
  const law = fc.asyncProperty(sites, groups, host, async (one, asked, through) => {
    if (++runs % 500 === 0) await cache.clear();
    const result = await play(one, asked, { cache, cacheName: `echo${runs}`, through });
    hits += result.hits;
    expect(result.faults).toEqual([]);
  });
  const byTime = { numRuns: 1_000_000_000, interruptAfterTimeLimit: MINUTES * 60_000 };
  await fc.assert(law, { seed: SEED + hostNumber, ...(MINUTES > 0 ? byTime : { numRuns }) });
  if (MINUTES > 0) console.log(`${runs} sites, ${hits} hits, seed ${SEED}`);
  return { runs, hits };
}

/** No proxy stands in front of the calls that an application makes itself. */
function withoutTrust(one: Site): Site {
  const { trustForwarded: _, ...options } = one.options;
  return { ...one, options };
}

const timeoutMs = (MINUTES + 1) * 60_000;

it(
  "CWE-349 and CWE-524: what one request carries beside the key is shown to no other request, with middleware of Hono around the cache",
  async () => {
    const hosts = [HONO_CALLED, ...HONO_HOSTS].map(
      (host): Through => ({ isHono: true, open: (one) => host.open(one) }),
    );
    const { runs, hits } = await check(fc.constantFrom(...hosts), { numRuns: RUNS });
    // A law about responses that are shared says nothing where none is.
    expect(hits).toBeGreaterThan(runs / 4);
  },
  timeoutMs,
);

it.each(HTTP_HOSTS.filter((host) => !HONO_HOSTS.some((one) => one === host)))(
  "CWE-349 and CWE-524: what one request carries beside the key is shown to no other request, through $name",
  async (host) => {
    const through: Through = { isHono: false, open: (one) => host.open(one) };
    const sites = SERVED_HOSTS.includes(host) ? site : site.map(withoutTrust);
    const { runs, hits } = await check(fc.constant(through), {
      numRuns: RUNS_OF_OTHERS,
      sites,
      hostNumber: HTTP_HOSTS.indexOf(host),
    });
    expect(hits).toBeGreaterThan(runs / 4);
  },
  timeoutMs,
);
