import { beforeEach, expect, inject, it } from "vitest";
import { cachedFetch, cachedHandler } from "../../src/fetch/index.js";
import { type Cache, createCache } from "../../src/index.workerd.js";
import { ownPrefix } from "../contract/cache/stored.js";

const FRESH = { "cache-control": "max-age=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
});

/** Work that goes on after a response, which ends with `done()`. */
function background() {
  const all: Promise<unknown>[] = [];
  return {
    waitUntil: (work: Promise<unknown>) => void all.push(work),
    async done() {
      for (let ended = 0; ended < all.length; ended = all.length) await Promise.allSettled(all);
    },
  };
}

it("puts the cache in front of a Worker's fetch, with the target in the key, and ends with its context", async () => {
  let runs = 0;
  const handler = cachedHandler(
    (request: Request, env: { name: string }, _context: object) => {
      runs++;
      return new Response([env.name, request.url, request.headers.get("x-forwarded-host")].join(" "), {
        headers: FRESH,
      });
    },
    { cache },
  );
  for (const how of ["fwd=uri-miss", "hit"]) {
    const context = background();
    const request = new Request("https://shop.example/x", { headers: { "x-forwarded-host": "evil" } });
    const response = await handler(request, { name: "env" }, context);
    expect(await response.text()).toBe("env https://shop.example/x ");
    expect(response.headers.get("cache-status")).toContain(how);
    await context.done();
  }
  expect(runs).toBe(1);
});

it("keeps the responses of calls inside workerd, whatever cache mode its Request would refuse", async () => {
  const asked: (RequestInit | undefined)[] = [];
  const context = background();
  const fetch = cachedFetch({
    cache,
    waitUntil: context.waitUntil,
    fetch: async (input, init) => {
      asked.push(init);
      const { headers } = new Request(input, init);
      if (headers.has("if-none-match")) return new Response(null, { status: 304, headers: FRESH });
      return new Response("page", { headers: { ...FRESH, etag: '"1"' } });
    },
  });
  const get = async (init?: RequestInit) => {
    const response = await fetch("https://api.example/x", init);
    const { url, redirected } = response;
    expect([await response.text(), url, redirected]).toEqual(["page", "https://api.example/x", false]);
    await context.done();
    return response.headers.get("cache-status");
  };
  expect(await get()).toContain("uri-miss");
  expect(await get({ signal: new AbortController().signal })).toContain("hit");
  expect(await get({ cache: "no-cache" })).toContain("fwd=request");
  expect(await get({ cache: "only-if-cached" })).toContain("hit");
  expect(asked.map((init) => [init?.cache, init?.redirect])).toEqual([
    [undefined, "manual"],
    [undefined, "manual"],
  ]);
  const view = cache.for({ waitUntil: context.waitUntil });
  expect(await fetch.purge("https://api.example/x", { cache: view })).toBe(1);
  await view.close();
});
