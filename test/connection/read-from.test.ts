import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CacheOptions, createCache } from "../../src/index.js";
import { command } from "../support/command.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

describe("a primary and its replicas", () => {
  let primary: ValkeyServer;
  let replicas: readonly ValkeyServer[] = [];

  beforeAll(async () => {
    primary = await startValkey({ args: ["--repl-diskless-sync-delay", "0"] });
    replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
    const isUp = async () =>
      String(await command(replica.port, ["INFO", "replication"])).includes("master_link_status:up");
    await until(isUp, { what: "the replica to be up" });
  });
  afterAll(async () => {
    await Promise.all([primary?.stop(), replica?.stop()]);
  });

  /** How often a server ran a command since the last time. */
  async function runs(port: number, name: string): Promise<number> {
    const stats = String(await command(port, ["INFO", "commandstats"]));
    return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  }

  function open(options: Partial<CacheOptions>) {
    return createCache({ location: [primary.url, replica.url], ...options });
  }

  async function countReads(options: Partial<CacheOptions>): Promise<{ primary: number; replica: number }> {
    for (const { port } of [primary, replica]) await command(port, ["CONFIG", "RESETSTAT"]);
    await using cache = open(options);
    for (let i = 0; i < 20; i++) await cache.get("a");
    return { primary: await runs(primary.port, "get"), replica: await runs(replica.port, "get") };
  }

  it("are read at the primary unless asked otherwise", async () => {
    expect(await countReads({})).toEqual({ primary: 20, replica: 0 });
  });

  it("are read at the replica when that is preferred", async () => {
    expect(await countReads({ readFrom: "preferReplica" })).toEqual({ primary: 0, replica: 20 });
  });

  it("are both read when all nodes are to be", async () => {
    const reads = await countReads({ readFrom: "allNodes" });
    expect(reads.primary + reads.replica).toBe(20);
    expect(reads.replica).toBeGreaterThan(0);
  });

  it.each(["preferReplica", "allNodes"] as const)("are walked as a whole under %s, as cursors are not mixed", async (readFrom) => {
    await using cache = open({ readFrom, keyPrefix: readFrom });
    const keys = Array.from({ length: 2_000 }, (_, i) => `key ${i}`);
    await cache.setMany(keys.map((key) => [key, 1] as const));
    await cache.sadd("set", keys);
    const members = new Set<unknown>();
    for await (const member of cache.sscanIter("set", { scanCount: 50 })) members.add(member);
    expect(members.size).toBe(2_000);
    expect(await cache.keys("key *", { scanCount: 50 })).toHaveLength(2_000);
    expect(await cache.deletePattern("key *", { scanCount: 50 })).toBe(2_000);
    expect(await cache.clear()).toBe(1);
  });

  it("take every write at the primary, also when the replica is preferred for reads", async () => {
    await using cache = open({ readFrom: "preferReplica" });
    expect(await cache.set("a", 1)).toBe(true);
    expect(await cache.add("b", 1)).toBe(true);
    expect(await cache.incr("a")).toBe(2);
    expect(await cache.sadd("s", [1, 2, 3])).toBe(3);
    expect(await cache.srem("s", [1])).toBe(1);
    expect(await cache.smove("s", "t", 2)).toBe(true);
    expect(await cache.spop("s")).toBe(3);
    expect(await cache.sunionstore("u", ["t"])).toBe(1);
    expect(await cache.hset("h", "f", 1)).toBe(1);
    expect(await cache.hdel("h", "f")).toBe(1);
    expect(await cache.touch("a", 100)).toBe(true);
    expect(await cache.setMany({ c: 1, d: 2 })).toEqual([]);
    await cache.mset({ e: 1, f: 2 });
    expect(await cache.deleteMany(["c", "d", "e", "f"])).toBe(4);
    await using lock = await cache.lock("job");
    expect(lock).toBeDefined();
    expect(await cache.clear()).toBe(4);
  });
});
