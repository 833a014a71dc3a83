import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cache } from "../../src/index.js";
import type { Got, Handler } from "../adapters/host.js";
import { ENGINE_HOSTS, HTTP_HOSTS, HTTP1_HOSTS } from "../adapters/hosts.js";
import { FRESH, newCache, text } from "../adapters/replies.js";
import { raw } from "../contract/cache/stored.js";
import { testApp } from "../hono/app.js";

/** `VARIANTS=10000` sends more. */
const VARIANTS = Number(process.env.VARIANTS ?? 500);

let cache: Cache;

beforeEach(() => {
  cache = newCache();
});

afterEach(() => cache.close());

/** Stored keys, of leases and marks, too. */
const storedKeys = async (): Promise<string[]> => (await cache.keys("*")).map((key) => String(cache.makeKey(key)));

/** Sends many requests, some at once. */
async function flood(count: number, atOnce: number, send: (i: number) => Promise<Got>): Promise<Set<number>> {
  const statuses = new Set<number>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) statuses.add((await send(i)).status);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return statuses;
}

describe("CWE-770, variants of one URL:", () => {
  it(`${VARIANTS} of them leave no more than maxVariants, and every client gets its own`, async () => {
    const { app, get, errors } = testApp(cache, { awaitBackground: true, maxVariants: 8 });
    app.get("*", (c) => c.text(c.req.header("foo") ?? "", 200, { ...FRESH, vary: "foo" }));
    const wrong: string[] = [];
    const statuses = await flood(VARIANTS, 8, async (i) => {
      const got = await get("/", { headers: { foo: `v${i}` } });
      if (got.body !== `v${i}`) wrong.push(`${i}: ${got.body}`);
      return got;
    });
    expect([statuses, wrong, errors]).toEqual([new Set([200]), [], []]);
    // The index, its variants, and what was under way for the last ones.
    expect((await storedKeys()).length).toBeLessThanOrEqual(1 + 8 + 8);
  }, 60_000);

  it("many lists of names in Vary leave no more than maxVariants", async () => {
    const { app, get, errors } = testApp(cache, { awaitBackground: true, maxVariants: 8 });
    app.get("*", (c) => c.text("page", 200, { ...FRESH, vary: c.req.header("x-vary") ?? "" }));
    await flood(100, 1, (i) => get("/", { headers: { "x-vary": `a${i}, x-vary` } }));
    expect(errors).toEqual([]);
    expect((await storedKeys()).length).toBeLessThanOrEqual(1 + 8 + 1);
  });

  it("long values of a selecting field make no long keys", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text(String(c.req.header("foo")?.length), 200, { ...FRESH, vary: "foo" }));
    for (const size of [10, 10_000, 1_000_000]) {
      for (let i = 0; i < 2; i++) {
        expect((await get("/", { headers: { foo: "x".repeat(size) } })).body).toBe(String(size));
      }
    }
    for (const key of await storedKeys()) expect(key.length).toBeLessThan(300);
  });

  it("values that look alike select different variants", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true, maxVariants: 100 });
    const seen = ["foo", "bar"] as const;
    app.get("*", (c) =>
      c.text(JSON.stringify(seen.map((name) => c.req.header(name) ?? null)), 200, { ...FRESH, vary: "foo, bar" }),
    );
    const values = [undefined, "", "1", "1:", "3:bar=1:1", "1 3:bar-", "-", "=", "a\u00e9", "\u00e9", "A", "a"];
    for (let i = 0; i < 2; i++) {
      for (const foo of values) {
        for (const bar of [undefined, "", "1"]) {
          const headers = { ...(foo !== undefined && { foo }), ...(bar !== undefined && { bar }) };
          const got = await get("/", { headers });
          expect(got.body).toBe(JSON.stringify([foo ?? null, bar ?? null]));
          if (i === 1) expect(got.how).toMatch(/^hit/);
        }
      }
    }
  });
});

describe("CWE-770, many query strings:", () => {
  it("each key that they make expires, and those that change nothing make none", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true, query: { remove: ["utm_*", "_"], sort: true } });
    app.get("*", (c) => c.text(c.req.url, 200, FRESH));
    const url = (i: number): string => `/?utm_source=${i}&b=1&_=${i}&a=1&utm_${i}`;
    await flood(200, 20, (i) => get(url(i)));
    expect(await storedKeys()).toHaveLength(1);
    await flood(200, 20, (i) => get(`/?q=${i}`));
    const keys = await storedKeys();
    expect(keys).toHaveLength(201);
    for (const key of keys) expect(await raw(cache, "PTTL", key)).toBeGreaterThan(0);
  });

  it("responses that can't be stored leave marks that expire", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text("page", c.req.query("bad") === undefined ? 200 : 400));
    await flood(200, 20, (i) => get(i % 2 ? `/?q=${i}` : `/?bad&q=${i}`));
    const keys = await storedKeys();
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(await raw(cache, "PTTL", key)).toBeGreaterThan(0);
  });

  it("a key that a client can make as long as it likes is hashed", async () => {
    const { app, get } = testApp(cache, { awaitBackground: true });
    app.get("*", (c) => c.text(c.req.url, 200, FRESH));
    const paths = Array.from({ length: 20 }, (_none, i) => `/${"x".repeat(i * 400)}?${i}`);
    for (let i = 0; i < 2; i++) {
      for (const path of paths) expect((await get(path)).body).toBe(`http://localhost${path}`);
    }
    for (const key of await storedKeys()) expect(key.length).toBeLessThan(400);
  });
});

describe.each(HTTP_HOSTS)("CWE-770, oversized and malformed input through $name:", (host) => {
  it("a URL of 1 MB fills nothing", async () => {
    const handler: Handler = (_request, { path }) => text(`page ${path.length}`, 200, FRESH);
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    for (const target of [`/${"x".repeat(1_000_000)}`, `/?${"x".repeat(1_000_000)}`, `/${"%41".repeat(300_000)}`]) {
      for (let i = 0; i < 2; i++) {
        const { status, how } = await opened.send({ target }).catch(() => ({ status: 0, how: "" }));
        // Servers refuse it; without one it bypasses the cache.
        expect([0, 200, 414, 431]).toContain(status);
        expect(how).not.toMatch(/hit|stored/);
      }
    }
    expect(await storedKeys()).toEqual([]);
    expect((await opened.send()).body).toBe("page 1");
  });

  it("a URL of one character more than maxUrlLength bypasses the cache", async () => {
    const handler: Handler = () => text("page", 200, FRESH);
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true, maxUrlLength: 100 } });
    const target = (length: number): string => `/${"x".repeat(length - "http://shop.example/".length)}`;
    for (let i = 0; i < 2; i++) expect((await opened.send({ target: target(101) })).how).toBe("fwd=bypass");
    await opened.send({ target: target(100) });
    expect((await opened.send({ target: target(100) })).how).toMatch(/^hit/);
  });

  it("a field with a control character is refused, or bypasses the cache", async () => {
    const handler: Handler = (_request, shown) =>
      text(shown.values("foo")[0] ?? "none", 200, { ...FRESH, vary: "foo" });
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    for (const code of [0, 1, 7, 8, 10, 11, 12, 13, 27, 31, 127]) {
      for (let i = 0; i < 2; i++) {
        const foo = `a${String.fromCharCode(code)}b`;
        const { body, how } = await opened.send({ fields: { foo } }).catch(() => ({ body: "", how: "" }));
        // A client that leaves such a field out sends a request like any other.
        if (body !== "none") expect(how, `character ${code}`).not.toMatch(/hit|stored/);
      }
    }
    expect((await opened.send()).body).toBe("none");
  });

  it("a thousand selecting names in one Vary do no harm", async () => {
    const vary = Array.from({ length: 1_000 }, (_none, i) => `x-${i}`).join();
    const handler: Handler = (_request, shown) => text(shown.values("x-1")[0] ?? "none", 200, { ...FRESH, vary });
    await using opened = await host.open({ cache, handler, options: { awaitBackground: true } });
    const fields = Array.from({ length: 50 }, (_none, i): [string, string] => [`x-${i}`, `v${i}`]);
    for (let i = 0; i < 2; i++) {
      expect((await opened.send({ fields })).body).toBe("v1");
      expect((await opened.send()).body).toBe("none");
    }
    expect((await opened.send({ fields })).how).toMatch(/^hit/);
    expect(opened.errors).toEqual([]);
  });
});

it.each(HTTP1_HOSTS.filter((host) => ENGINE_HOSTS.includes(host)))(
  "CWE-770, a hundred connections to $name that ask for a hundred variants each get their own",
  async (host) => {
    const handler: Handler = (_request, shown) => text(shown.values("foo")[0] ?? "", 200, { ...FRESH, vary: "foo" });
    await using opened = await host.open({ cache, handler, options: { maxVariants: 8 } });
    const all = Array.from({ length: 200 }, async (_none, i) => {
      const foo = `v${i % 100}`;
      return (await opened.send({ fields: { foo } })).body === foo;
    });
    expect(new Set(await Promise.all(all))).toEqual(new Set([true]));
  },
);
