import { describe, expect, it } from "vitest";
import { how, type Page, startSite, testFetch } from "./site.js";

const FRESH = { "cache-control": "max-age=60" };

/** `/301/to/b` redirects to `/to/b`. Other paths show what they are. */
const redirecting: Page = (request, response) => {
  const [, status = "", rest = ""] = /^\/(\d{3})(\/.*|:.*)$/.exec(request.url ?? "") ?? [];
  if (status === "") response.writeHead(200, FRESH).end(`${request.method} ${request.url}`);
  else response.writeHead(Number(status), { ...FRESH, location: rest.startsWith(":") ? rest.slice(1) : rest }).end();
};

describe("a cached fetch follows redirects", () => {
  it.each([301, 302, 303, 307, 308])("with status %i, each URL with a response of its own", async (status) => {
    const site = await startSite(redirecting);
    const fetch = testFetch();
    for (const _ of [1, 2]) {
      const response = await fetch(`${site.url}/${status}/a?b#c`);
      const { url, redirected, status: last } = response;
      expect({ url, redirected, last }).toEqual({ url: `${site.url}/a?b`, redirected: true, last: 200 });
      expect(await response.text()).toBe("GET /a?b");
    }
    expect(how(await fetch(`${site.url}/a?b`))).toContain("hit");
    expect(site.asked).toEqual([`GET /${status}/a?b`, "GET /a?b"]);
    expect(await (await fetch(`${site.url}/${status}/a?b`, { method: "HEAD" })).text()).toBe("");
    expect(site.asked).toHaveLength(2);
  });

  it("up to 20 of them", async () => {
    const site = await startSite(redirecting);
    const fetch = testFetch();
    const chain = (length: number) => `${site.url}${"/302".repeat(length)}/a`;
    expect(await (await fetch(chain(20))).text()).toBe("GET /a");
    await expect(fetch(chain(21))).rejects.toThrow("after 20 other redirects");
  });

  it('not with redirect: "manual", and rejects with "error", stored or not', async () => {
    const site = await startSite(redirecting);
    const fetch = testFetch();
    for (const _ of [1, 2]) {
      const response = await fetch(`${site.url}/301/a`, { redirect: "manual" });
      const { status, redirected, url } = response;
      expect({ status, redirected, url }).toEqual({ status: 301, redirected: false, url: `${site.url}/301/a` });
      expect(response.headers.get("location")).toBe("/a");
      await expect(fetch(`${site.url}/302/a`, { redirect: "error" })).rejects.toThrow(TypeError);
    }
    expect(site.asked).toEqual(["GET /301/a", "GET /302/a"]);
  });

  it.each([":data:text/plain,a", ":http://user:pass@127.0.0.1/", ":http://["])("but not to %s", async (to) => {
    const site = await startSite(redirecting);
    await expect(testFetch()(`${site.url}/302${to}`)).rejects.toThrow(TypeError);
  });

  it("without credentials to another origin, and with them to its own", async () => {
    const other = await startSite(redirecting);
    const site = await startSite((request, response) => {
      if (request.url === "/own") response.writeHead(302, { location: "/a" }).end();
      else if (request.url === "/other") response.writeHead(302, { location: `${other.url}/a` }).end();
      else redirecting(request, response);
    });
    const headers = { authorization: "secret", "x-api-key": "secret", cookie: "a=b", "x-own": "1" };
    for (const fetch of [
      testFetch({ credentialFields: ["X-Api-Key"] }),
      testFetch({ credentialsInKey: ["X-Api-Key"] }),
    ]) {
      await (await fetch(`${site.url}/own`, { headers: { ...headers, cookie: "" } })).text();
      expect(site.requests.at(-1)).toMatchObject({
        url: "/a",
        headers: { authorization: "secret", "x-api-key": "secret" },
      });
      await (
        await fetch(`${site.url}/other`, { headers: { authorization: "secret", "x-api-key": "secret", "x-own": "1" } })
      ).text();
      const seen = other.requests.at(-1)?.headers;
      expect([seen?.authorization, seen?.["x-api-key"], seen?.["x-own"]]).toEqual([undefined, undefined, "1"]);
    }
  });

  it("of unsafe requests as fetch does, and invalidates the URL that was asked", async () => {
    const site = await startSite(redirecting);
    const fetch = testFetch();
    for (const path of ["/303/a", "/a"]) await (await fetch(`${site.url}${path}`)).text();
    const response = await fetch(`${site.url}/303/a`, { method: "POST", body: "x" });
    const { url, redirected } = response;
    expect({ url, redirected, text: await response.text() }).toEqual({
      url: `${site.url}/a`,
      redirected: true,
      text: "GET /a",
    });
    for (const path of ["/303/a", "/a"])
      expect(how(await fetch(`${site.url}${path}`, { redirect: "manual" }))).toContain("uri-miss");
  });

  it("of a POST, and stores nothing that another URL says of the first one", async () => {
    const other = await startSite((_request, response) => {
      response.writeHead(200, { ...FRESH, "content-location": `${site.url}/b` }).end("evil");
    });
    const site = await startSite((request, response) => {
      if (request.method === "POST") response.writeHead(307, { location: other.url }).end();
      else response.writeHead(200, FRESH).end("good");
    });
    const fetch = testFetch();
    expect(await (await fetch(`${site.url}/b`, { method: "POST", body: "x" })).text()).toBe("evil");
    expect(await (await fetch(`${site.url}/b`)).text()).toBe("good");
  });
});
