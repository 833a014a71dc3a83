import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { command } from "../support/command.js";
import { documented, replaced } from "../support/docs.js";
import { startValkey } from "../support/servers.js";
import { apps } from "./app.js";

const DATABASE = `const rows = new Map();
export const counts = { user: 0 };
export const db = {
  async user(id) {
    counts.user++;
    return rows.get(id);
  },
  async rename(id, name) {
    rows.set(id, { ...rows.get(id), id, name, team: "red" });
  },
};
`;

interface User {
  readonly id: string;
  readonly name: string;
  readonly team: string;
}

/** What each block of the pages exports. */
interface Users {
  user(id: string): Promise<User>;
  rename(id: string, name: string): Promise<void>;
  readonly redis?: { disconnect(): void };
  readonly bento?: { disconnectAll(): Promise<void> };
  readonly manager?: { disconnect(): Promise<void> };
  readonly cache?: { close(): Promise<void>; ttl(key: string): Promise<number> };
  readonly shared?: { close(): Promise<void> };
}

interface Database {
  readonly db: Pick<Users, "rename">;
  readonly counts: { user: number };
}

/** A server, a database with a user, and the blocks of a page that use both. */
async function setUp(page: string) {
  const server = await startValkey();
  const { port } = new URL(server.url);
  const folder = mkdtempSync(join(apps, "migrate-"));
  const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, file)).href);
  writeFileSync(join(folder, "db.js"), DATABASE);
  const { db, counts } = (await load("db.js")) as Database;
  await db.rename("7", "Ann");
  const modules: Users[] = [];
  onTestFinished(async () => {
    for (const { redis, bento, manager, cache, shared } of modules) {
      redis?.disconnect();
      await bento?.disconnectAll();
      await manager?.disconnect();
      await cache?.close();
      await shared?.close();
    }
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    counts,
    /** Runs the block that has this text. */
    async run(text: string, texts: Readonly<Record<string, string>> = {}): Promise<Users> {
      const file = `block-${modules.length}.ts`;
      const addresses = { "localhost:6379": `127.0.0.1:${port}`, "port: 6379": `port: ${port}` };
      writeFileSync(join(folder, file), replaced(documented(page, text), { ...addresses, ...texts }));
      const module = (await load(file)) as Users;
      modules.push(module);
      return module;
    },
    send: (...args: [string, ...string[]]) => command(Number(port), args),
    keys: async () => ((await command(Number(port), ["KEYS", "*"])) as string[]).sort(),
  };
}

/** What callers see of a user who is requested, renamed and requested again, and how often the database was asked. */
async function played({ user, rename }: Users, counts: Database["counts"]) {
  const before = counts.user;
  await rename("7", "Ann");
  const seen = [await user("7"), await user("7")];
  await rename("7", "Anna");
  seen.push(await user("7"), await user("7"));
  return { seen, loads: counts.user - before };
}

const named = (name: string) => ({ id: "7", name, team: "red" });
const PLAYED = { seen: ["Ann", "Ann", "Anna", "Anna"].map(named), loads: 2 };

const PAGES = [
  { page: "migrate/from-ioredis.md", before: "new Redis(", key: "user:7" },
  { page: "migrate/from-bentocache.md", before: "new BentoCache(", key: "bentocache:user:7" },
  { page: "migrate/from-cache-manager.md", before: "manager.wrap(", key: "shop:1:keyv:user:7" },
];
const AFTER = "export const user = (id: string) => cache.getOrSet(";
const BESIDE = "StoredKey }";

describe.each(PAGES)("docs/$page", ({ page, before, key }) => {
  it("has code before and after that answers the same", async () => {
    const { run, counts, keys } = await setUp(page);
    await expect(played(await run(before), counts)).resolves.toEqual(PLAYED);
    expect(await keys()).toEqual([key]);
    const after = await run(AFTER);
    await expect(played(after, counts)).resolves.toEqual(PLAYED);
    expect(await keys()).toEqual([key, "shop:1:user:7"].sort());
    expect(await after.cache?.ttl("user:7")).toBeCloseTo(300, -1);
  });

  it("has code that takes values over from the old entries, and ends both", async () => {
    const { run, counts } = await setUp(page);
    const old = await run(before);
    await old.user("7");
    const loads = counts.user;
    const beside = await run(BESIDE);
    expect(await beside.user("7")).toEqual(named("Ann"));
    expect(counts.user).toBe(loads);
    await beside.rename("7", "Anna");
    expect(await beside.user("7")).toEqual(named("Anna"));
    expect(await old.user("7")).toEqual(named("Anna"));
    await expect(played(beside, counts)).resolves.toEqual(PLAYED);
  });
});

it("docs/migrate/from-ioredis.md has a cache that shares its entries with ioredis", async () => {
  const { run, counts, keys, send } = await setUp("migrate/from-ioredis.md");
  const old = await run("new Redis(");
  const shared = await run("export const shared");
  await old.user("7");
  expect(await shared.user("7")).toEqual(named("Ann"));
  expect(counts.user).toBe(1);
  await send("DEL", "user:7");
  await shared.user("7");
  expect(await old.user("7")).toEqual(named("Ann"));
  expect(counts.user).toBe(2);
  expect(await keys()).toEqual(["user:7"]);
  expect(JSON.parse(String(await send("GET", "user:7")))).toEqual(named("Ann"));
});

it("docs/migrate/from-bentocache.md reads no entry that has expired, but is kept for its grace", async () => {
  const { run, counts, send } = await setUp("migrate/from-bentocache.md");
  const entry = { value: named("Old"), createdAt: 1, logicalExpiration: Date.now() - 1, tags: [] };
  await send("SET", "bentocache:user:7", JSON.stringify(entry));
  expect(await (await run(BESIDE)).user("7")).toEqual(named("Ann"));
  expect(counts.user).toBe(1);
});

it("docs/migrate/from-cache-manager.md reads the entries of @keyv/redis under each of the keys in its table", async () => {
  const page = "migrate/from-cache-manager.md";
  const { run, send, counts } = await setUp(page);
  // As @keyv/redis 5.1.6 stores them.
  const entry = JSON.stringify({ value: named("Old"), expires: Date.now() + 60_000 });
  for (const old of ["", "keyv::keyv:", "shop::shop:", "shop::"]) {
    await send("FLUSHALL");
    await send("SET", `${old}user:7`, entry);
    const { user } = await run(BESIDE, { 'OLD = "shop:1:keyv:"': `OLD = ${JSON.stringify(old)}` });
    expect(await user("7"), old).toEqual(named("Old"));
  }
  expect(counts.user).toBe(0);
});
