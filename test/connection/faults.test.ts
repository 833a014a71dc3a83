import { describe, expect, it, vi } from "vitest";
import {
  type Cache,
  type CacheOptions,
  ConnectionError,
  createCache,
  glideCluster,
  TimeoutError,
} from "../../src/index.js";
import { COMMANDS } from "../contract/cache/commands.js";
import { startCluster } from "../support/cluster.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

const QUICK = { connectTimeout: "500ms", commandTimeout: "300ms" } as const;
/** Both, and what a busy machine adds. */
const DEADLINE_MS = 1_500;

interface End {
  readonly error: unknown;
  readonly value: unknown;
  readonly ms: number;
}

/** How a call ends, and when. */
async function end(call: Promise<unknown>): Promise<End> {
  const startMs = performance.now();
  const ms = () => performance.now() - startMs;
  return await call.then(
    (value) => ({ value, error: undefined, ms: ms() }),
    (error: unknown) => ({ value: undefined, error, ms: ms() }),
  );
}

function expectFailedInTime({ error, ms }: End): void {
  expect(error).toBeInstanceOf(ConnectionError);
  expect(ms).toBeLessThan(DEADLINE_MS);
}

const ROWS = Object.entries(COMMANDS);
const isLoad = (name: string) => name.startsWith("getOrSet");

/** Every method at once, and then one after another. */
async function expectEachFailsInTime(cache: Cache): Promise<void> {
  for (const ends of [
    await Promise.all(ROWS.map(([, { run }]) => end(run(cache)))),
    await inTurn(ROWS.slice(0, 6), ([, { run }]) => end(run(cache))),
  ]) {
    for (const [i, one] of ends.entries()) {
      const [name = "", { otherwise } = { otherwise: undefined }] = ROWS[i] ?? [];
      if (!isLoad(name)) expectFailedInTime(one);
      else expect(one).toMatchObject({ value: otherwise, error: undefined });
      expect(one.ms).toBeLessThan(DEADLINE_MS);
    }
  }
}

async function inTurn<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await run(item));
  return results;
}

/** Each with the methods that a newcomer tries first. */
async function expectWorks(cache: Cache): Promise<void> {
  expect(await cache.set("a", 1)).toBe(true);
  expect(await cache.get("a")).toBe(1);
  expect(await cache.incr("a")).toBe(2);
  expect(await cache.keys()).toContain("a");
  expect(await cache.delete("a")).toBe(true);
}

/** What is not repeated may fail once, and at once, while the loss is found out; never the time after the back-off. */
function works(cache: Cache): Promise<unknown> {
  return until(async () => (await cache.set("back", 1)) && (await cache.incr("back")) === 2, {
    what: "the cache to work again",
  });
}

describe("a server that is not there", () => {
  it("fails every method in time, and getOrSet answers by its loader", async () => {
    await using cache = createCache({ location: "valkey://127.0.0.1:1", ...QUICK });
    await expectEachFailsInTime(cache);
  });

  it("does not make first commands wait for each other", async () => {
    await using proxy = await startProxy({ port: 1 });
    await using cache = createCache({ location: proxy.url, ...QUICK });
    const ends = await Promise.all(Array.from({ length: 50 }, () => end(cache.get("a"))));
    for (const one of ends) expectFailedInTime(one);
  });

  it("is found as soon as it is there, by the same cache", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    await proxy.refuse();
    await using cache = createCache({ location: proxy.url, ...QUICK });
    expectFailedInTime(await end(cache.get("a")));
    await proxy.accept();
    await works(cache);
    await expectWorks(cache);
  });

  it("answers misses where errors are ignored, and tells of each", async () => {
    const onError = vi.fn();
    await using cache = createCache({ location: "valkey://127.0.0.1:1", ...QUICK, ignoreErrors: true, onError });
    expect(await cache.get("a", { default: 5 })).toBe(5);
    expect(await cache.set("a", 1)).toBe(false);
    expect(onError).toHaveBeenCalledTimes(2);
    expect(onError).toHaveBeenCalledWith(expect.any(ConnectionError), { method: "set", key: ":1:a" });
  });
});

describe("a server that is killed", () => {
  it("in the middle of commands fails each of them in time", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.set("a", 1);
    await server.kill("SIGSTOP");
    const calls = Promise.all(ROWS.map(([name, { run }]) => (isLoad(name) ? undefined : end(run(cache)))));
    await server.kill("SIGKILL");
    for (const one of await calls) if (one) expectFailedInTime(one);
    await expectEachFailsInTime(cache);
  });

  it("and restarted serves the next commands, without a new cache", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await expectWorks(cache);
    await server.kill("SIGKILL");
    expectFailedInTime(await end(cache.get("a")));
    await server.restart();
    await works(cache);
    await expectWorks(cache);
  });

  it.each<[string, (cache: Cache) => Promise<unknown>, unknown]>([
    ["get", (cache) => cache.get("a"), undefined],
    ["set", (cache) => cache.set("a", 1), true],
    ["getMany", (cache) => cache.getMany(["a"]), new Map()],
    ["setMany", (cache) => cache.setMany({ a: 1 }), []],
    ["has", (cache) => cache.has("a"), false],
    ["ttl", (cache) => cache.ttl("a"), undefined],
    ["smembers", (cache) => cache.smembers("a"), new Set()],
    ["keys", (cache) => cache.keys(), []],
    ["flush", (cache) => cache.flush(), undefined],
  ])("and restarted meanwhile is not noticed by %s", async (_, run, value) => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await cache.set("before", 1);
    await server.restart();
    expect(await run(cache)).toEqual(value);
  });

  it("and restarted has lost the scripts, which are sent again", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    for (let i = 0; i < 3; i++) await cache.incr("a", 1, { create: true });
    await server.restart();
    await works(cache);
    expect(await cache.incr("a", 1, { create: true })).toBe(1);
  });

  it("serves getOrSet by its loader meanwhile, and stores again afterwards", async () => {
    await using server = await startValkey();
    const onError = vi.fn();
    await using cache = createCache({ location: server.url, ...QUICK, onError });
    expect(await cache.getOrSet("a", () => 1)).toBe(1);
    await server.kill("SIGKILL");
    expect(await cache.getOrSet("a", () => 2)).toBe(2);
    expect(onError).toHaveBeenCalledWith(expect.any(ConnectionError), { method: "getOrSet", key: ":1:a" });
    await server.restart();
    await works(cache);
    expect(await cache.getOrSet("a", () => 3)).toBe(3);
    expect(await cache.get("a")).toBe(3);
  });
});

describe("a server that hangs", () => {
  it("fails every method with a TimeoutError in time, and serves again when it goes on", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.set("a", 1);
    await server.kill("SIGSTOP");
    const first = await end(cache.get("a"));
    expect(first.error).toBeInstanceOf(TimeoutError);
    expect(first.ms).toBeGreaterThanOrEqual(290);
    expect(String(first.error)).toMatch(/did not answer.*commandTimeout/);
    await expectEachFailsInTime(cache);
    await server.kill("SIGCONT");
    await works(cache);
    await expectWorks(cache);
  });

  it("before it is connected to fails in time, too", async () => {
    await using server = await startValkey();
    await server.kill("SIGSTOP");
    await using cache = createCache({ location: server.url, ...QUICK });
    const ends = await Promise.all(Array.from({ length: 20 }, () => end(cache.get("a"))));
    for (const one of ends) expectFailedInTime(one);
    await server.kill("SIGCONT");
    await works(cache);
  });

  it("ends a call within one second by default", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await cache.get("a");
    await server.kill("SIGSTOP");
    const { error, ms } = await end(cache.get("a"));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(1_900);
  });

  it("releases a lock's wait in time", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.lock("job");
    await server.kill("SIGSTOP");
    expectFailedInTime(await end(cache.lock("job", { wait: "30s" })));
  });
});

describe("a network", () => {
  async function through(options: Partial<CacheOptions> = {}) {
    const server = await startValkey();
    const proxy = await startProxy({ port: server.port });
    const cache = createCache({ location: proxy.url, ...QUICK, ...options });
    await cache.set("a", 1);
    const stop = async () => {
      await cache.close();
      await proxy.close();
      await server.stop();
    };
    return { proxy, cache, [Symbol.asyncDispose]: stop };
  }

  it("that resets the connection is not noticed by what may be repeated", async () => {
    await using at = await through();
    for (let i = 0; i < 3; i++) {
      at.proxy.reset();
      expect(await at.cache.get("a")).toBe(1);
      at.proxy.reset();
      expect(await at.cache.set("a", 1, { ttl: 50 })).toBe(true);
      // Repeating a write does not lengthen its lifetime.
      expect(await at.cache.ttl("a")).toBeLessThanOrEqual(50);
    }
  });

  it("that drops all silently fails calls in time, and is dialled anew afterwards", async () => {
    await using at = await through();
    at.proxy.pause();
    for (let i = 0; i < 3; i++) expectFailedInTime(await end(at.cache.get("a")));
    const dials = at.proxy.accepted;
    at.proxy.resume();
    await works(at.cache);
    expect(at.proxy.accepted).toBeGreaterThanOrEqual(dials);
    expect(await at.cache.get("a")).toBe(1);
  });

  it("that is slower than the deadline fails calls, and one that is faster does not", async () => {
    await using at = await through();
    at.proxy.delay(400);
    expect((await end(at.cache.get("a"))).error).toBeInstanceOf(TimeoutError);
    at.proxy.delay(20);
    await works(at.cache);
    expect(await at.cache.get("a")).toBe(1);
  });

  it("that passes one byte at a time breaks no reply", async () => {
    await using at = await through({ commandTimeout: "5s" });
    at.proxy.throttle();
    const value = { text: "0123456789".repeat(20) };
    await at.cache.set("b", value);
    expect(await at.cache.getMany(["a", "b"])).toEqual(
      new Map<string, unknown>([
        ["a", 1],
        ["b", value],
      ]),
    );
  });

  it("has one connection from this process, however many first commands there are", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    await using cache = createCache({ location: proxy.url, ...QUICK });
    expect(proxy.accepted).toBe(0);
    await Promise.all(Array.from({ length: 50 }, (_, i) => cache.get(`key ${i}`)));
    expect(proxy.accepted).toBe(1);
  });
});

describe("a cluster that loses a node", () => {
  it("fails each call in time, and serves what can be served", async () => {
    await using cluster = await startCluster({ args: ["--cluster-require-full-coverage", "no"] });
    const connectionFactory = glideCluster(QUICK);
    await using cache = createCache({ location: cluster.url, connectionFactory });
    const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
    await cache.setMany(keys.map((key) => [key, key] as const));
    await cluster.nodes[0]?.kill("SIGKILL");
    const ends = await Promise.all(keys.map((key) => end(cache.get(key))));
    for (const { ms } of ends) expect(ms).toBeLessThan(DEADLINE_MS);
    const served = () => Promise.all(keys.map((key) => end(cache.get(key))));
    await until(async () => (await served()).filter(({ value }) => value !== undefined).length >= 10, {
      what: "the other nodes to serve",
      timeoutMs: 10_000,
    });
  });
});
