import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { HttpCache } from "../../src/http/http-cache.js";
import type { HttpCacheOptions } from "../../src/http/options.js";
import type { RouteTable } from "../../src/http/routes.js";
import { createCache } from "../../src/index.js";
import { Site } from "../contract/http/site.js";
import { deferred } from "../support/deferred.js";

const ORIGIN = "http://shop.example";

function siteWith(options: HttpCacheOptions): Site {
  const cache = createCache({ location: "memory:" });
  onTestFinished(() => cache.close());
  return new Site(cache, options).answers({}, "page");
}

const isStored = async (site: Site, path: string): Promise<boolean> => {
  await site.get({}, "GET", `${ORIGIN}${path}`);
  return (await site.get({}, "GET", `${ORIGIN}${path}`)).how.startsWith("hit");
};

describe("the option routes of the HTTP cache", () => {
  it("gives a lifetime to responses that have none, by the first pattern that matches", async () => {
    const site = siteWith({
      routes: { "/api/products/:id": { ttl: "10s" }, "/api/*": { ttl: "1m" }, "/private/*": { ttl: null } },
      defaultTtl: "1h",
    });
    const lifetimes: Record<string, string> = {};
    for (const path of ["/api/products/1", "/api/products/1/reviews", "/api/x?y=1", "/other", "/private/x"]) {
      lifetimes[path] = (await isStored(site, path))
        ? (await site.get({}, "GET", `${ORIGIN}${path}`)).how.replace(/59$/, "60").replace(/3599$/, "3600")
        : "not stored";
    }
    expect(lifetimes).toEqual({
      "/api/products/1": expect.stringMatching(/^hit; ttl=(?:9|10)$/),
      "/api/products/1/reviews": "hit; ttl=60",
      "/api/x?y=1": "hit; ttl=60",
      "/other": expect.stringMatching(/^hit; ttl=3[56]\d\d$/),
      "/private/x": "not stored",
    });
  });

  it("leaves what a response says of itself", async () => {
    const site = siteWith({ routes: { "/*": { ttl: "1h", staleWhileRevalidate: "1h" } } });
    for (const control of ["private", "no-store", "max-age=0, must-revalidate"]) {
      site.answers({ "cache-control": control, etag: '"1"' }, "page");
      expect(await isStored(site, `/${control.length}`), control).toBe(false);
    }
    site.answers({ "cache-control": "max-age=5" }, "page");
    await site.get({}, "GET", `${ORIGIN}/own`);
    expect((await site.get({}, "GET", `${ORIGIN}/own`)).how).toMatch(/^hit; ttl=[45]$/);
  });

  it("serves a stale response while it is refreshed, within staleWhileRevalidate", async () => {
    const site = siteWith({ routes: { "/swr": { ttl: "1m", staleWhileRevalidate: "10m" } } });
    const url = `${ORIGIN}/swr`;
    await site.get({}, "GET", url);
    site.clock.pass(120);
    site.answers({}, "new page");
    expect(await site.get({}, "GET", url)).toMatchObject({ body: "page", how: expect.stringMatching(/^hit; ttl=-/) });
    expect((await site.get({}, "GET", url)).body).toBe("new page");
  });

  it("purges responses by the tags of their route, which no client sees, also after a 304 and a refresh", async () => {
    const site = siteWith({
      routes: {
        "/products/:id": { ttl: "1m", staleWhileRevalidate: "1h", tags: ({ id }) => ["products", `product:${id}`] },
        "/news": { ttl: "1m", tags: ["news", "two words"] },
      },
    });
    const get = (path: string) => site.get({}, "GET", `${ORIGIN}${path}`);
    site.answers({ etag: '"1"', "cache-tag": "own" }, "page");
    const first = await get("/products/7");
    expect(first.headers.get("cache-tag")).toBe("own");
    expect((await get("/products/7")).headers.get("cache-tag")).toBe("own");
    for (const tag of ["product:7", "products", "own"]) {
      await site.http.purges.tags(site.cache, [tag], {});
      expect((await get("/products/7")).how, tag).toMatch(/stored$/);
      expect((await get("/products/7")).how).toMatch(/^hit/);
    }
    // Refreshed in the background, by a 304.
    site.clock.pass(90);
    site.answers({ etag: '"1"' }, null, 304);
    await get("/products/7");
    expect((await get("/products/7")).how).toMatch(/^hit; ttl=[1-9]/);
    site.answers({ etag: '"1"' }, "page");
    await site.http.purges.tags(site.cache, ["product:8"], {});
    expect((await get("/products/7")).how).toMatch(/^hit/);
    await site.http.purges.tags(site.cache, ["product:7"], {});
    expect((await get("/products/7")).how).toMatch(/stored$/);
    await get("/news");
    await site.http.purges.tags(site.cache, ["two words"], {});
    expect((await get("/news")).how).toMatch(/stored$/);
  });

  it("stores nothing and reports an error where a function returns tags that no response can have", async () => {
    for (const made of [["a,b"], [""], "tag", undefined, [7], ["a\nb"]]) {
      const site = siteWith({ routes: { "/*": { ttl: "1m", tags: () => made as never } } });
      expect(await isStored(site, "/x")).toBe(false);
      expect(String(site.errors[0])).toMatch(
        /^TypeError: httpCache: the tags of http:\/\/shop\.example\/x are .*; return /,
      );
    }
  });

  it("matches whole URLs by text, by URLPattern and by RegExp, in a list", async () => {
    const routes: RouteTable = [
      { match: "http://shop.example/a/*", ttl: "1m" },
      { match: /^http:\/\/(?<host>[^/]+)\/b/g, ttl: "1m", tags: ({ host }) => [`host:${host}`] },
      { match: { test: (url) => url.endsWith("/c") }, ttl: "1m" },
    ];
    const site = siteWith({ routes });
    for (const path of ["/a/1", "/b", "/b/2", "/b/3", "/c"]) expect(await isStored(site, path), path).toBe(true);
    for (const path of ["/a", "/d"]) expect(await isStored(site, path), path).toBe(false);
    await site.http.purges.tags(site.cache, ["host:shop.example"], {});
    expect((await site.get({}, "GET", `${ORIGIN}/b`)).how).toMatch(/stored$/);
    site.answers({}, "page");
    expect((await site.get({}, "GET", "http://other.example/a/1")).how).not.toMatch(/stored$/);
  });

  it("limits the size of bodies of a route alone", async () => {
    const site = siteWith({ routes: { "/small/*": { ttl: "1m", maxBodySize: 3 }, "/*": { ttl: "1m" } } });
    expect(await isStored(site, "/small/x")).toBe(false);
    expect(await isStored(site, "/x")).toBe(true);
  });

  it.each<[unknown, RegExp]>([
    [7, /option "routes" is 7; give an object of options by pattern/],
    [{ "/x": 7 }, /a route has the options 7; give an object/],
    [{ "/x": { ttl: -1 } }, /route "\/x": option "ttl" is -1; give seconds/],
    [{ "/x": { tll: 1 } }, /route "\/x": unknown option "tll"; known options are: ttl/],
    [{ "/x": { tags: ["a,b"] } }, /route "\/x": option "tags" is .*; give a list of tags without commas/],
    [{ "/(": { ttl: 1 } }, /route "\/\(" is no URL pattern; give a path such as/],
    [{ "products/*": { ttl: 1 } }, /route "products\/\*" is no URL pattern; give a path such as/],
    [[{ ttl: 1 }], /rule 0: option "match" is undefined; give a pattern, a URLPattern or a RegExp/],
    [[{ match: "/x", ttl: 1, max: 1 }], /route "\/x": unknown option "max"/],
    [[{ match: "/x", maxBodySize: -1 }], /route "\/x": option "maxBodySize" is -1/],
  ])("refuses %j at construction", (routes, message) => {
    const make = () => new HttpCache({ routes: routes as RouteTable });
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });
});

describe("URL patterns", () => {
  it("match alike with the runtime's URLPattern and without one", async () => {
    const load = async () => {
      vi.resetModules();
      return (await import("../../src/http/url-pattern.js")).urlPattern;
    };
    const own = await load();
    vi.stubGlobal("URLPattern", undefined);
    onTestFinished(() => {
      vi.unstubAllGlobals();
    });
    const polyfilled = await load();
    const patterns = [
      "/",
      "/*",
      "/a/:id",
      "/a/:id(\\d+)",
      "/a{/:b}?",
      "/*.png",
      "http://x.example/*",
      "https://*.x.example/:a",
    ];
    const urls = [
      "http://x.example/",
      "http://x.example/a/1?b=2",
      "https://y.x.example/a",
      "http://x.example:81/i/a.png",
    ];
    for (const pattern of patterns) {
      for (const url of urls) {
        const [found, expected] = [polyfilled, own].map((make) => {
          const groups = make(pattern).exec(url);
          return groups && { ...groups.pathname.groups, ...groups.hostname.groups };
        });
        expect(found, `${pattern} ${url}`).toEqual(expected);
      }
    }
  });
});

describe("the option negativeTtl of the HTTP cache", () => {
  it("stores 404 and 410 that have no lifetime, and no other error", async () => {
    const site = siteWith({
      negativeTtl: "30s",
      routes: { "/long": { negativeTtl: "1h" }, "/none": { negativeTtl: null } },
    });
    for (const status of [404, 410]) {
      site.answers({}, "gone", status);
      expect(await isStored(site, `/${status}`), String(status)).toBe(true);
    }
    for (const status of [400, 401, 403, 405, 429, 500, 501, 503]) {
      site.answers({}, "error", status);
      expect(await isStored(site, `/${status}`), String(status)).toBe(false);
    }
    site.answers({}, "gone", 404);
    expect(await isStored(site, "/none")).toBe(false);
    expect(await isStored(site, "/long")).toBe(true);
    site.answers({ "cache-control": "no-store" }, "gone", 404);
    expect(await isStored(site, "/own")).toBe(false);
    site.answers({ "set-cookie": "a=b" }, "gone", 404);
    expect(await isStored(site, "/cookie")).toBe(false);
  });
});

describe("the option originTimeout of the HTTP cache", () => {
  const FRESH = { "cache-control": "max-age=60, stale-if-error=600", etag: '"1"' };

  it("serves a stale response that may replace an error when the origin hangs, and gives the origin's up", async () => {
    const site = siteWith({ originTimeout: "20ms" });
    await site.answers(FRESH, "old").get();
    site.clock.pass(61);
    const hanging = deferred<void>();
    site.origin = async () => {
      await hanging.promise;
      return { lines: FRESH, body: "late" };
    };
    expect(await site.get()).toMatchObject({ status: 200, body: "old", how: expect.stringMatching(/^hit; ttl=-/) });
    expect(site.asked).toHaveLength(2);
    hanging.resolve();
    // The late response is not stored.
    site.answers(FRESH, "new");
    expect((await site.get()).body).toBe("new");
  });

  it("waits for the origin where nothing may replace its response", async () => {
    const site = siteWith({ originTimeout: "10ms" });
    const hanging = deferred<void>();
    site.origin = async () => {
      await hanging.promise;
      return { lines: { "cache-control": "max-age=60, must-revalidate" }, body: "new" };
    };
    const cold = site.get();
    await site.clock.sleep(30);
    hanging.resolve();
    expect((await cold).body).toBe("new");
    site.clock.pass(61);
    const again = deferred<void>();
    site.origin = async () => {
      await again.promise;
      return { lines: FRESH, body: "newer" };
    };
    const stale = site.get();
    await site.clock.sleep(30);
    again.resolve();
    expect((await stale).body).toBe("newer");
  });

  it("has nothing to report of an error that comes after the stale response was served", async () => {
    const site = siteWith({ originTimeout: "10ms" });
    await site.answers(FRESH, "old").get();
    site.clock.pass(61);
    const hanging = deferred<void>();
    site.origin = async () => {
      await hanging.promise;
      throw new Error("gone");
    };
    expect((await site.get()).body).toBe("old");
    hanging.resolve();
    await site.settled();
    expect(site.errors).toEqual([]);
  });
});
