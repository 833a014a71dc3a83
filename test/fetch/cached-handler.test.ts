import { describe, expect, it, onTestFinished } from "vitest";
import { type CachedHandlerOptions, cachedHandler } from "../../src/fetch/index.js";
import { ConfigurationError, createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { until } from "../support/wait.js";
import { how } from "./site.js";

function inMemory() {
  const cache = createCache({ location: "memory:", keyPrefix: ownPrefix() });
  onTestFinished(() => cache.close());
  return cache;
}

function site<Rest extends unknown[]>(
  answer: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options: Partial<CachedHandlerOptions<Rest>> = {},
) {
  const seen: [request: Request, ...rest: Rest][] = [];
  const handle = (request: Request, ...rest: Rest) => {
    seen.push([request, ...rest]);
    return answer(request, ...rest);
  };
  return { seen, handler: cachedHandler(handle, { cache: inMemory(), ...options }) };
}

const URL_A = "https://shop.example/a";
const get = (headers: Record<string, string> = {}) => new Request(URL_A, { headers });
const page = (control: string) => () => new Response("page", { headers: { "cache-control": control } });

describe("a cached handler", () => {
  it("is called once, with the target of the key, and its arguments", async () => {
    const { handler, seen } = site((_request, _env: { n: number }) => page("max-age=60")());
    const first = await handler(get({ "x-forwarded-host": "evil.example" }), { n: 1 });
    expect(how(first)).toBe("fwd=uri-miss; stored");
    expect(await first.text()).toBe("page");
    const second = await handler(get(), { n: 2 });
    expect(how(second)).toMatch(/^hit; ttl=\d+$/);
    expect(await second.text()).toBe("page");
    expect(seen.map(([{ url, headers }, env]) => [url, headers.get("x-forwarded-host"), env])).toEqual([
      [URL_A, null, { n: 1 }],
    ]);
  });

  it("is called again in the background for a stale response, with the arguments of the request", async () => {
    const { handler, seen } = site((_request, _env: string) => page("max-age=0, stale-while-revalidate=60")());
    await (await handler(get(), "one")).text();
    expect(how(await handler(get({ cookie: "", "x-a": "1" }), "two"))).toMatch(/^hit; ttl=-\d+$/);
    await until(() => seen.length === 2, { what: "the refresh" });
    expect(seen.map(([, env]) => env)).toEqual(["one", "two"]);
    expect(seen[1]?.[0].headers.get("x-a")).toBeNull();
  });

  it("gives background work to the option waitUntil, or to the last argument that has one", async () => {
    const work: [string, Promise<unknown>][] = [];
    const keep = (name: string) => ({ waitUntil: (promise: Promise<unknown>) => void work.push([name, promise]) });
    const own = site((_request: Request, _env: object, _context: object) => page("max-age=60")());
    await (await own.handler(get(), keep("env"), keep("context"))).text();
    const option = site((_request: Request, _env: object) => page("max-age=60")(), {
      waitUntil: (promise, request, _env) => void work.push([request.url, promise]),
    });
    await (await option.handler(get(), keep("env"))).text();
    expect([...new Set(work.map(([name]) => name))]).toEqual(["context", URL_A]);
    await Promise.all(work.map(([, promise]) => promise));
  });

  it("answers from the store when the handler throws, where stale-if-error allows it, and else rejects", async () => {
    let fails = false;
    const { handler } = site((request) => {
      if (fails) throw new RangeError(request.url);
      return page("max-age=0, stale-if-error=60")();
    });
    await (await handler(get())).text();
    fails = true;
    expect(await (await handler(get())).text()).toBe("page");
    await expect(handler(new Request("https://shop.example/b"))).rejects.toThrow(RangeError);
  });

  it("does nothing inside itself", async () => {
    const cache = inMemory();
    const inner = cachedHandler(page("max-age=60"), { cache });
    const outer = cachedHandler(inner, { cache });
    expect((await outer(get())).headers.get("cache-status")).toMatch(/^valkey-edge-cache; fwd=uri-miss; stored$/);
  });

  it("adds nothing to a response that the handler gives to all requests", async () => {
    const shared = new Response(null, { status: 404 });
    const { handler } = site(() => shared);
    for (const _ of [1, 2]) expect(how(await handler(get()))).toBe("fwd=uri-miss");
    expect(shared.headers.get("cache-status")).toBeNull();
  });

  it("may answer with a fetched response, whose header fields are read-only", async () => {
    const fetched = () => fetch("data:text/plain,hello");
    const { handler } = site(fetched, { cacheControl: "max-age=60", vary: "Accept" });
    const response = await handler(get());
    expect([how(response), await response.text()]).toEqual(["fwd=uri-miss; stored", "hello"]);
    expect(response.headers.get("vary")).toBe("Accept");
  });

  it("has purges, routes and a keyGenerator", async () => {
    const { handler, seen } = site(() => new Response("page"), {
      routes: { "/a": { ttl: "1m", tags: ["a"] } },
    });
    for (const _ of [1, 2]) await (await handler(get())).text();
    expect(seen).toHaveLength(1);
    await handler.purgeTags(["a"]);
    await (await handler(get())).text();
    expect(await handler.purge(URL_A)).toBe(1);
    const keyed = site(page("max-age=60"), { keyGenerator: (request) => new URL(request.url).pathname });
    await (await keyed.handler(get())).text();
    await (await keyed.handler(new Request("https://other.example/a"))).text();
    expect(keyed.seen).toHaveLength(1);
  });

  it("refuses wrong options by name", () => {
    // @ts-expect-error
    expect(() => cachedHandler(page(""), {})).toThrow(
      new ConfigurationError('cachedHandler: option "cache" is missing; give a cache, as createCache() makes it'),
    );
    // @ts-expect-error
    expect(() => cachedHandler(page(""), { cache: inMemory(), app: 1 })).toThrow('unknown option "app"');
  });
});
