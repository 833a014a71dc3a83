import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Cache } from "../../src/index.js";
import { until } from "../support/wait.js";
import type { Handler } from "./host.js";
import { HTTP_HOSTS, REFRESHING_HOSTS, SERVED_HOSTS } from "./hosts.js";
import { FRESH, newCache, STALE, text } from "./replies.js";

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

describe.each(HTTP_HOSTS)("$name, once a response is stale,", (host) => {
  it("serves it under stale-while-revalidate, and the refreshed one later", async () => {
    let runs = 0;
    const handler: Handler = () => text(`page ${++runs}`, 200, STALE);
    await using opened = await host.open({ cache, handler });
    await opened.send();
    const seen = new Set<string>();
    await until(
      async () => {
        const { how, body } = await opened.send();
        if (/^hit; ttl=-/.test(how)) seen.add(body);
        return seen.size > 2;
      },
      { what: "three responses that were stale" },
    );
    expect(opened.errors).toEqual([]);
  });

  it.skipIf(!SERVED_HOSTS.includes(host))("has it validated by the handler, which may answer 304", async () => {
    const asked: string[] = [];
    const handler: Handler = (_request, shown) => {
      const [known] = shown.values("if-none-match");
      asked.push(known ?? "none");
      const said = { "cache-control": "no-cache", etag: '"1"', "x-run": String(asked.length) };
      return known === '"1"' ? new Response(null, { status: 304, headers: said }) : text("page", 200, said);
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    expect(await opened.send()).toMatchObject({ body: "page", how: "fwd=uri-miss; stored" });
    const again = await opened.send({ fields: { "if-none-match": '"2"' } });
    expect(again).toMatchObject({ status: 200, body: "page", how: "fwd=stale; fwd-status=304; stored" });
    expect(again.headers.get("x-run")).toBe("2");
    expect(await opened.send({ fields: { "if-none-match": '"1"' } })).toMatchObject({ status: 304, body: "" });
    expect(asked).toEqual(["none", '"1"', '"1"']);
  });

  it("replaces it where the handler has another one", async () => {
    let runs = 0;
    const handler: Handler = () => text(`page ${++runs}`, 200, { ...FRESH, etag: `"${runs}"` });
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    await opened.send();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect(await opened.send()).toMatchObject({ body: "page 2", how: "fwd=stale; stored" });
    expect(await opened.send()).toMatchObject({ body: "page 2", how: expect.stringMatching(/^hit/) });
  });

  it.each<[string, () => Response]>([
    ["answers 503", () => text("down", 503)],
    [
      "throws",
      () => {
        throw new Error("down");
      },
    ],
  ])("serves it under stale-if-error where the handler %s", async (_what, fail) => {
    let isDown = false;
    const handler: Handler = (_request, { path }) => {
      if (isDown) return fail();
      const control = path === "/strict" ? "max-age=0, must-revalidate" : "max-age=0, stale-if-error=60";
      return text("page", 200, { "cache-control": control, etag: '"1"' });
    };
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true, retryAfter: 0 } });
    for (const target of ["/", "/strict"]) await opened.send({ target });
    isDown = true;
    expect(await opened.send()).toMatchObject({ status: 200, body: "page", how: expect.stringMatching(/^hit; ttl=-/) });
    expect((await opened.send({ target: "/strict" })).status).toBeGreaterThanOrEqual(500);
    isDown = false;
    expect((await opened.send({ target: "/strict" })).body).toBe("page");
  });
});

describe.each(REFRESHING_HOSTS)("a background refresh of $name", (host) => {
  it("asks for the same target, with what selects the response, and nothing else of the client's", async () => {
    const asked: string[][] = [];
    const names = ["host", "accept-language", "x-own", "cookie", "authorization", "if-none-match", "range"];
    const handler: Handler = ({ method, url }, shown) => {
      const fields = names.flatMap((name) =>
        shown
          .values(name)
          .slice(0, 1)
          .map((value) => `${name}: ${value}`),
      );
      asked.push([`${method} ${url}`, ...fields]);
      return text(`page ${asked.length}`, 200, { ...STALE, vary: "accept-language", etag: `"${asked.length}"` });
    };
    await using opened = await host.open({ cache, handler });
    const language = { "accept-language": "de" };
    await opened.send({ target: "/a?b=c", fields: language });
    await until(async () => (await cache.keys("*")).length > 0, { what: "the first response" });
    const fields = { ...language, "x-own": "mine", "if-none-match": '"0"', range: "bytes=0-0" };
    await until(async () => (await opened.send({ target: "/a?b=c", fields })).how.startsWith("hit"), { what: "a hit" });
    await until(() => asked.length > 1, { what: "the refresh" });
    const target = "GET http://shop.example/a?b=c";
    const common = ["host: shop.example", "accept-language: de"];
    expect(asked[1]).toEqual([target, ...common, 'if-none-match: "1"']);
  });

  it("keeps its client waiting for nothing, and others get the stale response meanwhile", async () => {
    let runs = 0;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const handler: Handler = async () => {
      if (++runs > 1) await ended;
      return text(`page ${runs}`, 200, STALE);
    };
    await using opened = await host.open({ cache, handler });
    await opened.send();
    await until(async () => (await opened.send()).body === "page 1" && runs === 2, { what: "the refresh to begin" });
    for (let i = 0; i < 5; i++) expect((await opened.send()).body).toBe("page 1");
    end();
    await until(async () => (await opened.send()).body !== "page 1", { what: "the refreshed response" });
  });

  it("that fails leaves the stale response, and reports no error of the cache's", async () => {
    let runs = 0;
    const handler: Handler = () => {
      if (++runs > 1) throw new Error("down");
      return text("page", 200, STALE);
    };
    await using opened = await host.open({ cache, handler });
    await opened.send();
    await until(async () => (await opened.send()).body === "page" && runs > 1, { what: "the refresh" });
    for (let i = 0; i < 5; i++) expect((await opened.send()).body).toBe("page");
    expect(runs).toBe(2);
  });
});
