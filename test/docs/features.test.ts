import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { FastifyInstance } from "fastify";
import { Hono } from "hono";
import { defineCachedFunction, type StorageInterface } from "ocache";
import type { Storage } from "unstorage";
import { beforeAll, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import type { CachedHandler } from "../../src/fetch/index.js";
import { httpCache } from "../../src/hono/index.js";
import { createCache } from "../../src/index.js";
import { startSite } from "../fetch/site.js";
import { documented, replaced } from "../support/docs.js";
import { build, root } from "../support/project.js";
import { until } from "../support/wait.js";

/** Inside the repository, so that imports find the package by its own name. */
const folder = join(root, ".cache", "docs", "features");

interface User {
  id: string;
  name: string;
  team: string;
}

/** The modules of the application that recipes import. Each call of the database takes a turn of the event loop. */
const MODULES = {
  "db.js": `const tenants = new Map();
const rows = (tenant = "") => tenants.get(tenant) ?? tenants.set(tenant, new Map()).get(tenant);
export const counts = { user: 0 };
export const db = {
  async user(id, { tenant } = {}) {
    counts.user++;
    return rows(tenant).get(id);
  },
  async members(team) {
    return [...rows().values()].filter((user) => user.team === team);
  },
  async rename(id, name) {
    rows().set(id, { ...rows().get(id), name });
  },
  async join(id, team) {
    rows().set(id, { ...rows().get(id), team });
  },
  async insert(tenant, users) {
    for (const user of users) rows(tenant).set(user.id, user);
  },
  async remove(tenant) {
    tenants.delete(tenant);
  },
};
`,
  "render.js": `let renders = 0;
export const render = async (path) => path + " " + ++renders;
`,
};

/** Runs the block of a page that has this text, over a prefix of its own, and returns what it exports. */
async function run<T>(
  page: string,
  text: string,
  own: { prefix: string; database: string; origin?: string },
): Promise<T> {
  const code = replaced(documented(page, text), {
    "valkey://localhost:6379": inject("valkeyUrl"),
    '"shop"': JSON.stringify(own.prefix),
    "https://api.example": own.origin ?? "https://api.example",
    '"./db.js"': `"./db.js?${own.database}"`,
  });
  const file = join(folder, `${randomUUID()}.ts`);
  writeFileSync(file, code);
  return import(/* @vite-ignore */ pathToFileURL(file).href) as Promise<T>;
}

/** The database of a test. */
const databaseOf = ({ database }: { database: string }) => `${pathToFileURL(join(folder, "db.js")).href}?${database}`;

interface Values<T> {
  get(id: string): Promise<T | undefined>;
}

const ann = { id: "1", name: "Ann", team: "red" };
const bob = { id: "2", name: "Bob", team: "blue" };
let own: { prefix: string; database: string };

describe("the recipes of docs/", () => {
  beforeAll(async () => {
    await build();
    mkdirSync(folder, { recursive: true });
    for (const [name, code] of Object.entries(MODULES)) writeFileSync(join(folder, name), code);
  }, 120_000);

  async function setUp() {
    own = { prefix: `recipes-${randomUUID()}`, database: randomUUID() };
    const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: own.prefix });
    onTestFinished(() => cache.close());
    const { db } = (await import(/* @vite-ignore */ databaseOf(own))) as {
      db: { insert(tenant: string, users: User[]): Promise<void> };
    };
    return { cache, db };
  }

  it("end all that shows a user who changed, and the team that a user joins", async () => {
    const { db } = await setUp();
    await db.insert("", [ann, bob]);
    const { users, teams, rename, join } = await run<{
      users: Values<User>;
      teams: Values<User[]>;
      rename(id: string, name: string): Promise<void>;
      join(id: string, team: string): Promise<void>;
    }>("tags.md", "export async function rename", own);
    const read = async () => [
      await users.get("1"),
      await users.get("2"),
      await teams.get("red"),
      await teams.get("blue"),
    ];
    expect(await read()).toEqual([ann, bob, [ann], [bob]]);
    await rename("1", "Anna");
    const anna = { ...ann, name: "Anna" };
    expect(await read()).toEqual([anna, bob, [anna], [bob]]);
    await join("1", "blue");
    const moved = { ...anna, team: "blue" };
    expect(await read()).toEqual([moved, bob, [], [moved, bob]]);
  });

  it("end all values of one tenant after an import, and delete its keys when it leaves", async () => {
    const { cache, db } = await setUp();
    await db.insert("1", [ann]);
    await db.insert("2", [bob]);
    const { cacheOf, importUsers, removeTenant } = await run<{
      cacheOf(tenant: string): { users: Values<User> };
      importUsers(tenant: string, rows: User[]): Promise<void>;
      removeTenant(tenant: string): Promise<void>;
    }>("namespaces.md", "export function cacheOf", own);
    const read = async () => [await cacheOf("1").users.get("1"), await cacheOf("2").users.get("2")];
    expect(await read()).toEqual([ann, bob]);
    await importUsers("1", [{ ...ann, name: "Anna" }]);
    expect(await read()).toEqual([{ ...ann, name: "Anna" }, bob]);
    await removeTenant("1");
    expect(await cache.keys()).toEqual(["ns(tenant-2):user:2"]);
    await cache.purgeTags(["users"]);
    expect(await cache.namespace("tenant-2").get("user:2")).toBeUndefined();
  });

  it("have pages of the last release replaced after a deploy, while readers get the old ones", async () => {
    await setUp();
    process.env.RELEASE = "1";
    onTestFinished(() => void delete process.env.RELEASE);
    const load = () =>
      run<{ pages: Values<string>; afterDeploy(before: string): Promise<void> }>("tags.md", "afterDeploy", own);
    const old = await load();
    const first = await old.pages.get("/");
    process.env.RELEASE = "2";
    const { pages, afterDeploy } = await load();
    expect(await pages.get("/")).toBe(first);
    await afterDeploy("1");
    expect(await pages.get("/")).toBe(first);
    const second = await until(async () => ((await pages.get("/")) === first ? undefined : pages.get("/")), {
      what: "the new page",
    });
    await afterDeploy("1");
    expect(await pages.get("/"), "it has the new release's tag").toBe(second);
  });

  it("keep responses of Fastify's routes by their URL or their own options, and end them by tag", async () => {
    await setUp();
    const { app } = await run<{ app: FastifyInstance }>("http.md", "httpCacheFastify", own);
    onTestFinished(() => app.close());
    const ask = async (url: string) => (await app.inject({ url, headers: { host: "shop.example" } })).body;
    for (const [url, isKept] of [
      ["/api/products/1", true],
      ["/api/prices", true],
      ["/api/cart", false],
    ] as const) {
      const first = await ask(url);
      await until(() => Date.now() > JSON.parse(first).at, { what: "the next millisecond" });
      expect((await ask(url)) === first, url).toBe(isKept);
    }
    const before = await ask("/api/products/1");
    expect((await app.inject({ method: "POST", url: "/api/products" })).statusCode).toBe(201);
    expect(await ask("/api/products/1")).not.toBe(before);
  });

  it("have calls of another service answered from the store, then stale, then purged", async () => {
    await setUp();
    // The time that Node sends by itself is not the one that this test sets.
    const site = await startSite((_request, response) => {
      response.writeHead(200, { "content-type": "application/json", date: new Date().toUTCString() }).end("{}");
    });
    const recipe = await run<{ look(): Promise<string>; fetch: { purgeTags(tags: string[]): Promise<void> } }>(
      "http.md",
      "export const look",
      { ...own, origin: site.url },
    );
    expect(await recipe.look()).toMatch(/^valkey-edge-cache-fetch; fwd=uri-miss/);
    await until(async () => /; hit; ttl=\d+$/.test(await recipe.look()), { what: "a hit" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(await recipe.look()).toMatch(/^valkey-edge-cache-fetch; hit; ttl=-\d+$/);
    await until(() => site.asked.length === 2, { what: "the refresh" });
    await until(async () => /; hit; ttl=\d+$/.test(await recipe.look()), { what: "the new response" });
    await recipe.fetch.purgeTags(["products"]);
    expect(await recipe.look()).toMatch(/^valkey-edge-cache-fetch; fwd=uri-miss/);
    expect(site.asked).toHaveLength(3);
  });

  it("have the entries of a storage found by getOrSet, and the other way round", async () => {
    const { db } = await setUp();
    await db.insert("", [ann, bob]);
    const { cache, storage, user, userBefore } = await run<{
      cache: AsyncDisposable;
      storage: Storage;
      user(id: string): Promise<User>;
      userBefore(id: string): Promise<User>;
    }>("unstorage.md", "export async function userBefore", own);
    onTestFinished(() => cache[Symbol.asyncDispose]());
    const { counts } = (await import(/* @vite-ignore */ databaseOf(own))) as { counts: { user: number } };
    expect([await userBefore("1"), await user("1"), await user("2"), await userBefore("2")]).toEqual([
      ann,
      ann,
      bob,
      bob,
    ]);
    expect(counts.user).toBe(2);
    expect(await storage.getItems(["1", "2"])).toEqual([
      { key: "1", value: ann },
      { key: "2", value: bob },
    ]);
  });

  it("keep what functions of ocache return, for all processes, bytes included", async () => {
    const { cache } = await setUp();
    const { square, storage } = await run<{
      square(n: number): Promise<{ square: number }>;
      storage: StorageInterface;
    }>("unstorage.md", "StorageInterface", own);
    expect([await square(3), await square(3)]).toEqual([{ square: 9 }, { square: 9 }]);
    // Another process has the same storage, and another function.
    const load = vi.fn(async () => Uint8Array.of(1, 255));
    const once = () => defineCachedFunction(load, { name: "bytes", getKey: () => "a", maxAge: 60, storage })();
    expect([await once(), await once()]).toEqual([Uint8Array.of(1, 255), Uint8Array.of(1, 255)]);
    expect(load).toHaveBeenCalledOnce();
    const [key = ""] = await cache.keys("*square*");
    expect(await cache.ttl(key)).toBeGreaterThan(50);
    await storage.set(key, null);
    expect(await storage.get(key)).toBeNull();
  });

  it("put the cache in front of any web handler", async () => {
    await setUp();
    const { cached } = await run<{ cached: CachedHandler }>("http.md", "export const cached = ", own);
    const ask = async () => {
      const response = await cached(new Request("https://shop.example/products/7"));
      return (await response.json()) as { made: number };
    };
    const first = await ask();
    expect(first).toEqual({ id: "7", made: expect.any(Number) });
    expect(await ask()).toEqual(first);
    await cached.purgeTags(["products"]);
    await until(async () => (await ask()).made !== first.made, { what: "a new response" });
  });

  it("make no response of data that a soft purge has made stale", async () => {
    const { cache } = await setUp();
    let version = 1;
    const app = new Hono().use(httpCache({ cache, awaitBackground: true }));
    app.get("/", async (c) => {
      const data = await cache.getOrSet("data", () => version, { tags: ["a"] });
      return c.text(`made of ${data}`, 200, { "cache-control": "max-age=60", "cache-tag": "a" });
    });
    const ask = async () => (await app.request("http://localhost/")).text();
    expect(await ask()).toBe("made of 1");
    version = 2;
    await cache.purgeTags(["a"], { soft: true });
    expect(await ask(), "what the recipe avoids").toBe("made of 1");
    version = 3;
    const { refresh } = await run<{ refresh(tags: string[]): Promise<void> }>("tags.md", "function refresh", own);
    await refresh(["a"]);
    await until(async () => (await ask()) === "made of 3", { what: "the new response" });
  });
});
