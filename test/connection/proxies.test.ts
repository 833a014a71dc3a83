import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, createCache, glide, herd, iovalkey } from "../../src/index.js";
import { type RespProxyOptions, startRespProxy } from "../support/resp-proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

/** What proxies do with a command that they don't know. */
const PROXIES: Readonly<Record<string, RespProxyOptions>> = {
  "answers unknown commands with an error": { unknown: "error" },
  "closes the connection on unknown commands": { unknown: "close" },
  "answers PING with an error, too": { unknown: "error", refused: ["PING"] },
  "closes the connection on PING, too": { unknown: "close", refused: ["PING"] },
};

const TRANSPORTS: Readonly<Record<string, (port: number) => CacheOptions>> = {
  "the default": (port) => ({ location: `valkey://127.0.0.1:${port}` }),
  "the default with several addresses": (port) => ({
    location: [`valkey://127.0.0.1:${port}`, `valkey://localhost:${port}`],
  }),
  "iovalkey()": (port) => ({ location: `valkey://127.0.0.1:${port}`, connectionFactory: iovalkey() }),
};

let server: ValkeyServer;
beforeAll(async () => {
  server = await startValkey();
});
afterAll(() => server?.stop());

describe.concurrent.each(Object.entries(PROXIES))("a proxy that %s", (_, options) => {
  it.each(Object.entries(TRANSPORTS))("carries both clients over %s", async (_, make) => {
    await using proxy = await startRespProxy(server.port, options);
    for (const [keyPrefix, client] of [
      ["plain", {}],
      ["herd", { client: herd() }],
    ] as const) {
      await using cache = createCache({ ...make(proxy.port), ...client, keyPrefix: `${keyPrefix}-${proxy.port}` });
      expect(await cache.set("a", 1)).toBe(true);
      expect(await cache.get("a")).toBe(1);
      expect(await cache.getOrSet("b", () => 2)).toBe(2);
      expect(await cache.getOrSet("b", () => 3)).toBe(2);
      expect([...(await cache.getMany(["a", "b"]))]).toEqual([
        ["a", 1],
        ["b", 2],
      ]);
      expect(await cache.incr("n", 1, { create: true })).toBe(1);
    }
  });
});

describe.concurrent("a proxy that GLIDE can't connect through", () => {
  it("is named by glide(), with iovalkey() as the remedy", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "close" });
    await using cache = createCache({ location: proxy.url, connectionFactory: glide() });
    await expect(cache.get("a")).rejects.toThrow(
      /the server answers, but valkey-glide can't connect .*; use .*iovalkey/,
    );
  });

  it("is not tried by GLIDE again, once iovalkey has taken over", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "close" });
    await using cache = createCache({ location: proxy.url, maxIdle: 0.001 });
    await cache.set("a", 1);
    expect(await cache.health()).toMatchObject({ state: "closed", transport: "iovalkey" });
    const { accepted } = proxy;
    for (let i = 0; i < 5; i++) expect(await cache.get("a")).toBe(1);
    expect(proxy.accepted - accepted).toBeLessThanOrEqual(5);
    expect(proxy.refused.slice(-5)).not.toContain("INFO");
  });

  it("is an error that names readFrom, which iovalkey could not honour", async () => {
    await using proxy = await startRespProxy(server.port, { unknown: "close" });
    await using cache = createCache({ location: proxy.url, readFrom: "preferReplica" });
    await expect(cache.get("a")).rejects.toThrow(/"readFrom" \(preferReplica\) needs valkey-glide.*can't connect/);
  });
});
