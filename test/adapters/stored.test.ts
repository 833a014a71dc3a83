import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { until } from "../support/wait.js";
import type { Handler, SiteOptions } from "./host.js";
import { HTTP_HOSTS, SERVED_HOSTS } from "./hosts.js";
import { FRESH, newCache, text } from "./replies.js";

const PAGE = "0123456789";
const HIT = expect.stringMatching(/^hit; ttl=\d+$/);

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

describe.each(HTTP_HOSTS)("$name answers from the store", (host) => {
  const open = (handler: Handler, options: SiteOptions = {}) =>
    host.open({ cache, handler, options: { awaitBackground: true, ...options } });

  it("as the handler answered, with the response's age", async () => {
    let runs = 0;
    const own = { ...FRESH, etag: '"1"', "x-own": "a, b", link: "</a>; rel=preload" };
    await using opened = await open(() => text(`${PAGE} ${++runs}`, 201, own));
    const first = await opened.send();
    expect(first).toMatchObject({ status: 201, body: `${PAGE} 1`, how: "fwd=uri-miss; stored" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
    const second = await opened.send();
    expect(second).toMatchObject({ status: 201, body: `${PAGE} 1`, how: HIT });
    expect(Number(second.headers.get("age"))).toBeGreaterThanOrEqual(29);
    for (const [name, value] of [...Object.entries(own), ["content-type", "text/plain"]]) {
      expect(second.headers.get(name ?? "")?.split(";")[0]).toBe(value?.split(";")[0]);
    }
    // Without a server, a response has its first Date from the cache.
    if (first.headers.has("date")) expect(second.headers.get("date")).toBe(first.headers.get("date"));
  });

  it("until its lifetime ends, and again after the next response", async () => {
    let runs = 0;
    await using opened = await open(() => text(String(++runs), 200, FRESH));
    for (let i = 0; i < 2; i++) expect((await opened.send()).body).toBe("1");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    for (let i = 0; i < 2; i++) expect((await opened.send()).body).toBe("2");
  });

  it("each target by its own response, byte for byte", async () => {
    const bytes = Uint8Array.from({ length: 512 }, (_none, i) => i);
    await using opened = await open(({ url }) => {
      const { pathname, search } = new URL(url);
      return pathname === "/bytes" ? new Response(bytes, { headers: FRESH }) : text(pathname + search, 200, FRESH);
    });
    const targets = ["/", "/a", "/a?b", "/a?b=", "/a?b=c", "/a/", "/A", "/caf%C3%A9", "/a%2fb", "/a%20b"];
    for (let i = 0; i < 2; i++) for (const target of targets) expect((await opened.send({ target })).body).toBe(target);
    const decoded = new TextDecoder().decode(bytes);
    for (let i = 0; i < 2; i++) expect((await opened.send({ target: "/bytes" })).body).toBe(decoded);
    expect((await opened.send({ target: "/bytes" })).how).toEqual(HIT);
  });

  it("a response without a body, a redirection and a permanent error", async () => {
    await using opened = await open((_request, { path }) => {
      if (path === "/none") return text(null, 204, FRESH);
      if (path === "/empty") return text("", 200, FRESH);
      return path === "/moved" ? text(null, 301, { ...FRESH, location: "/" }) : text("gone", 410, FRESH);
    });
    for (const [target, status] of [
      ["/none", 204],
      ["/empty", 200],
      ["/moved", 301],
      ["/gone", 410],
    ] as const) {
      const first = await opened.send({ target });
      const second = await opened.send({ target });
      expect([first.status, first.body]).toEqual([second.status, second.body]);
      expect(second).toMatchObject({ status, how: HIT });
      expect(second.headers.get("location")).toBe(first.headers.get("location"));
    }
  });

  it("a HEAD without a body, and stores none for a GET", async () => {
    const methods: string[] = [];
    await using opened = await open(({ method }) => {
      methods.push(method);
      return text(method === "HEAD" ? null : PAGE, 200, { ...FRESH, "content-length": "10" });
    });
    expect(await opened.send({ method: "HEAD" })).toMatchObject({ status: 200, body: "", how: "fwd=uri-miss" });
    expect(await opened.send()).toMatchObject({ body: PAGE, how: "fwd=uri-miss; stored" });
    const head = await opened.send({ method: "HEAD" });
    expect(head).toMatchObject({ status: 200, body: "", how: HIT });
    expect(head.headers.get("content-length")).toBe("10");
    expect(methods).toEqual(["HEAD", "GET"]);
  });

  // A caller of fetch that has conditions of its own wants no cache.
  it.skipIf(!SERVED_HOSTS.includes(host)).each<[string, Record<string, string>]>([
    ["If-None-Match", { "if-none-match": '"0", W/"1"' }],
    ["If-None-Match: *", { "if-none-match": "*" }],
    ["If-Modified-Since", { "if-modified-since": "Fri, 02 Jan 2026 00:00:00 GMT" }],
  ])("the condition %s by 304, also where nothing was stored", async (_what, fields) => {
    const seen: string[] = [];
    const said = { ...FRESH, etag: '"1"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" };
    await using opened = await open((_request, shown) => {
      seen.push(...shown.values("if-none-match"), ...shown.values("if-modified-since"));
      return text(PAGE, 200, said);
    });
    for (let i = 0; i < 2; i++) {
      const got = await opened.send({ fields });
      expect(got).toMatchObject({ status: 304, body: "" });
      expect([got.headers.get("etag"), got.headers.get("content-length")]).toEqual(['"1"', null]);
    }
    expect(await opened.send({ fields: { "if-none-match": '"2"' } })).toMatchObject({ status: 200, body: PAGE });
    expect((await opened.send()).how).toEqual(HIT);
    expect(seen).toEqual([]);
  });

  it.each<[string, number, string, string | null]>([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=8-", 206, "89", "bytes 8-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=0-1,3-4", 200, PAGE, null],
    ["lines=1", 200, PAGE, null],
  ])("the range %s by %i, once the response is stored", async (range, status, body, said) => {
    await using opened = await open(() => text(PAGE, 200, { ...FRESH, etag: '"1"' }));
    // Before, a server may send all of it.
    expect([200, status]).toContain((await opened.send({ fields: { range } })).status);
    const got = await opened.send({ fields: { range } });
    expect([got.status, got.headers.get("content-range")]).toEqual([status, said]);
    if (status !== 416) expect(got.body).toBe(body);
    if (status === 206) expect(got.headers.get("content-length")).toBe(String(body.length));
    if (SERVED_HOSTS.includes(host)) {
      const matched = { range: "bytes=2-4", "if-range": '"1"' };
      expect(await opened.send({ fields: matched })).toMatchObject({ status: 206, body: "234" });
      const other = await opened.send({ fields: { ...matched, "if-range": '"2"' } });
      expect(other).toMatchObject({ status: 200, body: PAGE });
    }
    expect(await opened.send()).toMatchObject({ status: 200, body: PAGE, how: HIT });
  });

  it("the variant that Vary selects", async () => {
    const handler: Handler = (_request, shown) =>
      text(shown.values("accept-language")[0] ?? "none", 200, { ...FRESH, vary: "Accept-Language" });
    await using opened = await open(handler);
    for (let i = 0; i < 2; i++) {
      for (const language of ["de", "fr"]) {
        const got = await opened.send({ fields: { "accept-language": language } });
        expect([got.body, got.headers.get("vary")]).toEqual([language, "Accept-Language"]);
        if (i === 1) expect(got.how).toEqual(HIT);
      }
      expect((await opened.send()).body).toBe("none");
    }
  });

  it("no request with a method, a body, a cookie or a directive that asks for the handler", async () => {
    let runs = 0;
    await using opened = await open(() => text(`${PAGE} ${++runs}`, 200, FRESH));
    await opened.send();
    const asked = [
      { fields: { "cache-control": "no-cache" } },
      { fields: { pragma: "no-cache" } },
      { fields: { cookie: "a=b" } },
      { fields: { authorization: "a", "cache-control": "max-age=0" } },
      { method: "OPTIONS" },
      // Over HTTP/2 nothing says so before the body comes.
      ...(host.protocol === "HTTP/2" ? [] : [{ body: "x" }]),
      { method: "POST", body: "x" },
    ];
    for (const attack of asked) expect((await opened.send(attack)).how, JSON.stringify(attack)).not.toMatch(/^hit/);
    expect(runs).toBeGreaterThanOrEqual(asked.length);
    expect(await opened.send({ target: "/none", fields: { "cache-control": "only-if-cached" } })).toMatchObject({
      status: 504,
      how: "fwd=miss",
    });
  });

  it("nothing of what may not be stored", async () => {
    const said: Record<string, string>[] = [
      {},
      { "cache-control": "no-store" },
      { "cache-control": "private, max-age=60" },
      { ...FRESH, vary: "*" },
      { ...FRESH, "content-type": "text/event-stream" },
    ];
    let runs = 0;
    await using opened = await open(({ url }) => {
      const which = Number(new URL(url).searchParams.get("which"));
      return text(String(++runs), 200, said[which]);
    });
    for (let which = 0; which < said.length; which++) {
      for (let i = 0; i < 2; i++) {
        const before = runs;
        const got = await opened.send({ target: `/?which=${which}` });
        expect([got.body, got.how]).toEqual([String(before + 1), "fwd=uri-miss"]);
      }
    }
  });

  it("without Set-Cookie, which its own client gets, each on a line of its own", async () => {
    await using opened = await open(() => {
      const response = text(PAGE, 200, FRESH);
      for (const cookie of ["a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "b=2"]) {
        response.headers.append("set-cookie", cookie);
      }
      return response;
    });
    expect((await opened.send()).headers.getSetCookie()).toEqual(["a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "b=2"]);
    const hit = await opened.send();
    expect([hit.how, hit.headers.getSetCookie()]).toEqual([HIT, []]);
  });

  it("of another process, as soon as it is stored", async () => {
    let runs = 0;
    const handler: Handler = () => text(String(++runs), 200, FRESH);
    await using here = await host.open({ cache, handler });
    await using there = await open(handler);
    await here.send();
    await until(async () => (await there.send()).how.startsWith("hit"), { what: "a hit" });
    expect((await there.send()).body).toBe((await here.send()).body);
  });
});

describe.each(HTTP_HOSTS)("an error of a handler of $name", (host) => {
  it("reaches its client, and is not stored", async () => {
    let runs = 0;
    const handler: Handler = () => {
      if (++runs < 3) throw new Error("broken");
      return text(PAGE, 200, FRESH);
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true, retryAfter: 0 } });
    for (let i = 0; i < 2; i++) expect((await opened.send()).status).toBe(500);
    expect(await opened.send()).toMatchObject({ status: 200, body: PAGE });
    expect((await opened.send()).how).toEqual(HIT);
  });
});
