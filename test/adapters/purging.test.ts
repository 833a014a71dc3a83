import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import { until } from "../support/wait.js";
import { type Attack, type Handler, type Opened, SHOP, type SiteOptions } from "./host.js";
import { HTTP_HOSTS } from "./hosts.js";
import { FRESH, newCache, text } from "./replies.js";

const URL_OF_PAGE = `http://${SHOP}/`;

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

const isStored = async ({ send }: Opened, attack: Attack = {}): Promise<boolean> =>
  (await send({ ...attack, fields: { ...attack.fields, "cache-control": "only-if-cached" } })).status === 200;

describe.each(HTTP_HOSTS)("a purge of $name", (host) => {
  const said = {
    ...FRESH,
    "cache-tag": "products, p1",
    "surrogate-key": "all",
    "cache-groups": '"group"',
    etag: '"1"',
  };
  const handler: Handler = ({ method }, shown) => {
    if (method === "POST") return text(null, 204);
    if (method === "DELETE") return text("no", 403);
    if (shown.values("if-none-match")[0] === '"1"') return new Response(null, { status: 304, headers: said });
    return text(shown.values("foo")[0] ?? "page", 200, shown.path === "/vary" ? { ...said, vary: "foo" } : said);
  };
  const open = (options: SiteOptions = {}) =>
    host.open({ cache, handler, options: { awaitBackground: true, ...options } });

  it("by URL ends the response and its variants, and says how many", async () => {
    await using opened = await open();
    await opened.send();
    for (const foo of ["1", "2", "3"]) await opened.send({ target: "/vary", fields: { foo } });
    expect(await opened.purge(`${URL_OF_PAGE}vary`)).toBe(3);
    expect(await opened.purge(`${URL_OF_PAGE}vary`)).toBe(0);
    expect(await isStored(opened)).toBe(true);
    expect(await opened.purge("http://SHOP.example:80/x/..#y")).toBe(1);
    expect(await isStored(opened)).toBe(false);
  });

  it("by tag ends the responses that have it, softly where that is asked for", async () => {
    await using opened = await open();
    const purges = [["products"], ["other", "p1"], ["all"]];
    for (const tags of purges) {
      await opened.send();
      await opened.purgeTags(["other"]);
      expect(await isStored(opened)).toBe(true);
      await opened.purgeTags(tags);
      expect(await isStored(opened)).toBe(false);
    }
    await opened.send();
    await opened.purgeTags(["p1"], { soft: true });
    expect((await opened.send()).how).toBe("fwd=stale; fwd-status=304; stored");
    expect((await opened.send()).how).toMatch(/^hit/);
  });

  it("by group or prefix ends what is under it", async () => {
    await using opened = await open({ prefixPurges: true });
    const targets = ["/", "/a", "/a/b", "/ab"];
    const left = async () => {
      const stored = await Promise.all(targets.map((target) => isStored(opened, { target })));
      return targets.filter((_target, i) => stored[i]);
    };
    for (const target of targets) await opened.send({ target });
    expect(await left()).toEqual(targets);
    await opened.purgePrefix(`http://${SHOP}/a`);
    expect(await left()).toEqual(["/", "/ab"]);
    await opened.purgeGroups(`http://${SHOP}`, ["group"]);
    expect(await left()).toEqual([]);
  });

  it("shows clients no Surrogate-Key, and Cache-Tag unless it is hidden", async () => {
    for (const [cacheName, hiddenTagFields, hasTag] of [
      ["a", undefined, true],
      ["b", ["Cache-Tag", "Surrogate-Key"], false],
    ] as const) {
      await using opened = await open({ cacheName, ...(hiddenTagFields && { hiddenTagFields }) });
      for (const attack of [{}, {}, { fields: { cookie: "a=b" } }]) {
        const { headers } = await opened.send(attack);
        expect([headers.has("surrogate-key"), headers.has("cache-tag")]).toEqual([false, hasTag]);
      }
    }
  });

  it("follows an unsafe method that succeeds, before its client has the answer, and none that fails", async () => {
    await using opened = await open();
    await opened.send();
    expect((await opened.send({ method: "DELETE" })).status).toBe(403);
    expect(await isStored(opened)).toBe(true);
    expect((await opened.send({ method: "POST", body: "x" })).how).toBe("fwd=method");
    expect(await isStored(opened)).toBe(false);
  });

  it("keeps a response that is being made from being stored", async () => {
    let runs = 0;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const slow: Handler = async () => {
      const run = ++runs;
      if (run === 1) await ended;
      return text(`page ${run}`, 200, FRESH);
    };
    await using opened = await host.open({ cache, handler: slow, options: { awaitBackground: true } });
    const first = opened.send();
    await until(() => runs === 1, { what: "the handler" });
    await opened.purge(URL_OF_PAGE);
    end();
    expect((await first).body).toBe("page 1");
    expect((await opened.send()).body).toBe("page 2");
    expect(await opened.send()).toMatchObject({ body: "page 2", how: expect.stringMatching(/^hit/) });
  });
});
