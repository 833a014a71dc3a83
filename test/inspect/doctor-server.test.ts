import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CacheOptions,
  createCache,
  glide,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
  sentinel,
} from "../../src/index.js";
import type { Finding } from "../../src/inspect/port.js";
import { startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startOldServer } from "../support/old-server.js";
import { HOST } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { startRespProxy } from "../support/resp-proxy.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { examined, finding, linesOf } from "./examined.js";

const APP = { keyPrefix: "app", client: herd(), logger: false } as const;

/** What the doctor finds of a cache with these options. */
async function findingsOf(options: Partial<CacheOptions> & { location: string }): Promise<readonly Finding[]> {
  await using cache = createCache({ ...APP, ...options });
  return await examined(cache);
}

async function findingOf(check: string, options: Partial<CacheOptions> & { location: string }): Promise<Finding> {
  return finding(await findingsOf(options), check);
}

describe("doctor, on one server", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await startValkey({ args: ["--enable-protected-configs", "yes"] });
  });
  afterAll(() => server?.stop());

  /** Changes settings while `work` runs. */
  async function having(settings: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
    const before: [string, string][] = [];
    for (const [name, value] of Object.entries(settings)) {
      const [, old = ""] = (await command(server.port, ["CONFIG", "GET", name])) as string[];
      before.push([name, old]);
      await command(server.port, ["CONFIG", "SET", name, value]);
    }
    try {
      await work();
    } finally {
      for (const [name, old] of before.reverse()) await command(server.port, ["CONFIG", "SET", name, old]);
    }
  }

  it.each([
    [{}, "warning", /^no maxmemory/],
    [
      { maxmemory: "100mb", "maxmemory-policy": "noeviction" },
      "warning",
      /^maxmemory 100 MiB, policy noeviction, \d+ % used$/,
    ],
    [{ maxmemory: "1mb", "maxmemory-policy": "noeviction" }, "problem", /policy noeviction, 1\d\d % used$/],
    [{ maxmemory: "100mb", "maxmemory-policy": "volatile-lru" }, "note", /volatile-lru$/],
    [{ maxmemory: "100mb", "maxmemory-policy": "allkeys-random" }, "note", /allkeys-random$/],
    [{ maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" }, "ok", /allkeys-lru$/],
    [{ maxmemory: "100mb", "maxmemory-policy": "allkeys-lfu" }, "ok", /allkeys-lfu$/],
  ] as const)("judges the eviction of a server with %o: %s", async (settings, level, found) => {
    await having(settings, async () => {
      const eviction = await findingOf("eviction", { location: server.url });
      expect(eviction).toMatchObject({ level, found: expect.stringMatching(found) });
      if (level !== "ok") expect(eviction.remedy).toContain("allkeys-lru");
    });
  });

  it("warns of entries that never expire under a volatile policy", async () => {
    await having({ maxmemory: "100mb", "maxmemory-policy": "volatile-ttl" }, async () => {
      expect(await findingOf("eviction", { location: server.url, ttl: null })).toMatchObject({ level: "warning" });
    });
  });

  it("notes that the server has evicted entries", async () => {
    await using small = await startValkey({ args: ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"] });
    await using cache = createCache({ ...APP, location: small.url });
    for (let i = 0; i < 40; i++) await cache.set(`large:${i}`, "x".repeat(100_000));
    expect(finding(await examined(cache), "memory")).toMatchObject({
      level: "note",
      found: expect.stringMatching(/of 3 MiB \(\d+ %\), [1-9]\d* keys evicted/),
    });
  });

  it("says what a restart undoes, with each kind of persistence", async () => {
    const persistence = () => findingOf("persistence", { location: server.url });
    expect(await persistence()).toMatchObject({ level: "ok", found: "no persistence" });
    await having({ save: "3600 1 300 100" }, async () => {
      expect(await persistence()).toMatchObject({
        level: "note",
        found: expect.stringMatching(/^snapshots \(save 3600 1/),
      });
    });
    await having({ appendonly: "yes", appendfsync: "always" }, async () => {
      const found = "append-only file, appendfsync always";
      expect(await persistence()).toMatchObject({ level: "ok", found, meaning: expect.stringContaining("nothing") });
    });
  });

  it("finds that a failed snapshot makes the server refuse writes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "doctor-"));
    await having({ dir: folder, save: "3600 1" }, async () => {
      await rm(folder, { recursive: true });
      await command(server.port, ["BGSAVE"]);
      const failed = async () => String(await command(server.port, ["INFO"])).includes("rdb_last_bgsave_status:err");
      await until(failed, { what: "the snapshot to fail" });
      expect(await findingOf("persistence", { location: server.url })).toMatchObject({
        level: "problem",
        meaning: expect.stringContaining("MISCONF"),
      });
    });
    await command(server.port, ["BGSAVE"]);
    const works = async () => String(await command(server.port, ["INFO"])).includes("rdb_last_bgsave_status:ok");
    await until(works, { what: "a snapshot to succeed" });
  });

  it("finds that too few replicas make the server refuse writes", async () => {
    await having({ "min-replicas-to-write": "1" }, async () => {
      expect(await findingOf("replication", { location: server.url })).toMatchObject({
        level: "problem",
        meaning: expect.stringContaining("NOREPLICAS"),
      });
    });
  });

  it("compares the server's timeouts with those of the connection", async () => {
    const timeouts = () => findingOf("timeouts", { location: server.url });
    expect(await timeouts()).toMatchObject({ level: "ok", found: expect.stringContaining("maxIdle 60 s") });
    await having({ timeout: "30" }, async () => {
      expect(await timeouts()).toMatchObject({ level: "note", remedy: expect.stringContaining("maxIdle") });
    });
    await having({ timeout: "90" }, async () => expect((await timeouts()).level).toBe("ok"));
    await having({ "tcp-keepalive": "0" }, async () => expect((await timeouts()).level).toBe("note"));
  });

  it("warns when the server has hardly any room for connections, and counts its own", async () => {
    await using one = createCache({ ...APP, location: server.url, connectionFactory: glide({ clientName: "me" }) });
    expect(finding(await examined(one), "clients")).toMatchObject({
      level: "ok",
      found: expect.stringMatching(/of 10,000 \([1-9]\d* of this library, 1 named me\)/),
    });
    const { found } = finding(await examined(one), "clients");
    const [connected = "0"] = found.split(" ");
    // One is for the command that changes it.
    await having({ maxclients: String(Number(connected) + 1) }, async () => {
      expect(finding(await examined(one), "clients").level).toBe("warning");
    });
  });

  it.each([
    ["ahead of", 40, "warning"],
    ["behind", -40, "warning"],
    ["ahead of", 3_600, "problem"],
  ])("finds a clock that is %s this process's by %i s: %s", async (side, seconds, level) => {
    const lua = `local t = redis.call('TIME') return { tostring(t[1] + ${seconds}), t[2] }`;
    await using proxy = await startRespProxy(server.port, { unknown: "pass", instead: { TIME: ["EVAL", lua, "0"] } });
    for (const connectionFactory of [glide(), iovalkey()]) {
      expect(await findingOf("clock", { location: proxy.url, connectionFactory })).toMatchObject({
        level,
        found: expect.stringMatching(new RegExp(`^the server's clock is .* ${side} this process's$`)),
        meaning: expect.stringContaining("counts as fresh"),
      });
    }
  });

  it("takes half of the round trip off the difference of clocks, and warns of slow round trips", async () => {
    await using proxy = await startProxy(server);
    const connectionFactory = iovalkey({ commandTimeout: 0.5 });
    await using cache = createCache({ ...APP, location: proxy.url, connectionFactory });
    await cache.get("a");
    proxy.delay(75);
    const findings = await examined(cache);
    expect(finding(findings, "latency")).toMatchObject({
      level: "warning",
      found: expect.stringMatching(/^1[4-9]\d ms in the median, .* commandTimeout is 500 ms/),
    });
    expect(finding(findings, "clock").level).toBe("ok");
  });

  it("warns of an event loop that is held up", async () => {
    const block = () => {
      const endMs = performance.now() + 60;
      while (performance.now() < endMs);
    };
    const timer = setInterval(block, 1);
    try {
      expect(await findingOf("event-loop", { location: "memory:" })).toMatchObject({ level: "warning" });
    } finally {
      clearInterval(timer);
    }
    expect(await findingOf("event-loop", { location: "memory:" })).toMatchObject({ level: "ok" });
  });

  it("finds keys of others in the database, and a cache without a prefix beside them", async () => {
    await using own = await startValkey();
    const at = (keyPrefix: string) => findingOf("prefix", { location: own.url, keyPrefix });
    expect(await at("app")).toMatchObject({ level: "ok" });
    expect(await at("")).toMatchObject({ level: "note" });
    await using cache = createCache({ ...APP, location: own.url });
    await cache.set("a", 1);
    expect(await at("app")).toMatchObject({ level: "ok", found: expect.stringContaining("0 of 1 key") });
    await command(own.port, ["SET", "session\u00e4", "1"]);
    expect(await at("app")).toMatchObject({ level: "note", found: expect.stringContaining("1 of 2 keys") });
    expect(await at("")).toMatchObject({ level: "warning", remedy: expect.stringContaining("keyPrefix") });
    const database = await findingOf("database", { location: `${own.url}/3` });
    expect(database).toMatchObject({ level: "ok", found: "0 keys in database 3, keys in 1 other database" });
    for (const name of ["b", "c"]) await command(own.port, ["SET", name, "1"]);
    expect(await findingOf("database", { location: own.url })).toMatchObject({
      level: "note",
      found: "4 keys in database 0, 3 of them never expire",
    });
  });

  it("notes options that one would want to know of", async () => {
    const findings = await findingsOf({
      location: server.url,
      client: undefined,
      ttl: null,
      ignoreErrors: true,
      commandTimeout: "10s",
    });
    const notes = findings.filter(({ check }) => check.startsWith("settings.")).map(({ check }) => check);
    expect(notes).toEqual(["settings.client", "settings.ttl", "settings.ignore-errors", "settings.command-timeout"]);
    expect((await findingOf("settings", { location: server.url })).level).toBe("ok");
  });

  it("says how the near cache hears of changes, and why not by tracking", async () => {
    const near = (options: Partial<CacheOptions> & { location: string }) =>
      findingOf("tracking", { nearCache: nearCache(), ...options });
    expect(await near({ location: server.url })).toMatchObject({
      level: "ok",
      found: expect.stringContaining("listens"),
    });
    await command(server.port, [
      "ACL",
      "SETUSER",
      "near",
      "on",
      ">password",
      "allkeys",
      "allchannels",
      "+@all",
      "-client|tracking",
    ]);
    const location = server.url.replace("//", "//near:password@");
    await using cache = createCache({ ...APP, location, nearCache: nearCache() });
    await cache.get("a");
    const hasFallenBack = async () => (await cache.health()).nearCache?.invalidation === "channel";
    await until(hasFallenBack, { what: "the refusal" });
    const refused = finding(await examined(cache), "tracking");
    expect(refused).toMatchObject({
      level: "warning",
      found: expect.stringContaining('invalidation "channel"'),
      remedy: expect.stringContaining("+client|tracking"),
    });
    const none = await findingOf("tracking", { location });
    expect(none).toMatchObject({ level: "ok", found: "no near cache, and CLIENT TRACKING is refused" });
    const byChannel = await near({ location: server.url, nearCache: nearCache({ invalidation: "channel" }) });
    expect(byChannel).toMatchObject({ level: "note", found: expect.stringContaining("as its option says") });
  });

  it("reports what the connection was refused before", async () => {
    await command(server.port, ["ACL", "SETUSER", "few", "on", ">password", "allkeys", "+@all", "-pttl"]);
    const location = server.url.replace("//", "//few:password@");
    await using cache = createCache({ ...APP, location });
    await cache.set("a", 1);
    await expect(cache.ttl("a")).rejects.toThrow(/pttl/i);
    expect(finding(await examined(cache), "refusals.pttl")).toMatchObject({
      level: "warning",
      remedy: expect.stringContaining('run "ACL SETUSER few +pttl"'),
    });
  });

  it("reports a claim that an old server has refused", async () => {
    await using old = await startOldServer(server);
    await using cache = createCache({ ...APP, location: old.url });
    await cache.getOrSet("old", () => 1);
    expect(finding(await examined(cache), "refusals.set-nx-get").remedy).toContain("update");
  });

  it.each([
    ["Redis 6.0.16", "redis_version:6.0.16", "warning", /SMISMEMBER/],
    ["Redis 5.0.14", "redis_version:5.0.14", "warning", /CLIENT TRACKING/],
    ["Redis 7.2.4", "redis_version:7.2.4", "ok", /have what they need/],
    ["Valkey 9.1.2", "redis_version:7.2.4\r\nvalkey_version:9.1.2", "ok", /have what they need/],
    ["Dragonfly 1.25.1", "redis_version:7.4.0\r\ndragonfly_version:df-v1.25.1", "note", /not tried/],
  ])("judges %s by what it says of itself", async (found, text, level, meaning) => {
    const info = `# Server\r\n${text}\r\nredis_mode:standalone\r\nrole:master\r\n`;
    const lua = `return ${JSON.stringify(info)}`;
    await using proxy = await startRespProxy(server.port, { unknown: "pass", instead: { INFO: ["EVAL", lua, "0"] } });
    const findings = await findingsOf({ location: proxy.url, connectionFactory: iovalkey() });
    expect(finding(findings, "version")).toMatchObject({ level, found, meaning: expect.stringMatching(meaning) });
    // What INFO leaves out is not known.
    expect(finding(findings, "memory").level).toBe("skipped");
  });

  it("learns name and version from HELLO where INFO is refused, and skips what only INFO has", async () => {
    await command(server.port, [
      "ACL",
      "SETUSER",
      "blind",
      "on",
      ">password",
      "allkeys",
      "+@all",
      "-info",
      "-config|get",
    ]);
    const findings = await findingsOf({ location: server.url.replace("//", "//blind:password@") });
    expect(finding(findings, "version")).toMatchObject({ level: "ok", found: expect.stringMatching(/^Valkey \d/) });
    expect(finding(findings, "eviction")).toMatchObject({
      level: "skipped",
      found: "not checked: the user may not send INFO",
      remedy: expect.stringContaining("+info"),
    });
    expect(finding(findings, "timeouts").level).toBe("skipped");
  });

  it("says that text is plain on its way to another machine", async () => {
    const connectionFactory = iovalkey({ addressMap: () => ({ host: HOST, port: server.port }) });
    const remote = { location: "valkey://cache.example:6379", connectionFactory };
    expect(await findingOf("encryption", remote)).toMatchObject({
      level: "note",
      remedy: expect.stringContaining("valkeys://"),
    });
    expect((await findingOf("encryption", { location: server.url })).level).toBe("ok");
  });
});

describe("doctor, on several servers", () => {
  let cluster: ValkeyCluster;
  let group: Sentinels;
  beforeAll(async () => {
    [cluster, group] = await Promise.all([startCluster({ primaries: 3, replicas: 1 }), startSentinels()]);
  });
  afterAll(() => Promise.all([cluster?.stop(), group?.stop()]));

  it("finds a replica in the place of its primary", async () => {
    const [replica] = group.replicas;
    const location = replica?.url ?? "";
    expect(await findingOf("role", { location, connectionFactory: iovalkey() })).toMatchObject({
      level: "problem",
      found: `replica of ${HOST}:${group.primary.port}`,
      meaning: expect.stringContaining("READONLY"),
      remedy: expect.stringContaining(`${HOST}:${group.primary.port}`),
    });
  });

  it("finds replicas that keep up, and reads from them", async () => {
    const location = [group.primary, ...group.replicas].map(({ url }) => url).join(",");
    for (const readFrom of ["primary", "preferReplica"] as const) {
      const findings = await findingsOf({ location, connectionFactory: glide({ readFrom }) });
      expect(finding(findings, "role")).toMatchObject({ level: "ok", found: "primary" });
      expect(finding(findings, "replication")).toMatchObject({
        level: "ok",
        found: expect.stringMatching(/^1 replica, /),
      });
      expect(finding(findings, "replication").meaning.includes("Reads from replicas")).toBe(readFrom !== "primary");
    }
  });

  it("follows sentinels, and finds a sentinel in the place of a server", async () => {
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
    const through = { location: `valkey://${group.service}`, connectionFactory: sentinel({ sentinels }) };
    const findings = await findingsOf(through);
    expect(finding(findings, "topology")).toMatchObject({ level: "ok", found: "sentinels name the primary" });
    expect(linesOf(findings, "problem")).toEqual([]);
    const location = `valkey://${HOST}:${group.sentinels[0]?.port}`;
    expect(await findingOf("topology", { location, connectionFactory: iovalkey() })).toMatchObject({
      level: "problem",
      remedy: expect.stringContaining("sentinel()"),
    });
  });

  it.each([
    ["glideCluster()", () => glideCluster()],
    ["the default factory", () => undefined],
  ])("looks at all primaries of a cluster over %s", async (_, factory) => {
    const findings = await findingsOf({ location: cluster.url, connectionFactory: factory() });
    expect(linesOf(findings, "problem", "skipped")).toEqual([]);
    expect(finding(findings, "topology")).toMatchObject({ level: "ok", found: "a cluster of 3 primaries" });
    const memory = findings.filter(({ check }) => check === "memory");
    expect(memory.map(({ found }) => found.split(": ", 1)[0]).sort()).toEqual(
      cluster.nodes
        .slice(0, 3)
        .map(({ port }) => `${HOST}:${port}`)
        .sort(),
    );
  });

  it.each([
    ["glide()", () => glide()],
    ["iovalkey()", () => iovalkey()],
  ])("finds a node of a cluster behind %s", async (_, factory) => {
    const location = cluster.nodes[0]?.url ?? "";
    expect(await findingOf("topology", { location, connectionFactory: factory() })).toMatchObject({
      level: "problem",
      found: expect.stringContaining("a node of a cluster"),
      remedy: "use the connection factory glideCluster()",
    });
  });

  it("finds a single server behind glideCluster()", async () => {
    const location = group.primary.url;
    expect(await findingOf("connection", { location, connectionFactory: glideCluster() })).toMatchObject({
      level: "problem",
      remedy: expect.stringContaining("glide()"),
    });
  });

  it("finds slots that no node serves", async () => {
    await using alone = await startCluster({ primaries: 2 });
    await using cache = createCache({ ...APP, location: alone.url, connectionFactory: glideCluster() });
    await cache.get("a");
    for (const { port } of alone.nodes) await command(port, ["CLUSTER", "DELSLOTS", "1"]);
    const isDown = async ({ port }: ValkeyServer) =>
      String(await command(port, ["CLUSTER", "INFO"])).includes("cluster_state:fail");
    for (const node of alone.nodes) await until(() => isDown(node), { what: "the cluster to notice" });
    expect(finding(await examined(cache), "topology")).toMatchObject({
      level: "problem",
      found: 'a cluster of 2 primaries, whose state is "fail": 16383 of 16384 slots are served',
    });
  });
});
