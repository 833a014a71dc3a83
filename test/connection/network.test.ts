import { describe, expect, it } from "vitest";
import { type CacheOptions, createCache, glideCluster, TimeoutError } from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { startProxy } from "../support/proxy.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";
import { DEADLINE_MS, end, expectFailedInTime, QUICK, works } from "./in-time.js";

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

  it("that resets the connection does not affect idempotent commands", async () => {
    await using at = await through();
    for (let i = 0; i < 3; i++) {
      at.proxy.reset();
      expect(await at.cache.get("a")).toBe(1);
      at.proxy.reset();
      expect(await at.cache.set("a", 1, { ttl: 50 })).toBe(true);
      // Retrying a write does not extend its ttl.
      expect(await at.cache.ttl("a")).toBeLessThanOrEqual(50);
    }
  });

  it("that silently drops all data makes calls fail in time, and the server is dialled again afterwards", async () => {
    await using at = await through();
    at.proxy.pause();
    for (let i = 0; i < 3; i++) expectFailedInTime(await end(at.cache.get("a")));
    // The open connection was abandoned, so the server is dialled again.
    expect(at.proxy.accepted).toBeGreaterThan(1);
    at.proxy.resume();
    await works(at.cache);
    expect(await at.cache.get("a")).toBe(1);
  });

  it("that is slower than the deadline makes calls fail, and a faster one does not", async () => {
    await using at = await through();
    at.proxy.delay(400);
    expect((await end(at.cache.get("a"))).error).toBeInstanceOf(TimeoutError);
    at.proxy.delay(20);
    await works(at.cache);
    expect(await at.cache.get("a")).toBe(1);
  });

  it("that delivers single bytes breaks no reply", async () => {
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

  it("carries one connection of this process, however many first commands there are", async () => {
    await using server = await startValkey();
    await using proxy = await startProxy({ port: server.port });
    await using cache = createCache({ location: proxy.url, ...QUICK });
    expect(proxy.accepted).toBe(0);
    await Promise.all(Array.from({ length: 50 }, (_, i) => cache.get(`key ${i}`)));
    // A dial that takes long asks the server in a second connection, and may try a third one.
    expect(proxy.accepted).toBeLessThanOrEqual(3);
  });
});

describe("a cluster that loses a node", () => {
  it("makes each failing call fail in time, and serves the other slots", async () => {
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
