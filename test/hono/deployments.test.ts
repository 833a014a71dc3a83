import { randomUUID } from "node:crypto";
import { type Handler, Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { stream, streamText } from "hono/streaming";
import { timing } from "hono/timing";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import { type Cache, ConfigurationError, createCache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { listen, testApp, toGot } from "./app.js";

const FRESH = { "cache-control": "max-age=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

/** How many keys the cache has in the store. */
const keys = async (): Promise<string[]> => {
  const found: string[] = [];
  for await (const batch of cache.connection.scan({ match: `${cache.makePattern("http:*")}*`, count: 1_000 }))
    found.push(...batch);
  return found.filter((key) => !key.endsWith(":purged"));
};

describe("option trustForwarded", () => {
  const echo = (options: HttpCacheOptions) => {
    const made = testApp(cache, options);
    made.app.get("*", (c) => {
      const { "x-forwarded-proto": proto, "x-forwarded-host": name, host } = c.req.header();
      return c.json({ url: c.req.url, host, proto, name }, 200, FRESH);
    });
    return made;
  };

  it("makes the scheme that a TLS terminator names part of the key, the URL and the field that handlers see", async () => {
    const { get } = echo({ trustForwarded: ["proto"] });
    const tls = { headers: { "x-forwarded-proto": "https", host: "shop.example" } };
    const seen = { url: "https://shop.example/a", host: "shop.example", proto: "https" };
    expect(JSON.parse((await get("http://shop.example/a", tls)).body)).toEqual(seen);
    const plain = await get("http://shop.example/a", { headers: { host: "shop.example" } });
    expect(JSON.parse(plain.body)).toEqual({ ...seen, url: "http://shop.example/a", proto: "http" });
    for (const init of [tls, { headers: { ...tls.headers, "x-forwarded-proto": "HTTPS" } }]) {
      const got = await get("http://shop.example/a", init);
      expect([got.how.split(";")[0], JSON.parse(got.body)]).toEqual(["hit", seen]);
    }
  });

  it("keeps the fields from handlers where they are not trusted", async () => {
    const { get } = echo({});
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "evil.example", host: "shop.example" };
    const got = JSON.parse((await get("http://shop.example/a", { headers })).body);
    expect(got).toEqual({ url: "http://shop.example/a", host: "shop.example" });
  });

  it("takes what the outermost of the trusted proxies has appended, and nothing that a client sent before it", async () => {
    const url = async (value: string, hops: number): Promise<string> => {
      const { get } = echo({ trustForwarded: { fields: ["proto"], hops }, cacheName: `hops-${hops}` });
      return JSON.parse((await get("http://shop.example/a", { headers: { "x-forwarded-proto": value } })).body).url;
    };
    expect(await url("http, https", 1)).toMatch(/^https:/);
    expect(await url("https, http", 1)).toMatch(/^http:/);
    expect(await url("http, https, http", 2)).toMatch(/^https:/);
    expect(await url("https", 2)).toMatch(/^https:/);
  });

  it("stores nothing where a trusted field is invalid, or the host is not listed", async () => {
    const { get } = echo({ trustForwarded: ["proto", "host"], hosts: ["shop.example"] });
    const ask = async (headers: Record<string, string>): Promise<string> =>
      (await get("http://inner/a", { headers })).how.split(";")[0] ?? "";
    for (const wrong of [
      { "x-forwarded-proto": "gopher" },
      { "x-forwarded-proto": "" },
      { "x-forwarded-host": "a/b" },
    ]) {
      expect(await ask({ "x-forwarded-host": "shop.example", ...wrong })).toBe("fwd=bypass");
    }
    expect(await ask({ "x-forwarded-host": "evil.example" })).toBe("fwd=bypass");
    expect(await ask({ "x-forwarded-host": "SHOP.example" })).toBe("fwd=uri-miss");
    expect(await ask({ "x-forwarded-host": "shop.example" })).toBe("hit");
    expect(await keys()).toHaveLength(1);
  });

  it("asks for hosts where the forwarded host is trusted", () => {
    expect(() => httpCache({ trustForwarded: ["host"] })).toThrow(/"hosts" must list the hosts/);
    expect(() => httpCache({ trustForwarded: ["port"] as never })).toThrow(ConfigurationError);
    expect(() => httpCache({ trustForwarded: { fields: ["proto"], hops: 0 } })).toThrow(ConfigurationError);
  });

  it("is part of background refreshes, of purges and of what unsafe requests invalidate", async () => {
    let runs = 0;
    const { app, get, http } = testApp(cache, { trustForwarded: ["proto"] });
    const stale = { "cache-control": "max-age=0, stale-while-revalidate=60" };
    app.get("/a", (c) => c.text(`${c.req.url} ${++runs}`, 200, stale));
    app.post("/a", (c) => c.body(null, 204));
    const init = { headers: { "x-forwarded-proto": "https" } };
    await get("http://shop.example/a", init);
    await until(async () => (await get("http://shop.example/a", init)).body === "https://shop.example/a 2", {
      what: "the refresh",
    });
    expect(await http.purge("http://shop.example/a")).toBe(0);
    expect(await http.purge("https://shop.example/a")).toBe(1);
    await get("http://shop.example/a", init);
    await until(async () => (await keys()).length === 1, { what: "the response in the store" });
    await get("http://shop.example/a", { ...init, method: "POST" });
    expect(await keys()).toEqual([]);
  });
});

describe("option credentialFields", () => {
  const app = (control: string) => {
    const made = testApp(cache, { credentialFields: ["X-Api-Key"] });
    made.app.get("/", (c) => c.text(`for ${c.req.header("x-api-key") ?? "all"}`, 200, { "cache-control": control }));
    return made;
  };

  it("keeps a response to a request with one from others, unless the response permits sharing (RFC 9111 §3.5)", async () => {
    const { get } = app("max-age=60");
    expect((await get("/", { headers: { "x-api-key": "a" } })).body).toBe("for a");
    expect((await get("/", { headers: { "x-api-key": "b" } })).body).toBe("for b");
    expect((await get("/")).body).toBe("for all");
  });

  it.each(["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"])(
    "shares it under %s",
    async (control) => {
      const { get } = app(control);
      await get("/", { headers: { "x-api-key": "a" } });
      expect((await get("/", { headers: { "x-api-key": "b" } })).body).toBe("for a");
    },
  );

  it("lets such requests wait for no other, and refreshes in the foreground where Vary names one", async () => {
    let runs = 0;
    const { app: hono, get } = testApp(cache, { credentialFields: ["x-api-key"] });
    const stale = { "cache-control": "public, max-age=0, stale-while-revalidate=60", vary: "x-api-key" };
    hono.get("/", (c) => c.text(`${c.req.header("x-api-key")} ${++runs}`, 200, stale));
    const init = { headers: { "x-api-key": "a" } };
    expect((await get("/", init)).body).toBe("a 1");
    expect((await get("/", init)).body).toBe("a 2");
  });
});

it("option unkeyedFields keeps further fields from handlers", async () => {
  const { app, get } = testApp(cache, { unkeyedFields: ["X-Region"] });
  app.get("/", (c) => c.text(c.req.header("x-region") ?? "none", 200, FRESH));
  expect((await get("/", { headers: { "x-region": "evil" } })).body).toBe("none");
  expect(() => httpCache({ unkeyedFields: ["Host"] })).toThrow(/part of the key/);
});

describe("option query", () => {
  it("removes parameters and sorts the others, for the key, for handlers and for purges", async () => {
    const { app, get, http } = testApp(cache, { query: { remove: ["utm_*", "fbclid"], sort: true } });
    app.get("/", (c) => c.text(`${new URL(c.req.url).search} ${c.req.query("b")}`, 200, FRESH));
    expect((await get("/?b=2&utm_source=x&a=1&fbclid=y")).body).toBe("?a=1&b=2 2");
    for (const same of ["/?a=1&b=2", "/?utm_campaign=z&b=2&a=1"]) expect((await get(same)).how).toMatch(/^hit/);
    for (const other of ["/?a=1&b=3", "/?a=1", "/?b=2&b=1&a=1"]) expect((await get(other)).how).not.toMatch(/^hit/);
    expect(await http.purge("http://localhost/?b=2&a=1&utm_x=1")).toBe(1);
    expect((await get("/?utm_source=x")).body).toBe(" undefined");
  });

  it("leaves queries as they are by default", async () => {
    const { app, get } = testApp(cache);
    app.get("/", (c) => c.text(new URL(c.req.url).search, 200, FRESH));
    expect((await get("/?b=2&a=1")).body).toBe("?b=2&a=1");
    expect((await get("/?a=1&b=2")).body).toBe("?a=1&b=2");
  });
});

describe("fields with tags", () => {
  const answer = { ...FRESH, "surrogate-key": "a b", "cache-tag": "c, d" };

  it.each<[HttpCacheOptions["hiddenTagFields"], boolean, boolean]>([
    [undefined, false, true],
    [["Cache-Tag", "Surrogate-Key"], false, false],
    [[], true, true],
  ])("reach clients as option hiddenTagFields says: %j", async (hiddenTagFields, hasKey, hasTag) => {
    const { app, get, http } = testApp(cache, { ...(hiddenTagFields && { hiddenTagFields }) }, (outer) => {
      outer.use(async (c, next) => {
        c.header("surrogate-key", "outer");
        await next();
      });
    });
    app.get("/", (c) => c.text("page", 200, answer));
    app.post("/", (c) => c.text("done", 200, answer));
    app.get("/private", (c) => c.text("mine", 200, { ...answer, "cache-control": "no-store" }));
    const all = [
      await get("/"),
      await get("/"),
      await get("/private"),
      await get("/", { method: "POST" }),
      await get("/", { method: "HEAD" }),
    ];
    for (const { headers } of all) {
      expect([headers.has("surrogate-key"), headers.has("cache-tag")]).toEqual([hasKey, hasTag]);
    }
    await get("/");
    await http.purgeTags(["b"]);
    expect((await get("/")).how).not.toMatch(/^hit/);
  });
});

describe("purging", () => {
  it("answers how many stored responses a URL had, with its variants", async () => {
    const { app, get, http } = testApp(cache);
    app.get("/vary", (c) => c.text(c.req.header("x-v") ?? "", 200, { ...FRESH, vary: "x-v" }));
    app.get("/plain", (c) => c.text("page", 200, FRESH));
    app.get("/never", (c) => c.text("page", 200, { "cache-control": "no-store" }));
    for (const value of ["1", "2", "3"]) await get("/vary", { headers: { "x-v": value } });
    await get("/plain");
    await get("/never");
    await until(async () => (await keys()).length === 6, { what: "all in the store" });
    const purge = (path: string, soft = false) => http.purge(`http://localhost${path}`, { soft });
    expect([await purge("/vary", true), await purge("/vary"), await purge("/vary")]).toEqual([3, 3, 0]);
    expect([await purge("/plain"), await purge("/never"), await purge("/unknown")]).toEqual([1, 0, 0]);
    expect(await keys()).toEqual([]);
  });

  it("leaves nothing of purged variants in the store", async () => {
    const { app, get, http } = testApp(cache);
    app.get("/", (c) => c.text("page", 200, { "cache-control": "max-age=31536000", vary: "x-v" }));
    for (let round = 0; round < 50; round++) {
      await get("/", { headers: { "x-v": String(round) } });
      await until(async () => (await keys()).length === 2, { what: "the index and the variant" });
      if (round % 2 === 0) await http.purge("http://localhost/");
      else await get("/", { method: "DELETE" });
      // An unsafe method that failed invalidates nothing.
      if (round % 2 === 1) await http.purge("http://localhost/");
      expect(await keys()).toEqual([]);
    }
  });

  it("normalises URLs as the key does", async () => {
    const { app, get, http } = testApp(cache);
    app.get("*", (c) => c.text("page", 200, FRESH));
    const spellings: [asked: string, purged: string][] = [
      ["http://shop.example/a", "http://shop.example:80/a"],
      ["http://shop.example/caf%C3%A9", "http://SHOP.example/café"],
      ["http://shop.example/a%20b", "http://shop.example/a b"],
      ["http://shop.example/i", "http://shop.example/x/../i#part"],
      ["http://xn--caf-dma.example/", "http://café.example"],
    ];
    for (const [asked, purged] of spellings) {
      await get(asked, { headers: { host: new URL(asked).host } });
      await until(async () => (await keys()).length === 1, { what: "the response in the store" });
      expect(await http.purge(purged)).toBe(1);
    }
    await expect(http.purge("/relative")).rejects.toThrow(TypeError);
    await expect(http.purgeTags(["a,b"])).rejects.toThrow(/without commas/);
  });

  it("by prefix ends a host, or a path in whole segments", async () => {
    const { app, get, http } = testApp(cache, { prefixPurges: true });
    app.get("*", (c) => c.text("page", 200, FRESH));
    const urls = ["/a", "/a/", "/a?q=1", "/a/b", "/a/b/c?q", "/ab", "/b", "/"].map(
      (path) => `http://shop.example${path}`,
    );
    const other = "http://other.example/a";
    const hits = async (): Promise<string[]> => {
      const got: string[] = [];
      for (const url of [...urls, other]) {
        const { how } = await get(url, { headers: { host: new URL(url).host } });
        if (how.startsWith("hit")) got.push(url.slice("http://".length));
      }
      return got;
    };
    await hits();
    expect(await hits()).toHaveLength(urls.length + 1);
    await http.purgePrefix("http://shop.example/a/b");
    expect(await hits()).not.toContain("shop.example/a/b/c?q");
    await http.purgePrefix("http://shop.example/a");
    expect(await hits()).toEqual(["shop.example/ab", "shop.example/b", "shop.example/", "other.example/a"]);
    await http.purgePrefix("http://shop.example", { soft: true });
    expect(await hits()).toEqual(["other.example/a"]);
    await expect(http.purgePrefix("http://shop.example/a?q")).rejects.toThrow(TypeError);
    await expect(testApp(cache).http.purgePrefix("http://shop.example")).rejects.toThrow(/prefixPurges/);
  });

  it("by a PURGE request needs an authorisation function, and answers the count", async () => {
    const { app, get, http } = testApp(cache);
    app.on("PURGE", "*", http.purgeRoute({ authorize: (c) => c.req.header("x-token") === "secret" }));
    app.get("*", (c) => c.text("page", 200, FRESH));
    await get("/a");
    await until(async () => (await keys()).length === 1, { what: "the response in the store" });
    expect((await get("/a", { method: "PURGE" })).status).toBe(403);
    expect((await get("/a")).how).toMatch(/^hit/);
    const allowed = { method: "PURGE", headers: { "x-token": "secret" } };
    const got = await get("/a", allowed);
    expect([got.status, JSON.parse(got.body)]).toEqual([200, { purged: 1 }]);
    expect(JSON.parse((await get("/a", allowed)).body)).toEqual({ purged: 0 });
    expect(() => http.purgeRoute({} as never)).toThrow(/authorize/);
  });
});

it("option debug warns once of a response that shows a field without naming it in Vary", async () => {
  const { app, get } = testApp(cache, { debug: true });
  app.get("/:name", (c) => {
    c.header("vary", "x-named-field");
    return c.text(`${c.req.header("x-unnamed-field")} ${c.req.header("x-named-field")}`, 200, FRESH);
  });
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const headers = { "x-unnamed-field": "some value", "x-named-field": "other value" };
  for (const path of ["/a", "/b"]) await get(path, { headers });
  await vi.waitFor(() => expect(warn).toHaveBeenCalled());
  expect(warn.mock.calls).toHaveLength(1);
  expect(String(warn.mock.calls[0])).toMatch(/x-unnamed-field.*Vary/);
  warn.mockRestore();
});

describe("http.policy()", () => {
  it("gives the responses of one route options of their own", async () => {
    const { app, get, http } = testApp(cache, { maxBodySize: 10 });
    app.get("/default", (c) => c.text("page"));
    app.get("/own", http.policy({ ttl: "1m" }), (c) => c.text("page"));
    app.get("/control", http.policy({ cacheControl: "max-age=60", vary: "x-v" }), (c) =>
      c.text(c.req.header("x-v") ?? ""),
    );
    app.get("/large", http.policy({ maxBodySize: 100, ttl: "1m" }), (c) => c.text("x".repeat(50)));
    app.get("/never", http.policy({ cacheableStatusCodes: [] }), (c) => c.text("page", 200, FRESH));
    const isHit = async (path: string, init?: RequestInit): Promise<boolean> => {
      await get(path, init);
      return (await get(path, init)).how.startsWith("hit");
    };
    expect([await isHit("/default"), await isHit("/own"), await isHit("/large"), await isHit("/never")]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(await isHit("/control", { headers: { "x-v": "1" } })).toBe(true);
    expect((await get("/control", { headers: { "x-v": "2" } })).body).toBe("2");
    expect((await get("/control", { headers: { "x-v": "1" } })).headers.get("cache-control")).toBe("max-age=60");
  });

  it("holds for background refreshes", async () => {
    let runs = 0;
    const { app, get, http } = testApp(cache);
    app.get("/", http.policy({ staleWhileRevalidate: "1m" }), (c) =>
      c.text(String(++runs), 200, { "cache-control": "max-age=0", etag: '"1"' }),
    );
    await get("/");
    await until(async () => (await get("/")).body === "2", { what: "a refresh" });
    await until(async () => Number((await get("/")).body) > 2, { what: "a refresh of the refreshed response" });
  });

  it("leaves an option as it was where the route's is undefined", async () => {
    const { app, get, http } = testApp(cache, { defaultTtl: "1m" });
    app.get("/", http.policy({ ttl: undefined, maxBodySize: undefined }), (c) => c.text("page"));
    app.get("/inner", http.policy({ vary: "x-v" }), http.policy({ vary: undefined }), (c) => c.text("page"));
    for (const path of ["/", "/inner"]) {
      await get(path);
      expect((await get(path)).how).toMatch(/^hit/);
    }
    expect((await get("/inner")).headers.get("vary")).toBe("x-v");
  });

  it("refuses options that a route can't have", () => {
    const { http } = testApp(cache);
    expect(() => http.policy({ hosts: [] } as never)).toThrow(/unknown option "hosts"/);
    expect(() => http.policy({ ttl: -1 })).toThrow(ConfigurationError);
  });
});

describe("options that give lifetimes", () => {
  it.each([200, 201, 203, 301, 308])("give one to %i", async (status) => {
    const { app, get } = testApp(cache, { cacheControl: "max-age=60" });
    app.get("/", (c) => c.body("x", status as 200));
    await get("/");
    expect((await get("/")).how).toMatch(/^hit/);
  });

  it.each([300, 302, 303, 307, 400, 403, 404, 410, 500, 501, 503])("give none to %i", async (status) => {
    for (const options of [{ cacheControl: "max-age=60" }, { defaultTtl: "1m" }] satisfies HttpCacheOptions[]) {
      const { app, get } = testApp(cache, options);
      app.get("/", (c) => c.body("x", status as 200));
      expect((await get("/")).headers.has("cache-control")).toBe(false);
      expect((await get("/")).how).not.toMatch(/^hit/);
    }
  });
});

describe("Cache-Status says stored", () => {
  const stored = async (handler: Handler): Promise<boolean> => {
    const { app, get } = testApp(cache, { maxBodySize: 1_000, cacheName: randomUUID() });
    app.get("/", handler);
    return / stored/.test((await get("/")).headers.get("cache-status") ?? "");
  };

  it("of a body that is complete", async () => {
    expect(await stored((c) => c.text("page", 200, FRESH))).toBe(true);
    expect(await stored((c) => c.body(null, 204, FRESH))).toBe(true);
  });

  it("of no body that is too large, too short, or not complete yet", async () => {
    expect(await stored((c) => c.text("x".repeat(2_000), 200, FRESH))).toBe(false);
    expect(await stored((c) => c.text("page", 200, { ...FRESH, "content-length": "10" }))).toBe(false);
    expect(
      await stored((c) => {
        for (const [name, value] of Object.entries(FRESH)) c.header(name, value);
        return stream(c, async (out) => {
          await out.sleep(20);
          await out.write("page");
        });
      }),
    ).toBe(false);
  });
});

describe("a streamed response", () => {
  /** The handler's second write waits until the client has the first. */
  const streamsThrough = async (
    outside: (app: Hono) => void,
    inside: (app: Hono) => void,
    control: string,
  ): Promise<void> => {
    let release = (): void => {};
    const hasFirst = new Promise<void>((resolve) => (release = resolve));
    const app = new Hono();
    outside(app);
    app.use(httpCache({ cache, app }));
    inside(app);
    app.get("/", (c) => {
      c.header("cache-control", control);
      return streamText(c, async (out) => {
        await out.write("first");
        await hasFirst;
        await out.write("second");
      });
    });
    await using server = await listen(app);
    const response = await fetch(server.url, { headers: { "accept-encoding": "identity" } });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      text += read.value;
      if (text === "first") release();
    }
    expect(text).toBe("firstsecond");
  };
  const none = (): void => {};
  const use: Record<string, (app: Hono) => void> = {
    compress: (app) => void app.use(compress()),
    timing: (app) => void app.use(timing()),
  };

  it.each(["no-store", "max-age=60", "private"])("under %s reaches the client as it is made", async (control) => {
    await streamsThrough(none, none, control);
    for (const add of Object.values(use)) {
      await streamsThrough(add, none, control);
      await streamsThrough(none, add, control);
    }
  });

  it("is compressed by nothing outside, as without the cache", async () => {
    const app = new Hono().use(compress()).use(httpCache({ cache }));
    app.get("/", (c) => streamText(c, async (out) => void (await out.write("x".repeat(5_000)))));
    const got = await app.request("/", { headers: { "accept-encoding": "gzip" } });
    expect(got.headers.get("content-encoding")).toBeNull();
    await got.text();
  });

  it("is tagged by etag() outside, and answered from the store, once it is complete", async () => {
    const app = new Hono().use(etag()).use(httpCache({ cache }));
    app.get("/", (c) => c.text("page", 200, FRESH));
    const first = await toGot(await app.request("/"));
    expect(first.headers.get("etag")).not.toBeNull();
    const second = await app.request("/", { headers: { "if-none-match": first.headers.get("etag") ?? "" } });
    expect(second.status).toBe(304);
  });
});
