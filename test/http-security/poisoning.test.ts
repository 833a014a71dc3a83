import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UNKEYED_FIELDS } from "../../src/http/rfc/admission.js";
import type { Cache } from "../../src/index.js";
import {
  type Attack,
  type Handler,
  type HttpHost,
  type Opened,
  SHOP,
  type SiteInit,
  type SiteOptions,
} from "../adapters/host.js";
import { type Cases, casesOf, HTTP_HOSTS, HTTP1_HOSTS, HTTP2_HOSTS, SERVED_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, rawServer, text } from "../adapters/replies.js";

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

const OVERRIDES = ["x-http-method", "x-http-method-override", "x-method-override"];
const CONDITIONS = ["if-none-match", "if-modified-since", "range"];

/** A handler that shows all that it sees of the target, and every field that must not reach it. */
const echo: Handler = (request, shown) => {
  const seen = (name: string): string[] => [...new Set(shown.values(name))];
  const fields = [...UNKEYED_FIELDS, ...OVERRIDES, ...CONDITIONS, "x-own", "cookie"].flatMap((name) =>
    seen(name).map((value) => `${name}=${value}`),
  );
  const target = [request.method, request.url, shown.path, seen("host").join(), JSON.stringify(shown.target())];
  return text([...target, ...fields].join(" "), 200, FRESH);
};

const echoSite = (options: SiteOptions = {}): SiteInit => ({
  cache,
  handler: echo,
  options: { awaitBackground: true, ...options },
});

const pages = new Map<HttpHost, Promise<string>>();

/** What a client gets that sends nothing but the target, and is the only one. */
function pageOf(host: HttpHost): Promise<string> {
  const ask = async (): Promise<string> => {
    await using alone = newCache();
    await using opened = await host.open({ ...echoSite(), cache: alone });
    const { body } = await opened.send({ target: "/x" });
    expect(body).toContain(`GET http://${SHOP}/x /x ${SHOP}`);
    return body;
  };
  const page = pages.get(host) ?? ask();
  pages.set(host, page);
  return page;
}

const twice = async (host: HttpHost): Promise<string[]> => {
  const page = await pageOf(host);
  return [page, page];
};

/** Attacks, and asks twice as a client that sends nothing but the target. The second answer must come from the store. */
async function afterAttack({ send }: Opened, attack: Attack) {
  const attacked = await send(attack);
  const victims = [await send({ target: "/x" }), await send({ target: "/x" })];
  return { attacked, bodies: victims.map(({ body }) => body), how: victims[1]?.how };
}

const UNKEYED: Attack["fields"] = Object.fromEntries([...UNKEYED_FIELDS].map((name) => [name, "evil.example"]));

describe.each(HTTP_HOSTS)("CWE-349, poisoning by input outside the key, through $name:", (host) => {
  it.each<[string, Attack]>([
    ["every field that names another target", { fields: UNKEYED }],
    ["an overridden method", { fields: Object.fromEntries(OVERRIDES.map((name) => [name, "DELETE"])) }],
    ["one field that overrides the method", { fields: { "x-method-override": "HEAD" } }],
    ["a cookie", { fields: { cookie: "session=evil; lang=evil" } }],
    ["conditions", { fields: { "if-none-match": '"evil"', "if-modified-since": "evil" } }],
    ["a range", { fields: { range: "bytes=0-3" } }],
    ["a fragment", { target: "/x#evil" }],
    ["dot segments", { target: "/evil/../x" }],
    ["encoded dot segments", { target: "/evil/%2e%2e/x" }],
    ["an upper-case host", { host: "SHOP.EXAMPLE" }],
    ["the scheme's own port", { host: `${SHOP}:80` }],
    ["another port", { host: `${SHOP}:8080` }],
    ["a host with a dot at its end", { host: `${SHOP}.` }],
    ["another host", { host: "evil.example" }],
    ["user information in Host", { host: `evil@${SHOP}` }],
    ["two slashes", { target: "//evil.example/x" }],
    ["a backslash", { target: "/evil\\..\\x" }],
    ["a method in lower case", { method: "get", fields: { "x-forwarded-host": "evil" } }],
    ["a HEAD with a body's fields", { method: "HEAD", fields: { "x-forwarded-host": "evil" } }],
    ["a POST to the same URL", { method: "POST", fields: { "x-forwarded-host": "evil" }, body: "evil" }],
  ])("%s", async (_what, attack) => {
    await using opened = await host.open(echoSite());
    const { bodies, how } = await afterAttack(opened, { target: "/x", ...attack });
    expect(bodies).toEqual(await twice(host));
    expect(how).toMatch(/^hit/);
  });

  it("a POST whose response stands for later GETs", async () => {
    const handler: Handler = async (request, shown) => {
      const response = await echo(request, shown);
      response.headers.set("content-location", "/x");
      return response;
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    for (const attack of [
      { target: "/x#evil" },
      { fields: { "x-forwarded-host": "evil" } },
      { host: `evil@${SHOP}` },
      { fields: { "if-none-match": '"evil"' } },
      { fields: { cookie: "a=evil" } },
      { fields: { "x-http-method-override": "GET" } },
    ]) {
      const { bodies } = await afterAttack(opened, { method: "POST", target: "/x", body: "evil", ...attack });
      for (const body of bodies) expect(body).not.toContain("evil");
    }
  });

  it("a parameter that the option query removes", async () => {
    await using opened = await host.open(echoSite({ query: { remove: ["utm_*", "fbclid"], sort: true } }));
    for (const method of ["GET", "POST"]) {
      const { bodies, how } = await afterAttack(opened, { method, target: "/x?utm_source=evil&fbclid=evil" });
      expect(bodies).toEqual(await twice(host));
      expect(how).toMatch(/^hit/);
    }
  });

  it("a parameter that is cloaked in another one is part of the key", async () => {
    await using opened = await host.open(echoSite({ query: { remove: ["utm_*"] } }));
    for (const query of ["?a=1;utm_source=evil", "?a=1%26utm_source=evil", "?%75tm_source=evil", "?UTM_source=evil"]) {
      const { attacked, bodies, how } = await afterAttack(opened, { target: `/x${query}` });
      expect(attacked.body).toContain("evil");
      expect(bodies).toEqual(await twice(host));
      expect(how).toMatch(/^hit/);
    }
  });

  it("a field that the option unkeyedFields keeps from handlers", async () => {
    await using opened = await host.open(echoSite({ unkeyedFields: ["X-Own"] }));
    const { bodies, how } = await afterAttack(opened, { target: "/x", fields: { "x-own": "evil" } });
    expect(bodies).toEqual(await twice(host));
    expect(how).toMatch(/^hit/);
  });

  it.skipIf(!SERVED_HOSTS.includes(host))(
    "forwarded values that clients have put before those of the trusted proxy",
    async () => {
      const hosts = [SHOP, "other.example"];
      await using opened = await host.open(echoSite({ trustForwarded: ["proto", "host"], hosts }));
      const seen = (one: string) =>
        expect.stringMatching(new RegExp(`^GET https://${one}/x /x ${one} .* x-forwarded-host=${one}(?: |$)`));
      const get = (one: string, proto = "https") =>
        opened.send({ target: "/x", fields: { "x-forwarded-host": one, "x-forwarded-proto": proto } });
      for (let i = 0; i < 2; i++) {
        expect((await get(`evil.example, ${SHOP}`, "evil, https")).body).toEqual(seen(SHOP));
        expect((await get(SHOP)).body).toEqual(seen(SHOP));
        expect((await get("other.example")).body).toEqual(seen("other.example"));
      }
      expect((await get(SHOP)).how).toMatch(/^hit/);
      for (const bad of ["evil.example", `${SHOP}, evil.example`, `${SHOP}/x#`, `evil@${SHOP}`, `${SHOP}\t.evil`, ""]) {
        for (let i = 0; i < 2; i++) expect((await get(bad)).how).not.toMatch(/^hit|stored/);
      }
      for (const bad of ["evil", "javascript", "https://evil.example/?"]) {
        expect((await get(SHOP, bad)).how).not.toMatch(/^hit|stored/);
      }
      expect((await get(SHOP)).body).toEqual(seen(SHOP));
    },
  );

  it("a host that is not listed fills nothing", async () => {
    await using opened = await host.open(echoSite({ hosts: [SHOP] }));
    for (const evil of ["evil.example", `${SHOP}.evil.example`, `${SHOP}:81`, `evil.${SHOP}`]) {
      for (let i = 0; i < 2; i++) expect((await opened.send({ target: "/x", host: evil })).how).not.toMatch(/hit|stor/);
    }
    expect(await cache.keys("*")).toEqual([]);
  });
});

describe.each(HTTP1_HOSTS)("CWE-436, request lines that parsers read in several ways, through $name:", (host) => {
  it.each<[string, readonly string[]]>([
    ["absolute form with another Host", [`GET http://${SHOP}/x HTTP/1.1`, "Host: evil.example"]],
    ["absolute form with a port", [`GET http://${SHOP}:80/x HTTP/1.1`, `Host: ${SHOP}`]],
    ["absolute form in upper case", [`GET HTTP://SHOP.EXAMPLE/x HTTP/1.1`, `Host: ${SHOP}`]],
    ["absolute form of another host", ["GET http://evil.example/x HTTP/1.1", `Host: ${SHOP}`]],
    ["absolute form with user information", [`GET http://evil:evil@${SHOP}/x HTTP/1.1`, `Host: ${SHOP}`]],
    ["absolute form of another scheme", [`GET https://${SHOP}/x HTTP/1.1`, `Host: ${SHOP}`]],
    ["absolute form of no scheme of HTTP", [`GET ftp://evil.example/x HTTP/1.1`, `Host: ${SHOP}`]],
    ["authority form", ["GET evil.example:80 HTTP/1.1", `Host: ${SHOP}`]],
    ["two Host lines, the first one evil", ["GET /x HTTP/1.1", "Host: evil.example", `Host: ${SHOP}`]],
    ["two Host lines, the second one evil", ["GET /x HTTP/1.1", `Host: ${SHOP}`, "Host: evil.example"]],
    ["no Host line", ["GET /x HTTP/1.0", "X-Forwarded-Host: evil.example"]],
    ["an empty Host line", ["GET /x HTTP/1.1", "Host:"]],
    ["a Host with a path", ["GET /x HTTP/1.1", `Host: ${SHOP}/evil`]],
    ["a Host with a query", ["GET /x HTTP/1.1", `Host: ${SHOP}?evil`]],
    ["a Host with a fragment", ["GET /x HTTP/1.1", `Host: ${SHOP}#evil`]],
    ["a Host with white space", ["GET /x HTTP/1.1", `Host: ${SHOP} evil`]],
    ["a Host list", ["GET /x HTTP/1.1", `Host: ${SHOP}, evil.example`]],
    ["a Host on a folded line", ["GET /x HTTP/1.1", `Host: ${SHOP}`, " evil.example"]],
    ["a Host with white space before its colon", ["GET /x HTTP/1.1", "Host : evil.example", `Host: ${SHOP}`]],
    ["dot segments of the raw line", ["GET /evil/../x HTTP/1.1", `Host: ${SHOP}`]],
    ["a tab in the path", ["GET /\tx HTTP/1.1", `Host: ${SHOP}`]],
    ["a control character in the path", ["GET /\u0001x HTTP/1.1", `Host: ${SHOP}`]],
    ["a byte above ASCII in the path", ["GET /\u00e9/../x HTTP/1.1", `Host: ${SHOP}`]],
    ["a control character in a field", ["GET /x HTTP/1.1", `Host: ${SHOP}`, "X-Forwarded-Host: \u0001evil"]],
    ["a line end within a field", ["GET /x HTTP/1.1", `Host: ${SHOP}`, "X-Own: a\rX-Forwarded-Host: evil"]],
    ["a field name with an underscore", ["GET /x HTTP/1.1", `Host: ${SHOP}`, "X_Forwarded_Host: evil"]],
    ["the path *", ["GET * HTTP/1.1", `Host: ${SHOP}`]],
  ])("%s", async (_what, lines) => {
    await using opened = await host.open(echoSite());
    await rawServer(opened).sendText(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
    const victims = [await opened.send({ target: "/x" }), await opened.send({ target: "/x" })];
    expect(victims.map(({ body }) => body)).toEqual(await twice(host));
    expect(victims[1]?.how).toMatch(/^hit/);
  });
});

describe.each(HTTP2_HOSTS)("CWE-436, pseudo-fields that say something else than the fields, through $name:", (host) => {
  it.each<[string, Record<string, string>]>([
    ["another host", { host: "evil.example" }],
    ["another :authority", { ":authority": "evil.example", host: SHOP }],
    ["another :scheme", { ":scheme": "https" }],
    ["a :path with a fragment", { ":path": "/x#evil" }],
    ["a :path in absolute form", { ":path": `http://evil.example/x` }],
    ["a :path with two slashes", { ":path": "//evil.example/x" }],
    ["an :authority with user information", { ":authority": `evil@${SHOP}` }],
    ["an :authority with a path", { ":authority": `${SHOP}/evil` }],
  ])("%s", async (_what, fields) => {
    await using opened = await host.open(echoSite());
    const { bodies, how } = await afterAttack(opened, { target: "/x", fields });
    expect(bodies).toEqual(await twice(host));
    expect(how).toMatch(/^hit/);
  });
});

const OVERSIZED: Attack = { fields: { "x-own": "x".repeat(7_000) } };
const OWN: Attack = { fields: { "x-own": "x" } };
type Refused = [what: string, attack: Attack, status: number, said: Record<string, string>];

const REFUSED: Cases<Refused> = {
  all: [
    ["an oversized field that the application refuses", OVERSIZED, 431, FRESH],
    ["a meta character that is answered with 400", { fields: { "x-own": "\\x07\\" } }, 400, {}],
    ["an overridden method that is answered with 405", { fields: { "x-http-method-override": "HELP" } }, 405, FRESH],
    ["an error of the server", OWN, 500, {}],
  ],
  engine: [
    ["an oversized field that is answered with 400", OVERSIZED, 400, {}],
    ["an oversized field that is answered with 413", OVERSIZED, 413, FRESH],
    ["an overridden method that is answered with 404", { fields: { "x-method-override": "PUT" } }, 404, FRESH],
    ["an error that is not implemented", OWN, 501, {}],
    ["an error marked public, without a lifetime", OWN, 404, { "cache-control": "public" }],
  ],
};

describe.each(HTTP_HOSTS)("CPDoS, poisoning by an error of one request, through $name:", (host) => {
  it.each(casesOf(host, REFUSED))("%s", async (_what, attack, status, headers) => {
    // Lifetimes that an option gives are for no errors.
    const lifetimes: SiteOptions = { defaultTtl: "1h", cacheControl: "max-age=60" };
    const handler: Handler = (request) => {
      const isBad = [...OVERRIDES, "x-own"].some((name) => request.headers.has(name));
      return isBad ? text("error", status, headers) : text("page", 200, FRESH);
    };
    const options = { awaitBackground: true, retryAfter: 0, ...lifetimes };
    await using opened = await host.open({ cache, handler, options });
    const { attacked, bodies, how } = await afterAttack(opened, { target: "/x", ...attack });
    expect(attacked.status).toBe(status);
    expect(bodies).toEqual(["page", "page"]);
    expect(how).toMatch(/^hit/);
  });
});
