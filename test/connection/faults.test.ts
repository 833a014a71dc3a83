import { describe, expect, it, vi } from "vitest";
import { type Cache, ConnectionError, createCache, TimeoutError } from "../../src/index.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { end, expectEachFailsInTime, expectFailedInTime, expectWorks, isLoad, QUICK, ROWS, works } from "./in-time.js";

describe("a missing server", () => {
  it("makes every method fail in time, while getOrSet returns its loader's value", async () => {
    await using cache = createCache({ location: "valkey://127.0.0.1:1", ...QUICK });
    await expectEachFailsInTime(cache);
  });

  it("does not make the first commands wait for each other", async () => {
    await using proxy = await startProxy({ port: 1 });
    await using cache = createCache({ location: proxy.url, ...QUICK });
    const ends = await Promise.all(Array.from({ length: 50 }, () => end(cache.get("a"))));
    for (const one of ends) expectFailedInTime(one);
  });

  it("is found by the same cache as soon as it starts", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    await proxy.refuse();
    await using cache = createCache({ location: proxy.url, ...QUICK });
    expectFailedInTime(await end(cache.get("a")));
    await proxy.accept();
    await works(cache);
    await expectWorks(cache);
  });

  it("gives misses if errors are ignored, and reports each error", async () => {
    const onError = vi.fn();
    await using cache = createCache({ location: "valkey://127.0.0.1:1", ...QUICK, ignoreErrors: true, onError });
    expect(await cache.get("a", { default: 5 })).toBe(5);
    expect(await cache.set("a", 1)).toBe(false);
    expect(onError).toHaveBeenCalledTimes(2);
    expect(onError).toHaveBeenCalledWith(expect.any(ConnectionError), { method: "set", key: ":1:a" });
  });
});

describe("a server that is killed", () => {
  it("makes all commands in progress fail in time", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.set("a", 1);
    await server.kill("SIGSTOP");
    const calls = Promise.all(ROWS.map(([name, { run }]) => (isLoad(name) ? undefined : end(run(cache)))));
    await server.kill("SIGKILL");
    for (const one of await calls) if (one) expectFailedInTime(one);
    await expectEachFailsInTime(cache);
  });

  it("serves the next commands of the same cache after a restart", async () => {
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
    ["sets.members", (cache) => cache.sets.members("a"), new Set()],
    ["keys", (cache) => cache.keys(), []],
    ["flush", (cache) => cache.flush(), undefined],
  ])("and restarted meanwhile is not noticed by %s", async (_, run, value) => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await cache.set("before", 1);
    await server.restart();
    expect(await run(cache)).toEqual(value);
  });

  it("has lost its scripts after a restart, and they are sent again", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    for (let i = 0; i < 3; i++) await cache.incr("a", 1, { create: true });
    await server.restart();
    await works(cache);
    expect(await cache.incr("a", 1, { create: true })).toBe(1);
  });

  it("lets getOrSet use its loader, and stores values again afterwards", async () => {
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
  it("makes every method fail with a TimeoutError in time, and serves again when it resumes", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.set("a", 1);
    await server.kill("SIGSTOP");
    const first = await end(cache.get("a"));
    expect(first.error).toBeInstanceOf(TimeoutError);
    expect(first.totalMs).toBeGreaterThanOrEqual(290);
    expect(String(first.error)).toMatch(/did not answer.*commandTimeout/);
    await expectEachFailsInTime(cache);
    await server.kill("SIGCONT");
    await works(cache);
    await expectWorks(cache);
  });

  it("makes the first command fail in time", async () => {
    await using server = await startValkey();
    await server.kill("SIGSTOP");
    await using cache = createCache({ location: server.url, ...QUICK });
    const ends = await Promise.all(Array.from({ length: 20 }, () => end(cache.get("a"))));
    for (const one of ends) expectFailedInTime(one);
    await server.kill("SIGCONT");
    await works(cache);
  });

  it("makes a call fail within one second by default", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url });
    await cache.get("a");
    await server.kill("SIGSTOP");
    const { error, ms, totalMs } = await end(cache.get("a"));
    expect(error).toBeInstanceOf(TimeoutError);
    expect(totalMs).toBeGreaterThan(900);
    expect(ms).toBeLessThan(1_900);
  });

  it("ends the wait for a lock in time", async () => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...QUICK });
    await cache.lock("job");
    await server.kill("SIGSTOP");
    expectFailedInTime(await end(cache.lock("job", { waitTimeout: "30s" })));
  });
});
