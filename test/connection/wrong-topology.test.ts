import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type CacheOptions, createCache, glide, glideCluster, herd, iovalkey, sentinel } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startRespProxy } from "../support/resp-proxy.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";

const failure = async (options: CacheOptions): Promise<unknown> => {
  await using cache = createCache({ logger: false, ...options });
  return await cache.get("a").then(
    () => undefined,
    (error: unknown) => error,
  );
};

/** Enough keys that each node of the cluster has some. */
const KEYS = Array.from({ length: 20 }, (_, i) => `key-${i}`);

describe("the default at a node of a cluster", () => {
  const node = () => inject("clusterUrl").split(",")[0] ?? "";

  it.each(["set", "getMany", "incr", "getOrSet", "keys"] as const)(
    "serves every slot, if %s comes first",
    async (first) => {
      await using cache = createCache({ location: node(), keyPrefix: ownPrefix(), client: herd() });
      const calls = {
        set: () => Promise.all(KEYS.map((key) => cache.set(key, 1))),
        getMany: () => cache.getMany(KEYS),
        incr: () => Promise.all(KEYS.map((key) => cache.incr(`n-${key}`, 1, { create: true }))),
        getOrSet: () => Promise.all(KEYS.map((key) => cache.getOrSet(`loaded-${key}`, () => 1))),
        keys: () => cache.set("a", 1).then(() => cache.keys()),
      };
      await calls[first]();
      await cache.setMany(KEYS.map((key) => [key, key] as const));
      expect((await cache.getMany(KEYS)).size).toBe(KEYS.length);
      // Each command of the first calls ran once.
      if (first === "incr") for (const key of KEYS) expect(await cache.get(`n-${key}`)).toBe(1);
      expect(await cache.health()).toMatchObject({ state: "closed", transport: "valkey-glide" });
    },
  );

  it("serves every slot with all nodes in the location", async () => {
    await using cache = createCache({ location: inject("clusterUrl"), keyPrefix: ownPrefix() });
    for (const key of KEYS) await cache.set(key, key);
    expect((await cache.getMany(KEYS)).size).toBe(KEYS.length);
  });

  it("reads from replicas with readFrom", async () => {
    await using cluster = await startCluster({ replicas: 1 });
    await using cache = createCache({ location: cluster.nodes[0]?.url ?? "", readFrom: "preferReplica" });
    await cache.setMany(KEYS.map((key) => [key, 1] as const));
    const reads = async () => {
      const stats = await Promise.all(
        cluster.nodes.slice(3).map(({ port }) => command(port, ["INFO", "commandstats"]).then(String)),
      );
      return stats.reduce((sum, text) => sum + Number(/cmdstat_get:calls=(\d+)/.exec(text)?.[1] ?? 0), 0);
    };
    await until(async () => (await Promise.all(KEYS.map((key) => cache.get(key)))) && (await reads()) > 0, {
      what: "reads at replicas",
    });
  });

  it("names the database if the cluster has one only", async () => {
    expect(String(await failure({ location: `${node()}/1` }))).toMatch(/database 1 can't be selected.*cluster/);
  });

  it("stays with one server if that only refuses keys of several slots, as proxies do", async () => {
    await using server = await startValkey();
    await using proxy = await startRespProxy(server.port, { unknown: "error", crossSlot: "MGET" });
    await using cache = createCache({ location: proxy.url });
    await expect(cache.getMany(["a", "b"])).rejects.toMatchObject({ code: "CROSSSLOT" });
    expect(await cache.set("a", 1)).toBe(true);
    const { accepted } = proxy;
    await expect(cache.getMany(["a", "b"])).rejects.toMatchObject({ code: "CROSSSLOT" });
    expect(await cache.get("a")).toBe(1);
    expect(proxy.accepted).toBe(accepted);
  });
});

describe("an error names the right connection factory", () => {
  let server: ValkeyServer;
  let sentinels: Sentinels;
  beforeAll(async () => {
    [server, sentinels] = await Promise.all([startValkey(), startSentinels({ sentinels: 1, replicas: 0 })]);
  }, 30_000);
  afterAll(() => Promise.all([server?.stop(), sentinels?.stop()]));

  it.each([
    ["glide", glide],
    ["iovalkey", iovalkey],
  ])("if %s() is used for a cluster", async (_, make) => {
    const [location = ""] = inject("clusterUrl").split(",");
    await using cache = createCache({ location, keyPrefix: ownPrefix(), connectionFactory: make(), logger: false });
    const errors = await Promise.all(KEYS.map((key) => cache.get(key).catch((error: unknown) => error)));
    const moved = errors.filter((error) => error !== undefined);
    expect(moved.length).toBeGreaterThan(0);
    for (const error of moved) {
      expect(error).toMatchObject({
        name: "ReplyError",
        code: "MOVED",
        message: expect.stringMatching(/glideCluster\(\)/),
      });
    }
    const own = await Promise.all(KEYS.map((key) => cache.getOrSet(key, () => "loaded")));
    expect(own).toEqual(KEYS.map(() => "loaded"));
  });

  it("if glide() is used for several nodes of a cluster", async () => {
    const error = await failure({ location: inject("clusterUrl"), connectionFactory: glide() });
    expect(String(error)).toMatch(/node of a cluster; use the connection factory glideCluster\(\)/);
  });

  it("if glideCluster() is used for a single server, soon", async () => {
    await using cache = createCache({ location: server.url, connectionFactory: glideCluster() });
    const took = stopwatch();
    await expect(cache.get("a")).rejects.toThrow(/not a node of a cluster; use the connection factory glide\(\)/);
    expect(took()).toBeLessThan(600);
  });

  it("if sentinel() is given the server itself", async () => {
    const { host, port } = server;
    const error = await failure({
      location: "valkey://service",
      connectionFactory: sentinel({ sentinels: [{ host, port }] }),
    });
    expect(String(error)).toMatch(/it is not a sentinel, so use glide\(\) or iovalkey\(\)/);
  });

  it.each([
    ["the default", () => ({})],
    ["glide()", () => ({ connectionFactory: glide() })],
    ["iovalkey()", () => ({ connectionFactory: iovalkey() })],
  ])("if %s is given a sentinel", async (_, more) => {
    const [first] = sentinels.sentinels;
    const error = await failure({ location: `valkey://127.0.0.1:${first?.port}`, ...more() });
    expect(String(error)).toMatch(/unknown command.*this is a sentinel.*sentinel\(\)/s);
  });
});
