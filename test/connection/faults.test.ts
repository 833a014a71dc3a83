import { describe, expect, it, vi } from "vitest";
import { type Cache, ConnectionError, createCache, TimeoutError } from "../../src/index.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { end, expectEachFailsInTime, expectFailedInTime, expectWorks, isLoad, QUICK, ROWS, works } from "./in-time.js";

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
    expectFailedInTime(await end(cache.lock("job", { waitTimeout: "30s" })));
  });
});
