import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import { createCache, defaultClient, glide, herd, iovalkey } from "../../../src/index.js";
import { ownPrefix } from "../../contract/cache/stored.js";
import { command } from "../../support/command.js";
import { startProxy, type TcpProxy } from "../../support/proxy.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { slowLoader } from "./fleet.js";

let server: ValkeyServer;
let proxy: TcpProxy;

beforeAll(async () => {
  server = await startValkey();
  proxy = await startProxy(server);
});

afterAll(async () => {
  await proxy.close();
  await server.stop();
});

function open(options: Partial<CacheOptions>): Cache {
  const cache = createCache({ location: proxy.url, keyPrefix: ownPrefix(), client: herd(), ...options });
  onTestFinished(() => cache.close());
  return cache;
}

/** How often `work` had to wait for the server. */
async function trips(work: () => Promise<unknown>): Promise<number> {
  const before = proxy.roundTrips;
  await work();
  return proxy.roundTrips - before;
}

describe.each([
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
] as const)("round trips over %s", (_name, transport) => {
  /** A cache that has sent its first command. */
  async function warm(): Promise<Cache> {
    const cache = open({ connectionFactory: transport() });
    await cache.has("anything");
    return cache;
  }

  it("are one for a hit, the first and all others", async () => {
    const cache = await warm();
    await cache.set("a", { a: 1 });
    for (let i = 0; i < 3; i++) expect(await trips(() => cache.getOrSet("a", () => 0))).toBe(1);
  });

  it("are one from a miss to its loader, and one from there to what is stored, also where no script is known", async () => {
    const cache = await warm();
    await command(server.port, ["SCRIPT", "FLUSH"]);
    const loader = slowLoader<number>();
    let given: Promise<number> | undefined;
    const toLoader = await trips(async () => {
      given = cache.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
    });
    expect(toLoader).toBe(1);
    const toStored = await trips(async () => {
      loader.resolve(1);
      await given;
    });
    expect(toStored).toBe(1);
    expect(await command(server.port, ["EXISTS", String(cache.makeKey("a"))])).toBe(1);
  });

  it("are one from a miss to its loader beyond the handshake, when that is a connection's first command", async () => {
    const handshake = await trips(async () => {
      const cache = open({ connectionFactory: transport({ commandTimeout: 3 }), client: defaultClient() });
      await cache.has("anything");
    });
    const loader = slowLoader<number>();
    const cache = open({ connectionFactory: transport({ commandTimeout: 4 }) });
    const toLoader = await trips(async () => {
      void cache.getOrSet("a", loader);
      await expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1);
    });
    expect(toLoader).toBe(handshake);
    loader.resolve(1);
  });

  it("are one to begin replacing a stale value, for which no caller waits", async () => {
    const cache = await warm();
    await cache.set("a", "old", { ttl: "1ms" });
    await expect.poll(() => cache.has("a")).toBe(false);
    const loader = slowLoader<string>();
    const answered = await trips(async () => {
      expect(await cache.getOrSet("a", loader)).toBe("old");
    });
    expect(answered).toBe(1);
    const begun = await trips(() => expect.poll(() => loader.signals.length, { interval: 1 }).toBe(1));
    expect(begun).toBeLessThanOrEqual(1);
    loader.resolve("new");
  });

  it("are one to read or claim many keys", async () => {
    const cache = await warm();
    const keys = Array.from({ length: 50 }, (_key, i) => `key ${i}`);
    let toLoader = 0;
    const before = proxy.roundTrips;
    await cache.getOrSetMany(keys, async (missing) => {
      toLoader = proxy.roundTrips - before;
      return new Map(missing.map((key) => [key, { key }]));
    });
    expect(toLoader).toBe(1);
    expect(await trips(() => cache.getOrSetMany(keys, () => ({})))).toBe(1);
  });
});
