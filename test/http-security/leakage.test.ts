import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { mount } from "hono/mount";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type HttpCacheOptions, httpCache } from "../../src/hono/index.js";
import { type Cache, createCache } from "../../src/index.js";
import { type Handler, SHOP, type SiteOptions } from "../adapters/host.js";
import { casesOf, HTTP_HOSTS, REFRESHING_HOSTS, SERVED_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, STALE, text } from "../adapters/replies.js";
import { testApp, toGot } from "../hono/app.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/wait.js";

const SECRETS = { authorization: "Bearer secret", "x-api-key": "secret", "x-session": "secret" };
const KEYED: SiteOptions = { awaitBackground: true, credentialFields: ["X-Api-Key", "X-Session"] };

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** A handler that shows every credential that it sees, in its body and in a field. */
const whoami =
  (said: Record<string, string>, status = 200): Handler =>
  (_request, shown) => {
    const names = ["authorization", "x-api-key", "x-session", "cookie"];
    const seen = names.map((name) => shown.values(name)[0] ?? "-").join();
    return text(seen, status, { ...said, "x-seen": seen });
  };
/** A cache name of its own for each site of a test. */
const apart = (options: SiteOptions): SiteOptions => ({ ...options, cacheName: `c${randomUUID()}` });
const NOBODY = "-,-,-,-";

describe.each(HTTP_HOSTS)("CWE-524, what is made for credentials, through $name,", (host) => {
  const forbidden = casesOf<Record<string, string>>(host, {
    all: [
      { "cache-control": "max-age=60" },
      { "cache-control": "max-age=60, stale-while-revalidate=60", etag: '"1"' },
      { expires: "Fri, 31 Dec 2100 00:00:00 GMT" },
    ],
    engine: [
      { "cache-control": "max-age=60, proxy-revalidate" },
      { "cache-control": "max-age=60, immutable" },
      { "cache-control": "no-cache", etag: '"1"' },
      { "cache-control": "max-age=60, publicly" },
      { "cache-control": 'max-age=60, ext="public"' },
      { "cache-control": "public", "cdn-cache-control": "max-age=60" },
      { "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" },
      { "cache-control": "public, private, max-age=60" },
      { "cache-control": "s-maxage=60, no-store" },
    ],
  });
  const permitting = casesOf(host, { all: ["public"], engine: ["must-revalidate", "s-maxage=60"] });

  it.each(Object.entries(SECRETS))("%s: %s, is stored only where the response permits it", async (name, secret) => {
    for (const headers of forbidden) {
      await using opened = await host.open({ cache, handler: whoami(headers), options: apart(KEYED) });
      const own = await opened.send({ fields: { [name]: secret } });
      expect(own.body).toContain("secret");
      for (let i = 0; i < 2; i++) {
        const got = await opened.send();
        expect([got.body, got.headers.get("x-seen")], JSON.stringify(headers)).toEqual([NOBODY, NOBODY]);
      }
    }
    for (const directive of permitting) {
      const handler = whoami({ "cache-control": `max-age=60, ${directive}` });
      await using opened = await host.open({ cache, handler, options: apart(KEYED) });
      await opened.send({ fields: { [name]: secret } });
      expect((await opened.send()).how, directive).toMatch(/^hit/);
    }
  });

  it("changes nothing of what is stored by a 304, nor by a HEAD", async () => {
    for (const method of ["GET", "HEAD"]) {
      for (const [name, secret] of Object.entries(SECRETS)) {
        const handler: Handler = (request) => {
          const seen = request.headers.get(name) ?? "-";
          const headers = { "cache-control": "max-age=60", etag: '"1"', "x-seen": seen };
          return request.headers.has("if-none-match")
            ? text(null, 304, headers)
            : text(`page for ${seen}`, 200, headers);
        };
        await using opened = await host.open({ cache, handler, options: apart(KEYED) });
        await opened.send();
        const reload = { [name]: secret, "cache-control": "no-cache" };
        expect((await opened.send({ method, fields: reload })).headers.get("x-seen")).toBe(secret);
        const got = await opened.send();
        expect([got.body, got.headers.get("x-seen")]).toEqual(["page for -", "-"]);
      }
    }
  });

  it("by a POST, stands for no later GET", async () => {
    const handler = whoami({ "cache-control": "max-age=60", "content-location": "/" });
    await using opened = await host.open({ cache, handler, options: KEYED });
    for (const fields of [...Object.entries(SECRETS), ["cookie", "a=secret"] as const]) {
      await opened.send({ method: "POST", fields: [fields], body: "x" });
      expect((await opened.send()).body).toBe(NOBODY);
    }
  });

  it("an error among it, is stored for no other client", async () => {
    const handler = whoami({ "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" }, 404);
    await using opened = await host.open({ cache, handler, options: { ...KEYED, defaultTtl: "1h" } });
    for (const fields of Object.entries(SECRETS)) {
      await opened.send({ fields: [fields] });
      expect((await opened.send()).body).toBe(NOBODY);
    }
  });
});

describe.each(HTTP_HOSTS)("CWE-524, cookies, through $name:", (host) => {
  it("a request with a cookie takes no part in the cache, whatever the response says", async () => {
    const options = { awaitBackground: true, allowCookies: ["_ga*"] };
    await using opened = await host.open({ cache, handler: whoami(FRESH), options });
    for (const cookie of ["session=1", "_ga=1; session=1", "=1", "session", "_GA=1", ";a=b", "_g=1;,_ga=2"]) {
      for (let i = 0; i < 2; i++) {
        const { body, how } = await opened.send({ fields: { cookie } });
        expect(how).toBe("fwd=bypass");
        expect(body).not.toBe(NOBODY);
      }
    }
    expect((await opened.send()).body).toBe(NOBODY);
    expect((await opened.send({ fields: { cookie: "_ga=1; _gat=2" } })).how).toMatch(/^hit/);
  });

  it("Vary: Cookie in any case keeps the allowed cookies apart", async () => {
    for (const vary of casesOf(host, { all: ["cOOkie"], engine: ["Cookie", "accept, COOKIE", "accept ,\tcookie"] })) {
      const options = apart({ awaitBackground: true, allowCookies: ["tier"] });
      await using opened = await host.open({ cache, handler: whoami({ ...FRESH, vary }), options });
      for (let i = 0; i < 2; i++) {
        for (const cookie of ["tier=1", "tier=2", "tier=1; tier=2"]) {
          expect((await opened.send({ fields: { cookie } })).body).toContain(`,${cookie}`);
        }
        expect((await opened.send()).body).toBe(NOBODY);
      }
    }
  });

  it("Set-Cookie reaches the client that it was made for alone", async () => {
    const said = [
      FRESH,
      { "cache-control": 'max-age=60, no-cache="x-own"' },
      { "cdn-cache-control": "max-age=60" },
      { "cache-control": "max-age=0, must-revalidate", etag: '"1"' },
      { ...FRESH, vary: "accept" },
    ];
    for (const headers of said) {
      let runs = 0;
      const handler: Handler = (request) => {
        const own = { ...headers, "set-cookie": `id=${++runs}` };
        return request.headers.has("if-none-match") ? text(null, 304, own) : text("page", 200, own);
      };
      await using opened = await host.open({ cache, handler, options: apart({ awaitBackground: true }) });
      for (let i = 0; i < 3; i++) {
        const before = runs;
        const { headers: got, body } = await opened.send();
        expect(body).toBe("page");
        expect(got.getSetCookie()).toEqual(runs > before ? [`id=${runs}`] : []);
      }
    }
  });
});

describe("CWE-524, a response for one client", () => {
  it.each([
    "private",
    "Private",
    "PRIVATE, max-age=60",
    "max-age=60,private",
    "public, private, max-age=60",
    "private=, max-age=60",
    'private="", max-age=60',
    "private; max-age=60",
    "max-age=60, private=foo bar",
    'max-age=60, private="',
    "no-store",
    "No-Store, max-age=60",
    "max-age=60, no-store=1",
    'max-age=60, ext=", no-store',
  ])("by Cache-Control: %s is stored for nobody", async (control) => {
    let runs = 0;
    const { app, get } = testApp(cache, { awaitBackground: true, defaultTtl: "1h" });
    app.get("*", (c) => c.text(String(++runs), 200, { "cache-control": control, etag: '"1"' }));
    for (let i = 1; i <= 3; i++) expect(await get("/")).toMatchObject({ body: String(i), how: "fwd=uri-miss" });
  });

  it("by a field that private or no-cache names loses that field alone", async () => {
    for (const directive of ["private", "no-cache"]) {
      const { app, get } = testApp(cache, { awaitBackground: true, cacheName: directive });
      const control = `max-age=60, ${directive}="x-user, X-Name"`;
      app.get("*", (c) => c.text("page", 200, { "cache-control": control, "x-user": "victim", "x-name": "victim" }));
      expect((await get("/")).headers.get("x-user")).toBe("victim");
      const hit = await get("/");
      expect([hit.how.slice(0, 3), hit.headers.get("x-user"), hit.headers.get("x-name")]).toEqual(["hit", null, null]);
    }
  });
});

describe.each(HTTP_HOSTS)("CWE-524, a response for one client of $name", (host) => {
  it("is awaited by no other client, and one with credentials waits for none", async () => {
    const gate = deferred<void>();
    let runs = 0;
    const handler: Handler = async (request, shown) => {
      runs++;
      await gate.promise;
      return whoami({ "cache-control": "max-age=60" })(request, shown);
    };
    await using opened = await host.open({ cache, handler, options: KEYED });
    const first = opened.send();
    await until(() => runs === 1, { what: "the first run" });
    const others = [...Object.entries(SECRETS), ["cookie", "a=secret"] as const].map((field) =>
      opened.send({ fields: [field] }),
    );
    await until(() => runs === 5, { what: "all requests with credentials at the handler" });
    gate.resolve();
    expect((await first).body).toBe(NOBODY);
    for (const { body } of await Promise.all(others)) expect(body).toContain("secret");
  });
});

it.each(REFRESHING_HOSTS)(
  "CWE-524, a response for one client of $name is not shown by a background refresh, which carries no credentials",
  async (host) => {
    const seen: string[] = [];
    const handler: Handler = (_request, shown) => {
      seen.push(["authorization", "x-api-key", "cookie"].map((name) => shown.values(name)[0] ?? "-").join());
      return text(String(seen.length), 200, { "cache-control": `public, ${STALE["cache-control"]}` });
    };
    await using opened = await host.open({ cache, handler, options: { credentialFields: ["X-Api-Key"] } });
    await opened.send();
    await until(async () => (await cache.keys("*")).length > 0, { what: "the first response" });
    await opened.send({ fields: { authorization: "secret", "x-api-key": "secret" } });
    await until(() => seen.length === 2, { what: "the refresh" });
    expect(seen).toEqual(["-,-,-", "-,-,-"]);
  },
);

describe("CWE-639, tenants that share a store", () => {
  it("see nothing of each other under another key prefix, cache name, host, scheme or port", async () => {
    await using other = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
    const site = (name: string, one: Cache, options: HttpCacheOptions = {}) => {
      const test = testApp(one, { awaitBackground: true, ...options });
      test.app.get("*", (c) => c.text(name, 200, { ...FRESH, "cache-tag": "all", "cache-groups": '"all"' }));
      return test;
    };
    const sites = [
      [site("prefix", other), `http://${SHOP}/`],
      [site("name", cache, { cacheName: "other" }), `http://${SHOP}/`],
      [site("host", cache), "http://other.example/"],
      [site("scheme", cache), `https://${SHOP}/`],
      [site("port", cache), `http://${SHOP}:8080/`],
      [site("subdomain", cache), `http://x.${SHOP}/`],
      [site("own", cache), `http://${SHOP}/`],
    ] as const;
    for (let i = 0; i < 2; i++) {
      const bodies = [];
      for (const [{ get }, url] of sites) bodies.push((await get(url)).body);
      expect(bodies).toEqual(["prefix", "name", "host", "scheme", "port", "subdomain", "own"]);
    }
    const [[prefixed], [named]] = sites;
    // Tags are those of all the cache, also under other names; groups are those of one.
    await named.http.purgeGroups(`http://${SHOP}`, ["all"]);
    await prefixed.http.purgeTags(["all"]);
    await named.http.purge(`http://${SHOP}/`);
    for (const [{ get }, url] of sites.slice(2)) expect((await get(url)).how).toMatch(/^hit/);
  });

  it("see nothing of each other's keys that only look alike", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true, keyGenerator: (c) => c.req.header("x-key") ?? "" });
    app.get("*", (c) => c.text(c.req.header("x-key") ?? "", 200, FRESH));
    const keys = [
      "a",
      "a}",
      "{a",
      "a:b",
      "1:a",
      "3:key1:a",
      "",
      "A",
      "a\u00e9",
      "a%",
      "x".repeat(300),
      "x".repeat(301),
    ];
    for (let i = 0; i < 2; i++) {
      for (const key of keys) expect((await get("/", { headers: { "x-key": key } })).body).toBe(key);
    }
  });

  it("see nothing of each other in applications that are mounted side by side", async () => {
    const site = (name: string) => {
      const app = new Hono();
      app.use(httpCache({ cache, app, awaitBackground: true, mountPath: `/${name}` }));
      return app.get("*", (c) => c.text(name, 200, FRESH));
    };
    const app = new Hono()
      .mount("/a", site("a").fetch)
      .mount("/b", site("b").fetch)
      .all("/c/*", mount(site("c").fetch))
      .all("/d/*", mount(site("d").fetch));
    for (let i = 0; i < 2; i++) {
      for (const name of ["a", "b", "c", "d"]) {
        for (const path of ["/x", "/", "/a/x", "//x", "/x?/b/x"]) {
          expect((await toGot(await app.request(`/${name}${path}`))).body).toBe(name);
        }
      }
    }
  });
});

it.each(SERVED_HOSTS)(
  "CWE-639, tenants of $name see nothing of each other behind a proxy that names the host",
  async (host) => {
    const hosts = ["a.example", "b.example", "a.example:8080"];
    const handler: Handler = ({ url }, shown) =>
      text([url, ...["host", "x-forwarded-host"].map((name) => shown.values(name)[0])].join(" "), 200, FRESH);
    const options: SiteOptions = { awaitBackground: true, trustForwarded: ["host", "proto"], hosts };
    await using opened = await host.open({ cache, handler, options });
    const ask = (name: string, proto = "https") =>
      opened.send({ host: "cluster.internal", fields: { "x-forwarded-host": name, "x-forwarded-proto": proto } });
    for (let i = 0; i < 2; i++) {
      for (const name of [...hosts, "A.EXAMPLE"]) {
        for (const proto of ["http", "https"]) {
          const own = name.toLowerCase();
          expect((await ask(name, proto)).body).toBe(`${proto}://${own}/ ${own} ${own}`);
        }
      }
    }
    expect(await opened.purge("https://a.example/")).toBeGreaterThan(0);
    expect((await ask("b.example")).how).toMatch(/^hit/);
    expect((await ask("a.example", "http")).how).toMatch(/^hit/);
    expect((await ask("a.example")).how).toMatch(/stored/);
  },
);
