import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RedisStore } from "connect-redis";
import type { RateLimiterRedis } from "rate-limiter-flexible";
import { beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import type { Cache } from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { docsBlocks } from "../support/docs.js";
import { HOST } from "../support/ports.js";
import { build, root } from "../support/project.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

/** Inside the repository, so that imports find the package by its own name. */
const folder = join(root, ".cache", "docs", "express-recipes");
const SESSIONS = { page: "sessions.md", prefix: "shop-session:" };
const LIMITS = { page: "rate-limits.md", prefix: "shop-limit" };
/** A deadline of the recipes, and what else a request may take here. */
const ENDED_MS = 1_000 + 1_500;

type Replaced = readonly [string, string][];

interface Recipe {
  readonly cache: Cache;
  readonly app: RequestListener;
}

interface SessionRecipe extends Recipe {
  readonly sessions: RedisStore;
}

interface LimitRecipe extends Recipe {
  readonly limiter: RateLimiterRedis;
}

/** Starts one instance of the application on a page. @param replaced texts of its block, which it must have, and others */
async function start<R extends Recipe>(recipe: { page: string }, location: string, replaced: Replaced = []) {
  let code = docsBlocks(recipe.page).find(({ language }) => language === "ts")?.code ?? "";
  for (const [from, to] of [["valkey://localhost:6379", location], ...replaced] as const) {
    if (!code.includes(from)) throw new Error(`docs/${recipe.page} has no block with ${from}`);
    code = code.replaceAll(from, to);
  }
  const file = join(folder, `${randomUUID()}.ts`);
  writeFileSync(file, code);
  const instance = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as R;
  // Express reports errors of requests on the console, unless it is under test.
  const server = createServer(instance.app).listen(0, HOST);
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await instance.cache.close();
  });
  return { ...instance, url: `http://${HOST}:${(server.address() as AddressInfo).port}` };
}

/** A browser's part: it sends the last cookie that it has received. */
function visitor(cookie = "") {
  let sent = cookie;
  return {
    get cookie() {
      return sent;
    },
    async ask(url: string, method = "GET") {
      const response = await fetch(url, { method, headers: sent ? { cookie: sent } : {} });
      sent = response.headers.get("set-cookie")?.split(";")[0] ?? sent;
      return { status: response.status, body: await response.text(), headers: response.headers };
    },
  };
}

const ids = async ({ sessions }: SessionRecipe) => (await sessions.ids()) as string[];

describe("the recipes for Express", () => {
  beforeAll(async () => {
    process.env.SESSION_SECRET = "secret";
    await build();
    mkdirSync(folder, { recursive: true });
  }, 120_000);

  const port = () => Number(new URL(inject("valkeyUrl")).port);

  describe("of docs/sessions.md", () => {
    /** An instance whose sessions no other test has. */
    const prefixed = (prefix: string): Replaced => [[SESSIONS.prefix, prefix]];
    const ownPrefix = () => `${randomUUID()}:`;

    it("keep a login, which all instances see, until the logout", async () => {
      const prefix = ownPrefix();
      const one = await start<SessionRecipe>(SESSIONS, inject("valkeyUrl"), prefixed(prefix));
      const two = await start<SessionRecipe>(SESSIONS, inject("valkeyUrl"), prefixed(prefix));
      const ann = visitor();
      expect((await ann.ask(`${one.url}/me`)).status).toBe(401);
      expect(await ids(one), "a visitor without a login has no session").toEqual([]);
      expect((await ann.ask(`${one.url}/login/ann`, "POST")).status).toBe(204);
      expect((await ann.ask(`${two.url}/me`)).body).toBe('{"user":"ann"}');
      expect((await visitor().ask(`${two.url}/me`)).status).toBe(401);
      const [id = ""] = await ids(one);
      const left = Number(await command(port(), ["PTTL", `${prefix}${id}`]));
      expect(left).toBeGreaterThan(3_590_000);
      expect(left).toBeLessThanOrEqual(3_600_000);
      const { cookie } = ann;
      expect((await ann.ask(`${two.url}/logout`, "POST")).status).toBe(204);
      expect((await visitor(cookie).ask(`${one.url}/me`)).status).toBe(401);
      expect(await ids(one)).toEqual([]);
    });

    it("give a login a new id", async () => {
      const one = await start<SessionRecipe>(SESSIONS, inject("valkeyUrl"), prefixed(ownPrefix()));
      const ann = visitor();
      await ann.ask(`${one.url}/login/eve`, "POST");
      const before = { cookie: ann.cookie, ids: await ids(one) };
      await ann.ask(`${one.url}/login/ann`, "POST");
      expect(await ids(one)).toHaveLength(1);
      expect(await ids(one)).not.toEqual(before.ids);
      expect((await visitor(before.cookie).ask(`${one.url}/me`)).status).toBe(401);
      expect((await ann.ask(`${one.url}/me`)).body).toBe('{"user":"ann"}');
    });

    it("renew the lifetime of session and cookie with each request", async () => {
      const prefix = ownPrefix();
      const one = await start<SessionRecipe>(SESSIONS, inject("valkeyUrl"), prefixed(prefix));
      const ann = visitor();
      await ann.ask(`${one.url}/login/ann`, "POST");
      const [id = ""] = await ids(one);
      expect(await command(port(), ["EXPIRE", `${prefix}${id}`, "10"])).toBe(1);
      const { headers } = await ann.ask(`${one.url}/me`);
      expect(headers.get("set-cookie")).toMatch(/^connect\.sid=.*HttpOnly; SameSite=Lax$/);
      expect(await command(port(), ["TTL", `${prefix}${id}`])).toBeGreaterThan(3_500);
    });

    it("end sessions with their lifetime", async () => {
      const replaced: Replaced = [...prefixed(ownPrefix()), ["maxAge: 60 * 60 * 1_000", "maxAge: 900"]];
      const one = await start<SessionRecipe>(SESSIONS, inject("valkeyUrl"), replaced);
      const ann = visitor();
      await ann.ask(`${one.url}/login/ann`, "POST");
      expect((await ann.ask(`${one.url}/me`)).status).toBe(200);
      await until(async () => (await ids(one)).length === 0, { what: "the end of the session" });
      expect((await ann.ask(`${one.url}/me`)).status).toBe(401);
    });

    it("list and clear sessions, in a cluster too, and nothing of the cache", async () => {
      await using cluster = await startCluster();
      const one = await start<SessionRecipe>(SESSIONS, cluster.url);
      await one.cache.set("a", 1);
      expect([await one.sessions.all(), await one.sessions.length(), await ids(one)]).toEqual([[], 0, []]);
      const users = Array.from({ length: 20 }, (_user, i) => `user-${i}`);
      const visitors = users.map(() => visitor());
      for (const [i, user] of users.entries()) await visitors[i]?.ask(`${one.url}/login/${user}`, "POST");
      const all = (await one.sessions.all()) as { id: string; user: string }[];
      expect(all.map(({ user }) => user).toSorted()).toEqual(users.toSorted());
      expect((await ids(one)).toSorted()).toEqual(all.map(({ id }) => id).toSorted());
      await visitors[0]?.ask(`${one.url}/logout`, "POST");
      expect(await one.sessions.length()).toBe(19);
      await one.cache.clear();
      expect(await one.sessions.length(), "after the cache was cleared").toBe(19);
      await one.cache.set("a", 1);
      await one.sessions.clear();
      expect(await one.sessions.length()).toBe(0);
      expect(await one.cache.get("a")).toBe(1);
    });

    it("are read at the server each time, also where a near cache keeps keys of this prefix", async () => {
      await using server = await startValkey();
      const replaced: Replaced = [
        [SESSIONS.prefix, "shop:1:session:"],
        ['keyPrefix: "shop"', 'keyPrefix: "shop", nearCache: nearCache()'],
        ["createCache, ", "createCache, nearCache, "],
      ];
      const one = await start<SessionRecipe>(SESSIONS, server.url, replaced);
      const ann = visitor();
      await ann.ask(`${one.url}/login/ann`, "POST");
      await one.cache.set("a", 1);
      const isKept = async () => (await one.cache.get("a")) === 1 && (await one.cache.health()).nearCache?.entries;
      await until(isKept, { what: "the near cache to keep entries" });
      await command(server.port, ["CONFIG", "RESETSTAT"]);
      const [id = ""] = await ids(one);
      for (let i = 0; i < 20; i++) expect(await one.sessions.get(id)).toMatchObject({ user: "ann" });
      expect(await callsOf(server.port, "get")).toBe(20);
    });

    it("answer within the deadline when the server is gone or hangs, and work again after its return", async () => {
      await using server = await startValkey();
      const one = await start<SessionRecipe>(SESSIONS, server.url);
      const ann = visitor();
      await ann.ask(`${one.url}/login/ann`, "POST");
      const timed = async (who: ReturnType<typeof visitor>, path: string, method?: string) => {
        const startMs = performance.now();
        const { status } = await who.ask(`${one.url}${path}`, method);
        return { status, isInTime: performance.now() - startMs < ENDED_MS };
      };
      await server.kill("SIGSTOP");
      expect(await timed(ann, "/me")).toEqual({ status: 500, isInTime: true });
      await server.kill("SIGCONT");
      await until(async () => (await ann.ask(`${one.url}/me`)).status === 200, { what: "the session" });
      await server.kill("SIGKILL");
      for (let i = 0; i < 10; i++) expect(await timed(ann, "/me")).toEqual({ status: 500, isInTime: true });
      expect(await timed(visitor(), "/me"), "it has no session").toEqual({ status: 401, isInTime: true });
      expect((await timed(visitor(), "/login/ann", "POST")).isInTime).toBe(true);
      await server.restart();
      await until(async () => (await ann.ask(`${one.url}/login/ann`, "POST")).status === 204, { what: "a login" });
      expect((await ann.ask(`${one.url}/me`)).status).toBe(200);
    });

    it("need no more of an ACL than the page says", async () => {
      await using server = await startValkey();
      const url = await withRules(server.port, SESSIONS);
      const one = await start<SessionRecipe>(SESSIONS, url);
      const ann = visitor();
      expect((await ann.ask(`${one.url}/login/ann`, "POST")).status).toBe(204);
      expect((await ann.ask(`${one.url}/me`)).status).toBe(200);
      expect(await one.sessions.all()).toHaveLength(1);
      expect((await ann.ask(`${one.url}/logout`, "POST")).status).toBe(204);
      expect(await refused(server.port)).toEqual([]);
    });
  });

  describe("of docs/rate-limits.md", () => {
    const limited = (points: string, duration: string, prefix = randomUUID()): Replaced => [
      [LIMITS.prefix, prefix],
      ["points: 100,\n  duration: 60,", `points: ${points}, duration: ${duration},`],
      ["points: 25,", "points: 2,"],
    ];
    const statuses = async (url: string, count: number) => {
      const all: number[] = [];
      for (let i = 0; i < count; i++) all.push((await fetch(url)).status);
      return all;
    };

    it("refuse requests beyond the limit, counted over all instances, and say when to come back", async () => {
      const replaced = limited("5", "60");
      const one = await start<LimitRecipe>(LIMITS, inject("valkeyUrl"), replaced);
      const two = await start<LimitRecipe>(LIMITS, inject("valkeyUrl"), replaced);
      expect(await statuses(one.url, 3)).toEqual([200, 200, 200]);
      expect(await statuses(two.url, 3)).toEqual([200, 200, 429]);
      const refusal = await fetch(one.url);
      expect(refusal.status).toBe(429);
      const after = Number(refusal.headers.get("retry-after"));
      expect(after).toBeGreaterThan(50);
      expect(after).toBeLessThanOrEqual(60);
    });

    it("count concurrent requests exactly, in one round trip each", async () => {
      await using server = await startValkey();
      const one = await start<LimitRecipe>(LIMITS, server.url, limited("20", "60"));
      await fetch(one.url);
      await command(server.port, ["CONFIG", "RESETSTAT"]);
      const answers = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(one.url)).status));
      expect(answers.filter((status) => status === 200)).toHaveLength(19);
      expect([await callsOf(server.port, "evalsha"), await callsOf(server.port, "eval")]).toEqual([50, 0]);
    });

    it("count anew when the time is over", async () => {
      const one = await start<LimitRecipe>(LIMITS, inject("valkeyUrl"), limited("1", "1"));
      expect(await statuses(one.url, 2)).toEqual([200, 429]);
      await until(async () => (await fetch(one.url)).status === 200, { what: "the next second" });
    });

    it("have all methods of the limiter, in a cluster too", async () => {
      await using cluster = await startCluster();
      const { limiter } = await start<LimitRecipe>(LIMITS, cluster.url, limited("5", "60"));
      const never = await start<LimitRecipe>(LIMITS, cluster.url, limited("5", "0"));
      for (const key of ["a", "b", "c", "d"]) {
        expect(await limiter.get(key)).toBeNull();
        expect(await limiter.consume(key, 2)).toMatchObject({ consumedPoints: 2, remainingPoints: 3 });
        expect(await limiter.penalty(key)).toMatchObject({ consumedPoints: 3 });
        expect(await limiter.reward(key, 2)).toMatchObject({ consumedPoints: 1 });
        const { msBeforeNext = 0 } = (await limiter.get(key)) ?? {};
        expect(msBeforeNext).toBeGreaterThan(50_000);
        await limiter.set(key, 4, 0);
        expect(await limiter.get(key)).toMatchObject({ consumedPoints: 4, remainingPoints: 1, msBeforeNext: -1 });
        await limiter.block(key, 30);
        await expect(limiter.consume(key)).rejects.toMatchObject({ remainingPoints: 0 });
        expect([await limiter.delete(key), await limiter.delete(key)]).toEqual([true, false]);
        expect(await limiter.get(key)).toBeNull();
        await never.limiter.consume(key, 2);
        expect(await never.limiter.get(key)).toMatchObject({ consumedPoints: 2, msBeforeNext: -1 });
      }
    });

    it("report what the server refuses", async () => {
      const prefix = randomUUID();
      const replaced: Replaced = [...limited("5", "60", prefix), ["  insuranceLimiter", "  // insuranceLimiter"]];
      const { limiter } = await start<LimitRecipe>(LIMITS, inject("valkeyUrl"), replaced);
      await command(port(), ["SADD", `${prefix}:set`, "member"]);
      for (const call of [() => limiter.consume("set"), () => limiter.get("set")]) {
        await expect(call()).rejects.toMatchObject({ name: "ReplyError", code: "WRONGTYPE" });
      }
      expect(await command(port(), ["DEL", `${prefix}:set`])).toBe(1);
    });

    it("count in the process while the server is gone or hangs, within the deadline, and in the server after its return", async () => {
      await using server = await startValkey();
      const one = await start<LimitRecipe>(LIMITS, server.url, limited("100", "60"));
      expect(await statuses(one.url, 3)).toEqual([200, 200, 200]);
      const timed = async () => {
        const startMs = performance.now();
        const { status } = await fetch(one.url);
        return { status, isInTime: performance.now() - startMs < ENDED_MS };
      };
      await server.kill("SIGSTOP");
      expect(await timed()).toEqual({ status: 200, isInTime: true });
      await server.kill("SIGKILL");
      expect(await timed()).toEqual({ status: 200, isInTime: true });
      for (let i = 0; i < 10; i++) expect(await timed()).toEqual({ status: 429, isInTime: true });
      await server.restart();
      await until(async () => (await fetch(one.url)).status === 200, { what: "a count in the server" });
    });

    it("need no more of an ACL than the page says", async () => {
      await using server = await startValkey();
      const url = await withRules(server.port, LIMITS);
      const { limiter } = await start<LimitRecipe>(LIMITS, url, [["points: 100", "points: 5"]]);
      const never = await start<LimitRecipe>(LIMITS, url, [["duration: 60", "duration: 0"]]);
      await limiter.consume("a", 2);
      await limiter.consume("a", 2);
      await limiter.get("a");
      await limiter.block("a", 30);
      await limiter.delete("a");
      await never.limiter.consume("b");
      expect(await refused(server.port)).toEqual([]);
    });
  });
});

/** How often the server has run a command since its statistics were reset. */
async function callsOf(port: number, name: string): Promise<number> {
  const info = String(await command(port, ["INFO", "commandstats"]));
  return Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(info)?.[1] ?? 0);
}

/** Makes a user with the rules that a page names, and those of the connection. @returns the location with its name */
async function withRules(port: number, { page }: { page: string }): Promise<string> {
  const text = readFileSync(join(root, "docs", page), "utf8");
  const [, granted = "", pattern = ""] = /`(\+[a-z +]+)` on `(~[^`]+)`/.exec(text) ?? [];
  const rules = [...granted.split(" "), "+ping", "+client|setinfo", pattern];
  expect(rules.length).toBeGreaterThan(5);
  await command(port, ["ACL", "SETUSER", "app", "on", ">password", ...rules]);
  return `valkey://app:password@${HOST}:${port}`;
}

/** What the server's ACL has refused so far. */
async function refused(port: number): Promise<unknown> {
  return command(port, ["ACL", "LOG"]);
}
