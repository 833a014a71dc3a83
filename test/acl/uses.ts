import { expect } from "vitest";
import type { Cache } from "../../src/index.js";
import type { FEATURES } from "../../src/inspect/features.js";
import { PurgeLog, readLog } from "../../src/tags/purge-log.js";
import { testApp } from "../hono/app.js";
import { until } from "../support/wait.js";

/**
 * Uses a feature in full. @throws when a part of it does not work
 * @param owner a cache under the same prefix, of a user who may do everything: it prepares, and looks what was stored
 */
export type Use = (cache: Cache, owner: Cache, user: string) => Promise<void>;

const FRESH = { "cache-control": "max-age=60" };
const STALE = { "cache-control": "max-age=0", etag: '"1"' };

/** The features of the table, by their names there. */
export const uses: Readonly<Record<keyof typeof FEATURES, Use>> = {
  async entries(cache, owner) {
    await cache.set("a", 1);
    expect(await owner.get("a")).toBe(1);
    expect(await cache.get("a")).toBe(1);
  },

  async getOrSet(cache, owner) {
    expect(await cache.getOrSet("a", () => 1)).toBe(1);
    expect(await owner.get("a")).toBe(1);
    const load = (keys: string[]) => new Map(keys.map((key) => [key, 2]));
    expect(await cache.getOrSetMany(["a", "b"], load)).toEqual(new Map(Object.entries({ a: 1, b: 2 })));
    expect(await owner.get("b")).toBe(2);
  },

  async many(cache) {
    expect(await cache.setMany({ a: 1 })).toEqual([]);
    expect((await cache.getMany(["a"])).size).toBe(1);
  },

  async atomic(cache) {
    await cache.mset({ a: 1, b: 2 });
    expect((await cache.mget(["a", "b"])).size).toBe(2);
  },

  async conditional(cache) {
    for (const isNew of [true, false]) expect(await cache.add("a", 1)).toBe(isNew);
    expect(await cache.set("a", 2, { xx: true })).toBe(true);
    expect(await cache.set("b", 2, { xx: true })).toBe(false);
  },

  async lookup(cache, owner) {
    await owner.set("a", 1, { ttl: null });
    expect(await cache.has("a")).toBe(true);
    expect(await cache.ttl("a")).toBeNull();
  },

  async softExpiry(cache, owner) {
    await owner.set("a", 1);
    expect(await cache.expireSoft("a")).toBe(true);
    // As other programs store it.
    await owner.connection.send([["SET", String(owner.makeKey("plain")), "1"]]);
    expect(await cache.expireSoft("plain")).toBe(true);
    expect(await cache.expireSoft("b")).toBe(false);
    await owner.set("many", 1);
    expect(await cache.expireSoftMany(["many", "b"])).toBe(1);
    expect(await owner.has("a")).toBe(false);
  },

  async delete(cache, owner) {
    await owner.setMany({ a: 1, b: 1 });
    expect(await cache.delete("a")).toBe(true);
    expect(await cache.deleteMany(["a", "b"])).toBe(1);
  },

  async counters(cache, owner) {
    expect(await cache.incr("n", 2, { create: true })).toBe(2);
    expect(await owner.ttl("n")).toBeGreaterThan(0);
    expect(await cache.incr("n")).toBe(3);
    expect(await cache.decr("n")).toBe(2);
  },

  async lifetimes(cache, owner) {
    await owner.set("a", 1);
    for (let i = 0; i < 2; i++) {
      expect(await cache.touch("a", "1m")).toBe(true);
      expect(await cache.expireAt("a", new Date(Date.now() + 60_000))).toBe(true);
      expect(await cache.persist("a")).toBe(true);
    }
    expect(await cache.touch("b", "1m")).toBe(false);
    expect(await cache.expire("a", 0)).toBe(true);
    expect(await owner.has("a")).toBe(false);
  },

  async versions(cache, owner) {
    await owner.set("a", 1);
    expect(await cache.incrVersion("a")).toBe(2);
    expect(await cache.decrVersion("a", 1, { version: 2 })).toBe(1);
    await expect(cache.incrVersion("b")).rejects.toThrow("there is no such entry");
  },

  async scans(cache, owner) {
    await owner.set("a", 1);
    expect(await cache.keys()).toEqual(["a"]);
  },

  async patterns(cache, owner) {
    await owner.setMany({ a: 1, b: 1 });
    expect(await cache.deletePattern("a*")).toBe(1);
  },

  async clear(cache, owner) {
    await owner.set("a", 1);
    await owner.set("a", 1, { version: 2 });
    expect(await cache.clear()).toBe(2);
  },

  async purgeTags(cache) {
    cache.purges.log = new PurgeLog(cache.purges.key(), 2);
    // The last one finds the log full.
    for (const tag of ["a", "b", "c"]) await cache.purgeTags([tag]);
  },

  async flush(cache) {
    await cache.flush();
  },

  async locks(cache) {
    for (let i = 0; i < 2; i++) {
      const lock = await cache.lock("job");
      expect(await lock?.extend("1m")).toBe(true);
      expect(await lock?.release()).toBe(true);
    }
  },

  async sets({ sets }) {
    expect(await sets.add("{s}a", [1, 2, 3])).toBe(3);
    expect(await sets.delete("{s}a", [3])).toBe(1);
    expect(await sets.size("{s}a")).toBe(2);
    expect(await sets.has("{s}a", 1)).toBe(true);
    expect(await sets.hasMany("{s}a", [1, 3])).toEqual([true, false]);
    expect((await sets.members("{s}a")).size).toBe(2);
    expect((await sets.difference(["{s}a", "{s}b"])).size).toBe(2);
    expect((await sets.intersection(["{s}a", "{s}b"])).size).toBe(0);
    expect((await sets.union(["{s}a", "{s}b"])).size).toBe(2);
    expect(await sets.differenceStore("{s}c", ["{s}a", "{s}b"])).toBe(2);
    expect(await sets.intersectionStore("{s}c", ["{s}a", "{s}b"])).toBe(0);
    expect(await sets.unionStore("{s}c", ["{s}a", "{s}b"])).toBe(2);
    expect(await sets.move("{s}a", "{s}d", 1)).toBe(true);
    expect(await sets.pop("{s}d")).toBe(1);
    expect(await sets.random("{s}a")).toBe(2);
    expect((await sets.scan("{s}a")).members).toEqual([2]);
  },

  async hashes({ hashes }) {
    expect(await hashes.set("h", { a: 1, b: 2 })).toBe(2);
    expect(await hashes.get("h", "a")).toBe(1);
    expect((await hashes.getAll("h")).size).toBe(2);
    expect(await hashes.delete("h", "b")).toBe(1);
    expect(await hashes.size("h")).toBe(1);
    expect(await hashes.fields("h")).toEqual(["a"]);
    expect(await hashes.has("h", "a")).toBe(true);
  },

  async herd(cache, owner) {
    const fail = () => Promise.reject(new Error("the loader failed"));
    const ttl = { ttl: 0.02 };
    await cache.getOrSet("stored", () => 1);
    expect(await owner.get("stored")).toBe(1);
    expect(await cache.getOrSet("a", () => 1, ttl)).toBe(1);
    const isStale = async () => (await owner.get("a")) === undefined;
    await until(isStale, { what: "the value to be stale" });
    expect(await cache.getOrSet("a", () => 2, ttl)).toBe(2);
    await until(isStale, { what: "the new value to be stale" });
    expect(await cache.getOrSet("a", fail)).toBe(2);
    await expect(cache.getOrSet("b", fail)).rejects.toThrow("the loader failed");
    expect((await cache.getOrSetMany(["c", "d"], (keys) => new Map(keys.map((key) => [key, 1])))).size).toBe(2);
    expect((await owner.getMany(["c", "d"])).size).toBe(2);
    // A key that was read as fresh is read without a claim after that.
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet("stored", () => 2)).toBe(1);
  },

  async http(cache) {
    const { app, get, errors } = testApp(cache, { awaitBackground: true, maxVariants: 1 });
    app.get("/vary", ({ req, text, body }) => {
      if (req.header("if-none-match")) return body(null, 304, FRESH);
      return text("full", 200, { ...STALE, vary: "foo" });
    });
    app.get("/failing", ({ req, text }) => (req.header("if-none-match") ? text("", 500) : text("full", 200, STALE)));
    app.get("/private", ({ text }) => text("full", 200, { "cache-control": "private" }));
    for (const how of [/stored/, /fwd-status=304; stored/, /^hit/])
      expect((await get("/vary", { headers: { foo: "1" } })).how).toMatch(how);
    expect((await get("/vary", { headers: { foo: "2" } })).how).toMatch(/stored/);
    expect((await get("/private")).how).toMatch(/^fwd=uri-miss/);
    for (const how of [/stored/, /fwd=stale/]) expect((await get("/failing")).how).toMatch(how);
    expect(errors).toEqual([]);
  },

  async purges(cache, owner) {
    const { app, get } = testApp(owner, { awaitBackground: true });
    const { app: purging, http, errors, get: send } = testApp(cache, { awaitBackground: true });
    for (const one of [app, purging]) one.post("/", (c) => c.text("posted"));
    app.get("/vary", (c) => c.text("full", 200, { ...FRESH, vary: "foo" }));
    app.get("/", (c) => c.text("full", 200, FRESH));
    for (const path of ["/", "/vary"]) {
      await get(path);
      for (const soft of [true, false]) expect(await http.purge(`http://localhost${path}`, { cache, soft })).toBe(1);
    }
    await get("/");
    await send("/", { method: "POST" });
    expect((await get("/")).how).toMatch(/^fwd=uri-miss/);
    expect(errors).toEqual([]);
  },

  async tags(cache, owner) {
    const { app, get, errors } = testApp(owner, { awaitBackground: true });
    const log = new PurgeLog(cache.purges.key(), 2);
    cache.purges.log = log;
    const { http } = testApp(cache);
    app.get("/", (c) => c.text("full", 200, { ...FRESH, "cache-tag": "a" }));
    await get("/");
    // The last one finds the log full.
    for (const tag of ["b", "c", "a"]) await http.purgeTags([tag], { cache });
    // As for a response that is older than what was read.
    await readLog(cache.connection, log);
    await log.ask(cache.connection, ["label"]);
    expect((await get("/")).how).toMatch(/^fwd=/);
    expect(errors).toEqual([]);
  },

  async health(cache) {
    expect(await cache.health()).toMatchObject({ state: "closed", version: expect.any(String) });
  },
};
