import { describe, expect, inject, it, onTestFinished } from "vitest";
import { createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { until } from "../support/wait.js";
import { how, startSite, testFetch } from "./site.js";

/** Shows the credentials that it got. @param control Cache-Control of all responses */
function mirror(control = "max-age=60") {
  return startSite(({ headers }, response) => {
    const shown = [headers.authorization, headers["x-api-key"], headers.cookie].map((value) => value ?? "-").join();
    response.writeHead(200, { "cache-control": control }).end(shown);
  });
}

const as = (authorization: string) => ({ headers: { authorization } });

describe("a call with credentials", () => {
  it("is not stored unless the response says that it may be shared. RFC 9111 §3.5", async () => {
    const site = await mirror();
    const fetch = testFetch({ credentialFields: ["X-Api-Key"] });
    for (const headers of [{ authorization: "a" }, { "x-api-key": "a" }, { cookie: "a=b" }]) {
      for (const _ of [1, 2]) expect(how(await fetch(site.url, { headers }))).not.toMatch(/hit|stored/);
    }
    const open = await mirror("public, max-age=60");
    await (await fetch(open.url, as("a"))).text();
    expect(how(await fetch(open.url, as("a")))).toMatch(/^hit/);
  });
});

describe("credentialsInKey", () => {
  const names = ["Authorization", "X-Api-Key", "Cookie"];

  it("stores a response for calls with the same credentials alone", async () => {
    const site = await mirror();
    const fetch = testFetch({ credentialsInKey: names });
    const calls: Record<string, string>[] = [
      {},
      { authorization: "a" },
      { authorization: "b" },
      { "x-api-key": "a" },
      { authorization: "a", "x-api-key": "b" },
      { authorization: "a, b" },
      { authorization: "a ,b" },
      { authorization: "a,b" },
      { authorization: "" },
      { cookie: "a=b" },
      { authorization: "a 1:a" },
    ];
    const shown = ({ authorization, "x-api-key": key, cookie }: Record<string, string>) =>
      [authorization, key, cookie].map((value) => value ?? "-").join();
    for (const headers of calls) {
      const response = await fetch(site.url, { headers });
      expect([await response.text(), how(response)]).toEqual([shown(headers), expect.not.stringMatching(/^hit/)]);
      expect(response.headers.get("vary")).toBeNull();
    }
    for (const headers of calls.toReversed()) {
      const response = await fetch(site.url, { headers });
      expect([await response.text(), how(response)]).toEqual([shown(headers), expect.stringMatching(/^hit/)]);
    }
    expect(site.asked).toHaveLength(calls.length);
  });

  it("has one call of many with the same credentials go to the origin", async () => {
    const site = await startSite((_request, response) => {
      setTimeout(() => response.writeHead(200, { "cache-control": "max-age=60" }).end("page"), 50);
    });
    const fetch = testFetch({ credentialsInKey: names });
    await Promise.all(Array.from({ length: 20 }, async () => (await fetch(site.url, as("a"))).text()));
    expect(site.asked).toHaveLength(1);
  });

  it("sends the credentials with a background refresh, which stores the response for the same calls", async () => {
    const site = await mirror("max-age=0, stale-while-revalidate=60");
    const fetch = testFetch({ credentialsInKey: names });
    await (await fetch(site.url, as("a"))).text();
    await (await fetch(site.url, as("b"))).text();
    expect(how(await fetch(site.url, as("a")))).toMatch(/^hit; ttl=-/);
    await until(() => site.asked.length === 3, { what: "the refresh" });
    expect(site.requests.at(-1)?.headers.authorization).toBe("a");
    for (const name of ["a", "b"]) expect(await (await fetch(site.url, as(name))).text()).toBe(`${name},-,-`);
  });

  it("has a purge of the URL, and an unsafe request with any credentials, end the responses of all", async () => {
    const site = await mirror();
    const fetch = testFetch({ credentialsInKey: names });
    const fill = async () => {
      for (const name of ["a", "b"]) await (await fetch(site.url, as(name))).text();
    };
    await fill();
    expect(await fetch.purge(site.url)).toBeGreaterThan(0);
    expect(how(await fetch(site.url, as("a")))).toContain("uri-miss");
    await fill();
    await (await fetch(site.url, { method: "POST", ...as("c") })).text();
    for (const name of ["a", "b"]) expect(how(await fetch(site.url, as(name)))).toMatch(/miss/);
  });

  it("keeps private responses, and those stored without credentials in the key, from calls with them", async () => {
    const site = await mirror("private, max-age=60");
    const cache = createCache({ location: "memory:", keyPrefix: ownPrefix() });
    onTestFinished(() => cache.close());
    const fetch = testFetch({ cache, credentialsInKey: names });
    for (const _ of [1, 2]) expect(how(await fetch(site.url, as("a")))).not.toMatch(/hit|stored/);
    const open = await mirror("public, max-age=60");
    const before = testFetch({ cache });
    await (await before(open.url, as("first"))).text();
    expect(await (await fetch(open.url, as("a"))).text()).toBe("a,-,-");
    expect(await (await fetch(open.url)).text()).toBe("-,-,-");
  });

  it("leaves neither a credential nor its value in the store", async () => {
    const site = await startSite((_request, response) => {
      response.writeHead(200, { "cache-control": "max-age=60" }).end("page");
    });
    const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: ownPrefix() });
    onTestFinished(() => cache.close());
    const fetch = testFetch({ cache, credentialsInKey: names });
    await (await fetch(site.url, as("Bearer s3cr3t-token"))).text();
    await until(async () => (await cache.keys("*")).length > 1, { what: "an index and a response" });
    const keys = await cache.keys("*");
    const stored = await cache.connection.send(keys.map((key) => ["GET", String(cache.makeKey(key))]));
    const all = [...keys, ...stored.map((value) => new TextDecoder("latin1").decode(value as Uint8Array))].join("\n");
    expect(all).toContain("page");
    expect(all).not.toContain("s3cr3t");
  });
});
