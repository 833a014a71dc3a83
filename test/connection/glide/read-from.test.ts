import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type CacheOptions, createCache, glideCluster } from "../../../src/index.js";
import { startCluster } from "../../support/cluster.js";
import { command } from "../../support/command.js";
import { startValkey, type ValkeyServer } from "../../support/servers.js";
import { stopwatch } from "../../support/stopwatch.js";
import { until } from "../../support/wait.js";

/** How often a server ran a command since its statistics were reset. */
async function runs(port: number, name: string): Promise<number> {
  const stats = String(await command(port, ["INFO", "commandstats"]));
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe("a primary and its replicas", () => {
  let primary: ValkeyServer;
  let replicas: readonly ValkeyServer[] = [];

  beforeAll(async () => {
    primary = await startValkey({ args: ["--repl-diskless-sync-delay", "0"] });
    replicas = await Promise.all([startReplica(), startReplica()]);
  });
  afterAll(async () => {
    await Promise.all([primary, ...replicas].map((server) => server.stop()));
  });

  async function startReplica(): Promise<ValkeyServer> {
    const replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
    const isUp = async () => /master_link_status:up/.test(String(await command(replica.port, ["INFO", "replication"])));
    await until(isUp, { what: "the replica to be up" });
    return replica;
  }

  function open(options: Partial<CacheOptions>) {
    return createCache({ location: [primary, ...replicas].map(({ url }) => url), ...options });
  }

  /** The primary's share of many reads, which run in turn or concurrently. */
  async function shareOfPrimary(options: Partial<CacheOptions>): Promise<number[]> {
    await using cache = open(options);
    const shares: number[] = [];
    for (const atOnce of [1, 100]) {
      for (const { port } of [primary, ...replicas]) await command(port, ["CONFIG", "RESETSTAT"]);
      for (let i = 0; i < 200; i += atOnce) await Promise.all(Array.from({ length: atOnce }, () => cache.get("a")));
      const counts = await Promise.all([primary, ...replicas].map(({ port }) => runs(port, "get")));
      expect(counts.reduce((sum, count) => sum + count)).toBe(200);
      shares.push((counts[0] ?? 0) / 200);
    }
    return shares;
  }

  it("are read at the primary by default", async () => {
    expect(await shareOfPrimary({})).toEqual([1, 1]);
  });

  it("are read at the replicas with preferReplica, however many reads are concurrent", async () => {
    expect(await shareOfPrimary({ readFrom: "preferReplica" })).toEqual([0, 0]);
  });

  it("are all read with allNodes", async () => {
    for (const share of await shareOfPrimary({ readFrom: "allNodes" })) {
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.5);
    }
  });

  it.each(["preferReplica", "allNodes"] as const)(
    "are walked as a whole under %s, as cursors are not mixed",
    async (readFrom) => {
      await using cache = open({ readFrom, keyPrefix: readFrom });
      const keys = Array.from({ length: 2_000 }, (_, i) => `key ${i}`);
      await cache.setMany(keys.map((key) => [key, 1] as const));
      await cache.sets.add("set", keys);
      const members = new Set<unknown>();
      for await (const member of cache.sets.iterate("set", { scanCount: 50 })) members.add(member);
      expect(members.size).toBe(2_000);
      expect(await cache.keys("key *", { scanCount: 50 })).toHaveLength(2_000);
      expect(await cache.deletePattern("key *", { scanCount: 50 })).toBe(2_000);
      expect(await cache.clear()).toBe(1);
    },
  );

  it("are written at the primary, even with preferReplica", async () => {
    await using cache = open({ readFrom: "preferReplica" });
    expect(await cache.set("a", 1)).toBe(true);
    expect(await cache.add("b", 1)).toBe(true);
    expect(await cache.incr("a")).toBe(2);
    expect(await cache.sets.add("s", [1, 2, 3])).toBe(3);
    expect(await cache.sets.delete("s", [1])).toBe(1);
    expect(await cache.sets.move("s", "t", 2)).toBe(true);
    expect(await cache.sets.pop("s")).toBe(3);
    expect(await cache.sets.unionStore("u", ["t"])).toBe(1);
    expect(await cache.hashes.set("h", "f", 1)).toBe(1);
    expect(await cache.hashes.delete("h", "f")).toBe(1);
    expect(await cache.touch("a", 100)).toBe(true);
    expect(await cache.setMany({ c: 1, d: 2 })).toEqual([]);
    await cache.mset({ e: 1, f: 2 });
    expect(await cache.deleteMany(["c", "d", "e", "f"])).toBe(4);
    await using lock = await cache.lock("job");
    expect(lock).toBeDefined();
    expect(await cache.clear()).toBe(4);
  });
});

describe("a replica that can't answer", () => {
  async function pair(args: readonly string[] = []) {
    const primary = await startValkey({ args: ["--repl-diskless-sync-delay", "0"] });
    const replica = await startValkey({ args: ["--replicaof", `127.0.0.1 ${primary.port}`, ...args] });
    const isUp = async () => /master_link_status:up/.test(String(await command(replica.port, ["INFO", "replication"])));
    await until(isUp, { what: "the replica to be up" });
    const stop = () => Promise.all([primary.stop(), replica.stop()]);
    return { primary, replica, [Symbol.asyncDispose]: async () => void (await stop()) };
  }

  const open = (...servers: readonly ValkeyServer[]) =>
    createCache({ location: servers.map(({ url }) => url), readFrom: "preferReplica" });

  it("is replaced by the primary when its link to the primary is cut", async () => {
    await using servers = await pair(["--replica-serve-stale-data", "no"]);
    await using cache = open(servers.primary, servers.replica);
    await cache.set("a", 1);
    await until(async () => (await cache.get("a")) === 1, { what: "the value to be replicated" });
    await command(servers.replica.port, ["REPLICAOF", "127.0.0.1", "1"]);
    await expect(command(servers.replica.port, ["GET", "x"])).rejects.toThrow(/MASTERDOWN/);
    for (let i = 0; i < 10; i++) expect(await cache.get("a")).toBe(1);
    expect((await cache.getMany(["a"])).get("a")).toBe(1);
  });

  it.each(["SIGKILL", "SIGSTOP"] as const)(
    "is replaced by the primary after %s, within the deadline",
    async (signal) => {
      await using servers = await pair();
      await using cache = open(servers.primary, servers.replica);
      await cache.set("a", 1);
      await until(async () => (await cache.get("a")) === 1, { what: "the value to be replicated" });
      await servers.replica.kill(signal);
      for (let i = 0; i < 3; i++) {
        const took = stopwatch();
        expect(await cache.get("a")).toBe(1);
        expect(took()).toBeLessThan(1_000);
      }
      if (signal === "SIGSTOP") await servers.replica.kill("SIGCONT");
    },
  );

  it("is replaced by the primary while it loads its data", async () => {
    await using servers = await pair([
      "--enable-debug-command",
      "yes",
      "--loading-process-events-interval-bytes",
      "1024",
    ]);
    await using cache = open(servers.primary, servers.replica);
    await cache.set("a", 1);
    await until(async () => (await cache.get("a")) === 1, { what: "the value to be replicated" });
    const { port } = servers.replica;
    await command(port, ["REPLICAOF", "NO", "ONE"]);
    await command(port, ["DEBUG", "POPULATE", "200", "filler", "100"]);
    await command(port, ["CONFIG", "SET", "key-load-delay", "10000"]);
    const loading = command(port, ["DEBUG", "RELOAD"]).catch(() => {});
    const isLoading = () =>
      command(port, ["GET", "x"]).then(
        () => false,
        (error: unknown) => /LOADING/.test(String(error)),
      );
    await until(isLoading, { what: "the replica to load" });
    expect(await cache.get("a")).toBe(1);
    expect((await cache.getMany(["a"])).get("a")).toBe(1);
    expect(await isLoading()).toBe(true);
    await loading;
  });

  it("is avoided for a while after it was silent a few times, and then tried again", async () => {
    await using servers = await pair();
    await using cache = createCache({
      location: [servers.primary.url, servers.replica.url],
      readFrom: "preferReplica",
      commandTimeout: "200ms",
    });
    await cache.set("a", 1);
    await until(async () => (await cache.get("a")) === 1, { what: "the value to be replicated" });
    await servers.replica.kill("SIGSTOP");
    for (let i = 0; i < 3; i++) expect(await cache.get("a")).toBe(1);
    const took = stopwatch();
    for (let i = 0; i < 20; i++) expect(await cache.get("a")).toBe(1);
    expect(took()).toBeLessThan(200);
    await servers.replica.kill("SIGCONT");
    await command(servers.replica.port, ["CONFIG", "RESETSTAT"]);
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 10_000);
    onTestFinished(() => void vi.restoreAllMocks());
    for (let i = 0; i < 20; i++) expect(await cache.get("a")).toBe(1);
    expect(await runs(servers.replica.port, "get")).toBe(20);
  });

  describe.concurrent("in a cluster", () => {
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);

    /** A cluster whose replicas have all that the cache reads, and a cache that reads from them. */
    async function filled(args: readonly string[] = []) {
      const cluster = await startCluster({ primaries: 3, replicas: 1, args });
      const connectionFactory = glideCluster({ readFrom: "preferReplica", commandTimeout: "1s" });
      const cache = createCache({ location: cluster.url, connectionFactory });
      await cache.setMany(keys.map((key, i) => [key, i] as const));
      const isCopied = async () => (await Promise.all(keys.map((key) => cache.has(key)))).every(Boolean);
      await until(isCopied, { what: "the values to be replicated" });
      const dispose = async () => void (await Promise.all([cache.close(), cluster.stop()]));
      return { cluster, cache, replicas: cluster.nodes.slice(3), [Symbol.asyncDispose]: dispose };
    }

    it.each(["SIGKILL", "SIGSTOP"] as const)(
      "is replaced by the primary after %s, within the deadline",
      async (signal) => {
        await using one = await filled();
        await one.replicas[0]?.kill(signal);
        for (const [i, key] of keys.entries()) expect(await one.cache.get(key)).toBe(i);
        expect((await one.cache.getMany(keys)).size).toBe(20);
        const took = stopwatch();
        for (const [i, key] of keys.entries()) expect(await one.cache.get(key)).toBe(i);
        expect(took()).toBeLessThan(1_000);
        if (signal === "SIGSTOP") await one.replicas[0]?.kill("SIGCONT");
      },
    );

    it("is replaced by the primary when its link to the primary is cut", async () => {
      await using one = await filled(["--replica-serve-stale-data", "no"]);
      // The replicas are refused, and their primaries are well.
      for (const { port } of one.cluster.nodes.slice(0, 3)) {
        await command(port, ["ACL", "SETUSER", "default", "-psync", "-sync"]);
        await command(port, ["CLIENT", "KILL", "TYPE", "replica"]);
      }
      const isCut = async ({ port }: ValkeyServer) =>
        /master_link_status:down/.test(String(await command(port, ["INFO", "replication"])));
      for (const replica of one.replicas) await until(() => isCut(replica), { what: "the link to be cut" });
      for (const [i, key] of keys.entries()) expect(await one.cache.get(key)).toBe(i);
      expect((await one.cache.getMany(keys)).size).toBe(20);
    });

    it("is replaced by the primary for each read of a batch", async () => {
      await using one = await filled();
      for (const { port } of one.replicas) await command(port, ["ACL", "SETUSER", "default", "-getrange", "-ttl"]);
      const commands = keys.flatMap((key) => {
        const stored = String(one.cache.makeKey(key));
        return [["GETRANGE", stored, "0", "9"] as const, ["EXISTS", stored] as const];
      });
      const replies = await one.cache.connection.send(commands, { readOnly: true });
      const texts = replies.map((reply) => (reply instanceof Uint8Array ? Buffer.from(reply).toString() : reply));
      expect(texts).toEqual(keys.flatMap((_, i) => [String(i), 1]));
    });
  });

  it("is replaced by the primary in a cluster", async () => {
    await using cluster = await startCluster({ primaries: 3, replicas: 1 });
    await using cache = createCache({
      location: cluster.url,
      connectionFactory: glideCluster({ readFrom: "preferReplica" }),
    });
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);
    await cache.setMany(keys.map((key, i) => [key, i] as const));
    for (const { port } of cluster.nodes.slice(3)) {
      // As an ACL of the replica alone refuses the command, it can't answer while its primary can.
      await command(port, ["ACL", "SETUSER", "default", "-get", "-mget"]);
    }
    for (const [i, key] of keys.entries()) expect(await cache.get(key)).toBe(i);
    expect((await cache.getMany(keys)).size).toBe(20);
  });
});
