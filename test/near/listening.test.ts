import { spawnSync } from "node:child_process";
import { Redis } from "iovalkey";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, iovalkey, type NearCacheOptions } from "../../src/index.js";
import { command } from "../support/command.js";
import { startProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { startListenerProxy } from "./listener-proxy.js";
import { listenersAt, Near } from "./near.js";

/** So long that nothing but what the server tells ends an entry. */
const TOLD: NearCacheOptions = { maxStaleness: "1h" };
const STALE_MS = 1_000;
const BOUND: NearCacheOptions = { maxStaleness: STALE_MS / 1_000 };
const KEY = "app:1:key";

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
});
afterAll(() => server.stop());

function open(port: number, near: NearCacheOptions, options: Partial<CacheOptions> = {}): Near {
  const given = { location: `valkey://127.0.0.1:${port}`, connectionFactory: iovalkey(), keyPrefix: "app", ...options };
  return new Near(given as CacheOptions, near);
}

describe("what the server tells", () => {
  it.each<[string, string[], unknown]>([
    ["SET", ["SET", KEY, "2"], 2],
    ["APPEND", ["APPEND", KEY, "0"], 10],
    ["DEL", ["DEL", KEY], undefined],
    ["RENAME", ["RENAME", KEY, "app:1:other"], undefined],
    ["a lifetime that ends", ["PEXPIRE", KEY, "20"], undefined],
    ["FLUSHALL", ["FLUSHALL"], undefined],
    ["a script", ["EVAL", "return redis.call('SET', KEYS[1], '3')", "1", KEY], 3],
  ])("ends an entry: %s of another client", async (_what, given, value) => {
    await using near = open(server.port, TOLD);
    await near.keep("key", 1);
    await command(server.port, given as [string, ...string[]]);
    await near.sees("key", value);
  });

  it("ends entries that are evicted", async () => {
    await using full = await startValkey({ args: ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"] });
    await using near = open(full.port, TOLD);
    const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`);
    for (const key of keys) await near.keep(key, 1);
    const fill = "for i = 1, 4000 do redis.call('SET', 'filler' .. i, string.rep('x', 1000)) end";
    await command(full.port, ["EVAL", fill, "0"]);
    // The server evicts little by little.
    const left = async () => Number(await command(full.port, ["EXISTS", ...keys.map((key) => `app:1:${key}`)]));
    await until(async () => (await left()) < keys.length, { what: "the server to evict entries" });
    const isSeen = async () => {
      const seen = (await Promise.all(keys.map((key) => near.cache.get(key)))).filter(Boolean).length;
      return seen < keys.length && seen <= (await left());
    };
    await until(isSeen, { what: "the evicted entries to be gone" });
  });
});

describe("a listener", () => {
  it("that is killed vouches for nothing: a later write of another client is seen at once", async () => {
    await using near = open(server.port, TOLD);
    await near.keep("key", 1);
    const [id = ""] = await listenersAt(server.port);
    await command(server.port, ["CLIENT", "KILL", "ID", id]);
    await command(server.port, ["SET", KEY, "2"]);
    await near.sees("key", 2);
    await near.keep("key", 3);
    await command(server.port, ["SET", KEY, "4"]);
    await near.sees("key", 4);
  });

  it("listens again to a server that was restarted", async () => {
    await using own = await startValkey();
    await using near = open(own.port, TOLD);
    await near.keep("key", 1);
    await own.kill("SIGKILL");
    await until(async () => !(await near.health()).listening, { what: "the loss" });
    await own.restart();
    await near.sees("key", undefined);
    await near.keep("key", 1);
    await command(own.port, ["SET", KEY, "2"]);
    await near.sees("key", 2);
  });

  it("that has no answers any more is trusted for maxStaleness at most, and reads go on from the server", async () => {
    await using proxy = await startListenerProxy(server.port);
    await using near = open(proxy.port, BOUND);
    await near.keep("key", 1);
    proxy.hang();
    await command(server.port, ["SET", KEY, "2"]);
    const took = stopwatch();
    await near.sees("key", 2);
    expect(took()).toBeLessThan(STALE_MS + 200);
    for (let reads = 0; reads < 3; reads++) expect(await near.read("key")).toEqual({ value: 2, isKnown: false });
    proxy.heal();
    await until(() => near.knows("key"), { what: "the near cache to listen again", timeoutMs: 10_000 });
  });

  it.concurrent("that hangs from the start slows no call, and is had later", async () => {
    await using proxy = await startListenerProxy(server.port);
    proxy.hang();
    await using hung = open(proxy.port, BOUND, { connectionFactory: iovalkey({ connectTimeout: "500ms" }) });
    const took = stopwatch();
    await hung.cache.set("key", 1);
    for (let reads = 0; reads < 50; reads++) expect(await hung.read("key")).toEqual({ value: 1, isKnown: false });
    expect(took()).toBeLessThan(400);
    await until(() => hung.errors.length > 0, { what: "a report", timeoutMs: 10_000 });
    expect(hung.errors[0]?.message).toMatch(/can't hear of changes.*no answer within 500 ms/);
    proxy.heal();
    await until(() => hung.knows("key"), { what: "the near cache to listen", timeoutMs: 10_000 });
  });

  it.concurrent("whose messages the server can't send any more ends, and vouches for nothing", async () => {
    const limit = ["--client-output-buffer-limit", "pubsub 1mb 1mb 0"];
    await using own = await startValkey({ args: limit });
    await using proxy = await startListenerProxy(own.port);
    await using near = open(proxy.port, TOLD);
    await near.keep("key", 1);
    proxy.stall();
    const [before] = await listenersAt(own.port);
    const flood = "for i = 1, 30000 do redis.call('SET', 'app:1:' .. string.rep('x', 900) .. i, '') end";
    await command(own.port, ["EVAL", flood, "0"], { timeoutMs: 10_000 });
    await until(async () => !(await listenersAt(own.port)).includes(before ?? ""), {
      what: "the listener to be ended",
    });
    await command(own.port, ["SET", KEY, "2"]);
    proxy.heal();
    await near.sees("key", 2);
    await near.keep("key", 3);
  });

  it.concurrent("that the server has no place for is had later", async () => {
    await using own = await startValkey();
    await using near = open(own.port, TOLD);
    const admin = new Redis(own.port, own.host);
    // One for this connection, and one for the cache's commands.
    await admin.config("SET", "maxclients", "2");
    await near.cache.set("key", 1);
    await until(async () => (await near.health()).lastError, { what: "a refusal" });
    expect((await near.health()).lastError?.message).toMatch(/max number of clients|closed/);
    expect(await near.read("key")).toEqual({ value: 1, isKnown: false });
    await admin.config("SET", "maxclients", "100");
    admin.disconnect();
    await until(() => near.knows("key"), { what: "the near cache to listen", timeoutMs: 10_000 });
    expect((await near.health()).invalidation).toBe("tracking");
  });

  it.concurrent("tracks again after a load balancer has closed connections while the server was down", async () => {
    await using own = await startValkey();
    await using proxy = await startProxy({ port: own.port });
    await using near = open(proxy.port, TOLD);
    await near.keep("key", 1);
    await own.kill("SIGKILL");
    await until(() => near.errors.length > 0, { what: "a report", timeoutMs: 10_000 });
    // HELLO and PING in turn.
    const attempts = proxy.accepted;
    await until(() => proxy.accepted >= attempts + 2, { what: "more attempts", timeoutMs: 10_000 });
    await own.restart();
    await until(() => near.cache.set("key", 2), { what: "a write", timeoutMs: 10_000 });
    await near.sees("key", 2);
    await until(() => near.knows("key"), { what: "the near cache to listen", timeoutMs: 10_000 });
    expect(await near.health()).toMatchObject({ invalidation: "tracking", listening: true });
    await command(own.port, ["SET", KEY, "3"]);
    await near.sees("key", 3);
  }, 30_000);

  it.concurrent("tries a server that is gone a few times in seconds, and not any more once the cache is closed", async () => {
    await using own = await startValkey();
    await using proxy = await startProxy({ port: own.port });
    const near = open(proxy.port, TOLD);
    await near.keep("key", 1);
    await own.stop();
    const before = proxy.accepted;
    await until(() => near.errors.length > 0, { what: "a report", timeoutMs: 10_000 });
    const took = stopwatch();
    await near.cache.close();
    expect(took()).toBeLessThan(100);
    const attempts = proxy.accepted - before;
    expect(attempts).toBeGreaterThanOrEqual(3);
    expect(attempts).toBeLessThanOrEqual(12);
    const untilMs = performance.now() + 1_700;
    await until(() => performance.now() > untilMs, { what: "the two longest pauses so far" });
    // One may have been under way.
    expect(proxy.accepted - before).toBeLessThanOrEqual(attempts + 1);
  });
});

describe("caches of one process and one server", () => {
  it("share a listener, which ends with the last of them", async () => {
    await using own = await startValkey();
    const nears = ["a", "b", "a"].map((keyPrefix) => open(own.port, TOLD, { keyPrefix }));
    for (const near of nears) await near.keep("key", 1);
    expect(await listenersAt(own.port)).toHaveLength(1);
    for (const [i, near] of nears.entries()) {
      const prefix = ["a", "b", "a"][i];
      await command(own.port, ["SET", `${prefix}:1:key`, `${i + 5}`]);
      await near.sees("key", i + 5);
    }
    const [first, second, third] = nears as [Near, Near, Near];
    await first.cache.close();
    await second.cache.close();
    expect(await listenersAt(own.port)).toHaveLength(1);
    await third.keep("key", 2);
    await third.cache.close();
    await until(async () => (await listenersAt(own.port)).length === 0, { what: "the listener to end" });
  });

  it("that joins with another prefix keeps nothing before the server tells of that, while the others go on", async () => {
    await using proxy = await startListenerProxy(server.port);
    await using first = open(proxy.port, TOLD, { keyPrefix: "first" });
    await first.keep("key", 1);
    await using second = open(proxy.port, TOLD, { keyPrefix: "second" });
    proxy.hang();
    await second.cache.set("key", 1);
    for (let reads = 0; reads < 5; reads++) expect(await second.knows("key")).toBe(false);
    expect(await first.knows("key")).toBe(true);
    proxy.heal();
    await second.keep("key", 1, 10_000);
    await command(server.port, ["SET", "second:1:key", "2"]);
    await second.sees("key", 2);
  });
});

describe("a process that stood still", () => {
  it("answers nothing old after its event loop was blocked for longer than maxStaleness", async () => {
    await using near = open(server.port, BOUND);
    await near.keep("key", 1);
    const untilMs = performance.now() + STALE_MS + 100;
    spawnSync("valkey-cli", ["-p", String(server.port), "SET", KEY, "2"]);
    while (performance.now() < untilMs);
    expect(await near.cache.get("key")).toBe(2);
  });
});
