import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { type Handler, SHOP, type SiteInit, type SiteOptions } from "./host.js";
import { HOSTS_WITH_MIDDLEWARE, HTTP_HOSTS, MOUNTING_HOSTS, SERVED_HOSTS } from "./hosts.js";
import { FRESH, newCache, text } from "./replies.js";

const HIT = expect.stringMatching(/^hit/);

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

describe.each(HTTP_HOSTS)("$name has the option", (host) => {
  const open = (handler: Handler, options: SiteOptions, more: Partial<SiteInit> = {}) =>
    host.open({ cache, handler, options: { awaitBackground: true, ...options }, ...more });

  it("routes, which gives lifetimes and tags by URL", async () => {
    let runs = 0;
    const routes = {
      "/api/products/*": { ttl: "1m", staleWhileRevalidate: "10m", tags: ["products"] },
      "/api/*": { ttl: "10s" },
    } as const;
    await using opened = await open(() => text(`page ${++runs}`), { routes });
    const first = await opened.send({ target: "/api/products/1?a=b" });
    expect(await opened.send({ target: "/api/products/1?a=b" })).toMatchObject({ body: first.body, how: HIT });
    await opened.purgeTags(["products"]);
    expect((await opened.send({ target: "/api/products/1?a=b" })).body).not.toBe(first.body);
    const other = await opened.send({ target: "/api/other" });
    expect((await opened.send({ target: "/api/other" })).body).toBe(other.body);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 20_000 });
    expect((await opened.send({ target: "/api/other" })).body).not.toBe(other.body);
    expect((await opened.send({ target: "/api/products/1?a=b" })).how).toEqual(HIT);
    for (const target of ["/", "/api", "/x/api/products/1"]) {
      await opened.send({ target });
      expect((await opened.send({ target })).how).toBe("fwd=uri-miss");
    }
  });

  it("cacheControl, for responses that have none of their own, and vary, for all", async () => {
    const handler: Handler = (_request, shown) =>
      text(shown.values("x-tenant")[0] ?? "none", shown.path === "/404" ? 404 : 200, {
        ...(shown.path === "/own" && { "cache-control": "no-store" }),
      });
    await using opened = await open(handler, { cacheControl: "max-age=60", vary: ["X-Tenant"] });
    for (let i = 0; i < 2; i++) {
      for (const name of ["a", "b"]) {
        const got = await opened.send({ fields: { "x-tenant": name } });
        expect([got.body, got.headers.get("cache-control")]).toEqual([name, "max-age=60"]);
        expect(got.headers.get("vary")?.toLowerCase()).toBe("x-tenant");
        if (i === 1) expect(got.how).toEqual(HIT);
      }
    }
    expect((await opened.send({ target: "/own" })).headers.get("cache-control")).toBe("no-store");
    expect((await opened.send({ target: "/404" })).headers.get("cache-control")).toBeNull();
  });

  it("keyGenerator, whose keys are purged by themselves", async () => {
    const keyGenerator = ({ url, headers }: Request): string => `${headers.get("x-tenant")} ${new URL(url).pathname}`;
    await using opened = await open(({ url }) => text(url, 200, FRESH), {}, { keyGenerator });
    const ask = async (target: string, name: string) => opened.send({ target, fields: { "x-tenant": name } });
    await ask("/?a", "1");
    expect((await ask("/?b", "1")).body).toContain("?a");
    expect((await ask("/?b", "2")).body).toContain("?b");
    expect(await opened.purge("1 /")).toBe(1);
    expect((await ask("/?c", "1")).body).toContain("?c");
    expect((await ask("/?c", "2")).body).toContain("?b");
  });

  it.skipIf(!SERVED_HOSTS.includes(host))(
    "trustForwarded, with handlers that see what the proxy says, and purges by it",
    async () => {
      const handler: Handler = ({ url, headers }) => text(`${url} ${headers.get("x-forwarded-proto")}`, 200, FRESH);
      await using opened = await open(handler, { trustForwarded: ["proto"] });
      const tls = { fields: { "x-forwarded-proto": "https" } };
      for (let i = 0; i < 2; i++) {
        expect((await opened.send(tls)).body).toBe(`https://${SHOP}/ https`);
        expect((await opened.send()).body).toBe(`http://${SHOP}/ http`);
      }
      expect(await opened.purge(`https://${SHOP}/`)).toBe(1);
      expect((await opened.send(tls)).how).toBe("fwd=uri-miss; stored");
      expect((await opened.send()).how).toEqual(HIT);
    },
  );

  it("query, for the key and for handlers", async () => {
    const handler: Handler = ({ url }, shown) => text(`${url} ${JSON.stringify(shown.target())}`, 200, FRESH);
    await using opened = await open(handler, { query: { remove: ["utm_*"], sort: true } });
    const first = await opened.send({ target: "/?b=2&utm_source=x&a=1" });
    expect(first.body).toContain(`http://${SHOP}/?a=1&b=2 `);
    expect(first.body).not.toContain("utm");
    expect(await opened.send({ target: "/?a=1&b=2" })).toMatchObject({ body: first.body, how: HIT });
  });

  it("encodings and languages, which handlers see narrowed", async () => {
    const handler: Handler = (_request, shown) =>
      text(["accept-encoding", "accept-language"].map((name) => shown.values(name)[0]).join(), 200, {
        ...FRESH,
        vary: "Accept-Encoding, Accept-Language",
      });
    await using opened = await open(handler, { encodings: ["br", "gzip"], languages: ["de", "en"] });
    const sent = { "accept-encoding": "gzip;q=0.5, br, zstd", "accept-language": "fr, en;q=0.8" };
    expect((await opened.send({ fields: sent })).body).toBe("br,en");
    const same = { "accept-encoding": "br", "accept-language": "en-GB, en" };
    expect(await opened.send({ fields: same })).toMatchObject({ body: "br,en", how: HIT });
  });

  it("debug, which shows the key, and cacheName, in Cache-Status", async () => {
    await using opened = await open(() => text("page", 200, FRESH), { debug: true, cacheName: "mine" });
    for (let i = 0; i < 2; i++) {
      expect((await opened.send({ target: "/a" })).headers.get("cache-status")).toMatch(/^mine; .*shop\.example/);
    }
  });

  it("refused where it is wrong or unknown", async () => {
    for (const options of [{ maxBodySize: -1 }, { cacheName: "a b" }, { unknown: 1 }, { routes: { "(": {} } }]) {
      await expect(open(() => text(""), options as SiteOptions)).rejects.toThrow(/give|known options are/);
    }
  });
});

describe.each(HOSTS_WITH_MIDDLEWARE)("middleware outside of $name", (host) => {
  it("has its fields on each client's response, and none of them stored for others", async () => {
    let requests = 0;
    const outside = () => ({ fields: { "x-request-id": String(++requests), "set-cookie": `id=${requests}` } });
    await using opened = await host.open({
      cache,
      outside,
      handler: () => text("page", 200, FRESH),
      options: { awaitBackground: true },
    });
    for (let i = 1; i <= 3; i++) {
      const { headers, how } = await opened.send();
      expect([headers.get("x-request-id"), headers.getSetCookie()]).toEqual([String(i), [`id=${i}`]]);
      if (i > 1) expect(how).toEqual(HIT);
    }
  });

  it.each<[Record<string, string>, Record<string, string>]>([
    [{ "cache-control": "private" }, { "cache-control": "public, max-age=60" }],
    [{ "cache-control": "no-store" }, { "cdn-cache-control": "max-age=60" }],
    [{ "cdn-cache-control": "no-store" }, { "cache-control": "max-age=60" }],
    [{ vary: "*" }, { "cache-control": "max-age=60" }],
    [{ expires: "0" }, { "cache-control": "max-age=60" }],
    [{ "cache-control": "no-cache" }, { "cache-control": "max-age=60" }],
  ])("keeps a response from being reused by %j, whatever the handler says", async (fields, own) => {
    let runs = 0;
    const handler: Handler = () => text(String(++runs), 200, own);
    await using opened = await host.open({
      cache,
      outside: () => ({ fields }),
      handler,
      options: { awaitBackground: true },
    });
    for (let i = 1; i <= 3; i++) expect((await opened.send()).body).toBe(String(i));
  });

  it("gives a response its lifetime, its tags and its variants", async () => {
    let runs = 0;
    const fields = { "cache-control": "max-age=60", "cache-tag": "outside", vary: "x-tenant" };
    const handler: Handler = () => text(`page ${++runs}`, 200, { vary: "foo", "cache-tag": "inside" });
    await using opened = await host.open({
      cache,
      outside: () => ({ fields }),
      handler,
      options: { awaitBackground: true },
    });
    const ask = (name: string) => opened.send({ fields: { "x-tenant": name } });
    for (let i = 0; i < 2; i++) {
      expect((await ask("a")).body).toBe("page 1");
      expect((await ask("b")).body).toBe("page 2");
    }
    const { headers } = await ask("a");
    expect(
      headers
        .get("vary")
        ?.split(/\s*,\s*/)
        .sort(),
    ).toEqual(["foo", "x-tenant"]);
    for (const [i, tag] of ["outside", "inside"].entries()) {
      await opened.purgeTags([tag]);
      expect((await ask("a")).body).toBe(`page ${3 + i}`);
    }
  });

  it("has its say over what was stored without it", async () => {
    let fields: Record<string, string> = {};
    let runs = 0;
    const handler: Handler = () => text(String(++runs), 200, FRESH);
    await using opened = await host.open({
      cache,
      outside: () => ({ fields }),
      handler,
      options: { awaitBackground: true },
    });
    for (let i = 0; i < 2; i++) expect((await opened.send()).body).toBe("1");
    for (const late of [{ "cache-control": "no-cache" }, { vary: "x-tenant" }]) {
      fields = late;
      const before = runs;
      expect((await opened.send()).body).toBe(String(before + 1));
    }
  });
});

describe.each(MOUNTING_HOSTS)("applications that $name mounts under a path", (host) => {
  it("have the URL that clients ask for in their keys", async () => {
    const site = (mount: string): SiteInit => ({
      cache,
      mount,
      handler: ({ method }) => (method === "POST" ? text(null, 204) : text(mount, 200, FRESH)),
      options: { awaitBackground: true },
    });
    await using a = await host.open(site("/a"));
    await using b = await host.open(site("/b"));
    for (let i = 0; i < 2; i++) {
      for (const path of ["/x", "/x?y=1", "/", "/a/x"]) {
        for (const [opened, mount] of [
          [a, "/a"],
          [b, "/b"],
        ] as const) {
          const got = await opened.send({ target: mount + path });
          expect(got.body).toBe(mount);
          if (i === 1) expect(got.how).toEqual(HIT);
        }
      }
    }
    expect(await a.purge(`http://${SHOP}/a/x`)).toBe(1);
    expect((await a.send({ target: "/a/x" })).how).toBe("fwd=uri-miss; stored");
    await b.send({ method: "POST", target: "/b/x", body: "x" });
    expect((await b.send({ target: "/b/x" })).how).toBe("fwd=uri-miss; stored");
    expect((await a.send({ target: "/a/x" })).how).toEqual(HIT);
  });
});
