import { randomUUID } from "node:crypto";
import type { Context } from "hono";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { HttpCacheOptions } from "../../src/hono/index.js";
import { UNKEYED_FIELDS } from "../../src/http/rfc/admission.js";
import { type Cache, createCache } from "../../src/index.js";
import { testApp, toGot } from "../hono/app.js";
import { ATTACK_HOSTS, type Attack, type Opened, OVER_HTTP1, OVER_HTTP2, SHOP } from "./hosts.js";

const FRESH = { "cache-control": "public, max-age=60" };

let cache: Cache;

beforeEach(() => {
  cache = createCache({ location: inject("valkeyUrl"), keyPrefix: randomUUID() });
});

afterEach(() => cache.close());

const OVERRIDES = ["x-http-method", "x-http-method-override", "x-method-override"];
const CONDITIONS = ["if-none-match", "if-modified-since", "range"];

/** A handler that shows all that it sees of the target, and every field that must not reach it. */
const echo = (c: Context) => {
  const fields = [...UNKEYED_FIELDS, ...OVERRIDES, ...CONDITIONS, "x-own", "cookie"].flatMap((name) => {
    const value = c.req.header(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  const target = [c.req.method, c.req.url, c.req.raw.url, c.req.path, c.req.header("host")];
  return c.text([...target, JSON.stringify(c.req.query()), ...fields].join(" "), 200, FRESH);
};

const PAGE = `GET http://${SHOP}/x http://${SHOP}/x /x ${SHOP} {}`;

function echoApp(options: HttpCacheOptions = {}) {
  const test = testApp(cache, { awaitBackground: true, ...options });
  test.app.all("*", echo);
  return test.app;
}

/** Attacks, and asks twice as a client that sends nothing but the target. The second answer must come from the store. */
async function afterAttack({ send }: Opened, attack: Attack) {
  const attacked = await send(attack);
  const victims = [await send({ target: "/x" }), await send({ target: "/x" })];
  return { attacked, bodies: victims.map(({ body }) => body), how: victims[1]?.how };
}

const UNKEYED: Attack["fields"] = Object.fromEntries([...UNKEYED_FIELDS].map((name) => [name, "evil.example"]));

describe.each(ATTACK_HOSTS)("CWE-349, poisoning by input outside the key, through $name:", (host) => {
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
    await using opened = await host.open(echoApp());
    const { bodies, how } = await afterAttack(opened, { target: "/x", ...attack });
    expect(bodies).toEqual([PAGE, PAGE]);
    expect(how).toMatch(/^hit/);
  });

  it("a POST whose response stands for later GETs", async () => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.all("*", async (c) => {
      const response = await echo(c);
      response.headers.set("content-location", "/x");
      return response;
    });
    await using opened = await host.open(app);
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
    await using opened = await host.open(echoApp({ query: { remove: ["utm_*", "fbclid"], sort: true } }));
    for (const method of ["GET", "POST"]) {
      const { bodies, how } = await afterAttack(opened, { method, target: "/x?utm_source=evil&fbclid=evil" });
      expect(bodies).toEqual([PAGE, PAGE]);
      expect(how).toMatch(/^hit/);
    }
  });

  it("a parameter that is cloaked in another one is part of the key", async () => {
    await using opened = await host.open(echoApp({ query: { remove: ["utm_*"] } }));
    for (const query of ["?a=1;utm_source=evil", "?a=1%26utm_source=evil", "?%75tm_source=evil", "?UTM_source=evil"]) {
      const { attacked, bodies, how } = await afterAttack(opened, { target: `/x${query}` });
      expect(attacked.body).toContain("evil");
      expect(bodies).toEqual([PAGE, PAGE]);
      expect(how).toMatch(/^hit/);
    }
  });

  it("a field that the option unkeyedFields keeps from handlers", async () => {
    await using opened = await host.open(echoApp({ unkeyedFields: ["X-Own"] }));
    const { bodies, how } = await afterAttack(opened, { target: "/x", fields: { "x-own": "evil" } });
    expect(bodies).toEqual([PAGE, PAGE]);
    expect(how).toMatch(/^hit/);
  });

  it("forwarded values that clients have put before those of the trusted proxy", async () => {
    const hosts = [SHOP, "other.example"];
    await using opened = await host.open(echoApp({ trustForwarded: ["proto", "host"], hosts }));
    const seen = (one: string) => `GET https://${one}/x https://${one}/x /x ${one} {} x-forwarded-host=${one}`;
    const get = (one: string, proto = "https") =>
      opened.send({ target: "/x", fields: { "x-forwarded-host": one, "x-forwarded-proto": proto } });
    for (let i = 0; i < 2; i++) {
      expect((await get(`evil.example, ${SHOP}`, "evil, https")).body).toContain(seen(SHOP));
      expect((await get(SHOP)).body).toContain(seen(SHOP));
      expect((await get("other.example")).body).toContain(seen("other.example"));
    }
    expect((await get(SHOP)).how).toMatch(/^hit/);
    for (const bad of ["evil.example", `${SHOP}, evil.example`, `${SHOP}/x#`, `evil@${SHOP}`, `${SHOP}\t.evil`, ""]) {
      for (let i = 0; i < 2; i++) expect((await get(bad)).how).not.toMatch(/^hit|stored/);
    }
    for (const bad of ["evil", "javascript", "https://evil.example/?"]) {
      expect((await get(SHOP, bad)).how).not.toMatch(/^hit|stored/);
    }
    expect((await get(SHOP)).body).toContain(seen(SHOP));
  });

  it("a host that is not listed fills nothing", async () => {
    await using opened = await host.open(echoApp({ hosts: [SHOP] }));
    for (const evil of ["evil.example", `${SHOP}.evil.example`, `${SHOP}:81`, `evil.${SHOP}`]) {
      for (let i = 0; i < 2; i++) expect((await opened.send({ target: "/x", host: evil })).how).not.toMatch(/hit|stor/);
    }
    expect(await cache.keys("*")).toEqual([]);
  });
});

describe("CWE-436, request lines that parsers read in several ways, over HTTP/1.1:", () => {
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
    await using opened = await OVER_HTTP1.open(echoApp());
    await opened.sendText(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
    const victims = [await opened.send({ target: "/x" }), await opened.send({ target: "/x" })];
    expect(victims.map(({ body }) => body)).toEqual([PAGE, PAGE]);
    expect(victims[1]?.how).toMatch(/^hit/);
  });
});

describe("CWE-436, pseudo-fields that say something else than the fields, over HTTP/2:", () => {
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
    await using opened = await OVER_HTTP2.open(echoApp());
    const { bodies, how } = await afterAttack(opened, { target: "/x", fields });
    expect(bodies).toEqual([PAGE, PAGE]);
    expect(how).toMatch(/^hit/);
  });
});

describe.each(ATTACK_HOSTS)("CPDoS, poisoning by an error of one request, through $name:", (host) => {
  it.each<[string, Attack, 400 | 404 | 405 | 413 | 414 | 431 | 500 | 501, Record<string, string>]>([
    ["an oversized field that the application refuses", { fields: { "x-own": "x".repeat(7_000) } }, 431, FRESH],
    ["an oversized field that is answered with 400", { fields: { "x-own": "x".repeat(7_000) } }, 400, {}],
    ["an oversized field that is answered with 413", { fields: { "x-own": "x".repeat(7_000) } }, 413, FRESH],
    ["a meta character that is answered with 400", { fields: { "x-own": "\\x07\\" } }, 400, {}],
    ["an overridden method that is answered with 405", { fields: { "x-http-method-override": "HELP" } }, 405, FRESH],
    ["an overridden method that is answered with 404", { fields: { "x-method-override": "PUT" } }, 404, FRESH],
    ["an error of the server", { fields: { "x-own": "x" } }, 500, {}],
    ["an error that is not implemented", { fields: { "x-own": "x" } }, 501, {}],
    ["an error marked public, without a lifetime", { fields: { "x-own": "x" } }, 404, { "cache-control": "public" }],
  ])("%s", async (_what, attack, status, headers) => {
    // Lifetimes that an option gives are for no errors.
    const options: HttpCacheOptions = { defaultTtl: "1h", cacheControl: "max-age=60" };
    const { app } = testApp(cache, { awaitBackground: true, retryAfter: 0, ...options });
    app.all("*", (c) => {
      const isBad = [...OVERRIDES, "x-own"].some((name) => c.req.header(name) !== undefined);
      return isBad ? c.text("error", status, headers) : c.text("page", 200, FRESH);
    });
    await using opened = await host.open(app);
    const { attacked, bodies, how } = await afterAttack(opened, { target: "/x", ...attack });
    expect(attacked.status).toBe(status);
    expect(bodies).toEqual(["page", "page"]);
    expect(how).toMatch(/^hit/);
  });
});

it.each(["/evil/../x", "/evil/%2e%2e/x", "/evil/..\\x", "/x/../evil/../x"])(
  "CWE-436, %s, handed over by a server as it came, gives no client another path's page",
  async (path) => {
    const { app } = testApp(cache, { awaitBackground: true });
    app.get("/evil/*", (c) => c.text("evil", 200, FRESH));
    app.get("/x", (c) => c.text("page", 200, FRESH));
    app.get("/x/*", (c) => c.text("evil", 200, FRESH));
    const asItCame = Object.defineProperty(new Request(`http://${SHOP}/x`), "url", { value: `http://${SHOP}${path}` });
    for (let i = 0; i < 2; i++) {
      expect((await toGot(await app.fetch(asItCame))).how).toBe("fwd=bypass");
      expect((await toGot(await app.request(`http://${SHOP}/x`))).body).toBe("page");
    }
    expect((await toGot(await app.request(`http://${SHOP}/x`))).how).toMatch(/^hit/);
  },
);
