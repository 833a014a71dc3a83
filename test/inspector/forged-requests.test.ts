import { describe, expect, it } from "vitest";
import { openCache, pageFields, serveInspector } from "./app.js";

const BODY = JSON.stringify({ by: "key", key: "a" });

async function open() {
  const cache = openCache();
  await cache.set("a", 1);
  const base = `${await serveInspector({ cache, allowChanges: true })}/cache`;
  const purge = (headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer> = BODY): Promise<Response> =>
    fetch(`${base}/api/purge`, { method: "POST", headers, body });
  return { cache, base, purge };
}

/** The fields of a page, without some and with others. */
async function fieldsBut(base: string, others: Record<string, string | undefined>): Promise<Record<string, string>> {
  const all = { ...(await pageFields(base)), ...others };
  return Object.fromEntries(Object.entries(all).filter((field): field is [string, string] => field[1] !== undefined));
}

describe("a purge by the inspector", () => {
  it("is done for a request of its own page", async () => {
    const { cache, base, purge } = await open();
    const response = await purge(await pageFields(base));
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"done"')]);
    expect(await cache.get("a")).toBeUndefined();
  });

  it.each<[string, Record<string, string | undefined>]>([
    ["without a token", { "x-csrf-token": undefined }],
    ["with an empty token", { "x-csrf-token": "" }],
    [
      "with a token of the right form that is not the browser's",
      { "x-csrf-token": `AAAAAAAAAAAAAAAA.${"A".repeat(43)}=` },
    ],
    ["without the cookie", { cookie: undefined }],
    ["with another cookie", { cookie: `valkey-edge-cache-inspector=${"A".repeat(32)}` }],
    ["with a cookie of another form", { cookie: "valkey-edge-cache-inspector=x" }],
    ["from another site", { "sec-fetch-site": "cross-site" }],
    ["from another origin of the site", { "sec-fetch-site": "same-site" }],
    ["that a user has typed", { "sec-fetch-site": "none" }],
    ["from another origin, without Sec-Fetch-Site", { "sec-fetch-site": undefined, origin: "https://evil.example" }],
    ["from another port, without Sec-Fetch-Site", { "sec-fetch-site": undefined, origin: "http://127.0.0.1:1" }],
    ["from a sandboxed frame, without Sec-Fetch-Site", { "sec-fetch-site": undefined, origin: "null" }],
    ["without Origin and Sec-Fetch-Site", { "sec-fetch-site": undefined, origin: undefined }],
    ["with the content type of a form", { "content-type": "application/x-www-form-urlencoded" }],
    ["with the content type of text, which needs no preflight", { "content-type": "text/plain; application/json" }],
    ["without a content type", { "content-type": undefined }],
  ])("is refused %s", async (_how, others) => {
    const { cache, base, purge } = await open();
    // A body of bytes, as fetch gives text a content type.
    const response = await purge(await fieldsBut(base, others), new TextEncoder().encode(BODY));
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/; (send|load) /) });
    expect(await cache.get("a")).toBe(1);
  });

  it("is done by Origin alone, as browsers leave Sec-Fetch-Site out over plain HTTP", async () => {
    const { base, purge } = await open();
    expect((await purge(await fieldsBut(base, { "sec-fetch-site": undefined }))).status).toBe(200);
  });

  it("is refused as a GET, a PUT, and as a form that a page of another site submits", async () => {
    const { cache, base } = await open();
    const headers = await pageFields(base);
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const response = await fetch(`${base}/api/purge`, {
        method,
        headers,
        ...(method === "GET" ? {} : { body: BODY }),
      });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    }
    const form = { "content-type": "text/plain", cookie: headers.cookie ?? "", "sec-fetch-site": "cross-site" };
    expect((await fetch(`${base}/api/purge`, { method: "POST", headers: form, body: `${BODY}=` })).status).toBe(403);
    expect(await cache.get("a")).toBe(1);
  });

  it("has a token of its own for each page, all of which hold for the browser's one cookie", async () => {
    const { base, purge } = await open();
    const first = await pageFields(base);
    const second = await fetch(`${base}/api/info`, { headers: { cookie: first.cookie ?? "" } });
    const { token } = (await second.json()) as { token: string };
    expect(token).not.toBe(first["x-csrf-token"]);
    expect(second.headers.get("set-cookie")?.split(";", 1)[0]).toBe(first.cookie);
    expect((await purge(first)).status).toBe(200);
    expect((await purge({ ...first, "x-csrf-token": token })).status).toBe(200);
  });

  it("is refused with the token of another browser", async () => {
    const { base, purge } = await open();
    const [one, other] = [await pageFields(base), await pageFields(base)];
    expect((await purge({ ...one, "x-csrf-token": other["x-csrf-token"] ?? "" })).status).toBe(403);
  });

  it("is checked by any process of a fleet, also by one that has not issued the token", async () => {
    const one = await open();
    const other = await open();
    const headers = await pageFields(one.base);
    expect((await other.purge({ ...headers, origin: new URL(other.base).origin })).status).toBe(200);
  });

  it("has a cookie that no script reads, that no other site sends, and that needs HTTPS where the page has it", async () => {
    const { base } = await open();
    const plain = await fetch(`${base}/api/info`);
    expect(plain.headers.get("set-cookie")).toMatch(
      /^valkey-edge-cache-inspector=[\w+/]{32}; HttpOnly; SameSite=Strict$/,
    );
    const secure = await fetch(`${base}/api/info`, { headers: { "x-forwarded-proto": "https" } });
    expect(secure.headers.get("set-cookie")).toMatch(
      /^__Secure-valkey-edge-cache-inspector=[\w+/]{32}; HttpOnly; SameSite=Strict; Secure$/,
    );
  });

  it("is previewed by a POST that is checked in the same way", async () => {
    const { base } = await open();
    const preview = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${base}/api/preview`, { method: "POST", headers, body: BODY });
    expect((await preview(await fieldsBut(base, { "x-csrf-token": undefined }))).status).toBe(403);
    expect((await preview(await fieldsBut(base, { "sec-fetch-site": "cross-site" }))).status).toBe(403);
    expect((await preview(await pageFields(base))).status).toBe(200);
  });
});
