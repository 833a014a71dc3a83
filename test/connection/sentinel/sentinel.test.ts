import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { glide, glideCluster } from "../../../src/connection/glide/factory.js";
import { openIovalkey } from "../../../src/connection/iovalkey/client.js";
import { iovalkey } from "../../../src/connection/iovalkey/node.js";
import { overIovalkey, type SentinelOptions, sentinelFactory } from "../../../src/connection/sentinel/factory.js";
import { sentinel } from "../../../src/connection/sentinel/node.js";
import type { Connection, ConnectionFactory } from "../../../src/core/connection.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ConfigurationError, ConnectionError } from "../../../src/core/errors.js";
import { parseLocation } from "../../../src/core/location.js";
import { command } from "../../support/command.js";
import { startProxy } from "../../support/proxy.js";
import { type Sentinels, startSentinels } from "../../support/sentinels.js";
import { stopwatch } from "../../support/stopwatch.js";
import { until } from "../../support/wait.js";

const connect = (factory: ConnectionFactory, location = "valkey://primary/0"): Connection =>
  factory.connect(parseLocation(location), PROCESS);
const addresses = ({ sentinels }: Sentinels) => sentinels.map(({ host, port }) => ({ host, port }));
const portOf = async (connection: Connection): Promise<number> => {
  const [reply] = await connection.send([["CONFIG", "GET", "port"]], { readOnly: true });
  return Number(Buffer.from((Array.isArray(reply) ? reply.flat().at(-1) : "") as Uint8Array));
};

describe("a connection through sentinels", () => {
  let servers: Sentinels;
  beforeAll(async () => {
    servers = await startSentinels({ replicas: 1 });
  });
  afterAll(() => servers?.stop());

  const open = async (options: Partial<SentinelOptions> = {}, location?: string): Promise<Connection> =>
    connect(sentinel({ sentinels: addresses(servers), ...options }), location);

  it("does no I/O until it is used", async () => {
    await using proxy = await startProxy({ port: servers.sentinels[0]?.port ?? 0 });
    await using connection = await open({ sentinels: [{ host: proxy.host, port: proxy.port }] });
    expect(connection.status().state).toBe("idle");
    expect(proxy.accepted).toBe(0);
    await connection.send([["PING"]]);
    expect(proxy.accepted).toBeGreaterThan(0);
  });

  it("takes the name of the service from the location or from its option", async () => {
    await using named = await open({ service: "primary" }, "valkey://whatever/0");
    expect(await named.send([["PING"]])).toEqual(["PONG"]);
    await using unknown = await open({}, "valkey://nothing/0");
    await expect(unknown.send([["PING"]])).rejects.toThrow(/knows no service "nothing"/);
    await expect(unknown.send([["PING"]])).rejects.toThrow(ConnectionError);
  });

  it("uses the database of the location", async () => {
    await using connection = await open({}, "valkey://primary/3");
    await connection.send([["SET", "in-three", "1"]]);
    const [info] = await connection.send([["INFO", "keyspace"]]);
    expect(String(Buffer.from(info as Uint8Array))).toContain("db3:");
  });

  it("passes over sentinels that are down or silent", async () => {
    await using silent = await startProxy({ port: servers.sentinels[0]?.port ?? 0 });
    silent.pause();
    const [, , last] = addresses(servers);
    const sentinels = [
      { host: silent.host, port: silent.port },
      { host: "127.0.0.1", port: 1 },
      last as { host: string },
    ];
    await using connection = await open({ sentinels });
    const took = stopwatch();
    expect(await connection.send([["PING"]])).toEqual(["PONG"]);
    expect(took()).toBeLessThan(900);
  });

  it("reports the failure of each sentinel if none answers", async () => {
    await using connection = await open({
      sentinels: [
        { host: "127.0.0.1", port: 1 },
        { host: "127.0.0.1", port: servers.primary.port },
      ],
      commandTimeout: "200ms",
    });
    await expect(connection.send([["PING"]])).rejects.toThrow(
      new RegExp(`no sentinel said.*127\\.0\\.0\\.1:${servers.primary.port}: .*ERR unknown command`),
    );
  });

  it("rejects a replica that a sentinel names as the primary", async () => {
    const [replica] = servers.replicas;
    const [first] = servers.sentinels;
    const ask = (...args: [string, ...string[]]) => command(first?.port ?? 0, args);
    await ask("SENTINEL", "MONITOR", "wrong", "127.0.0.1", String(replica?.port), "1");
    try {
      for (const factory of [
        sentinel({ sentinels: addresses(servers).slice(0, 1) }),
        sentinelFactory({ sentinels: addresses(servers).slice(0, 1) }, overIovalkey(openIovalkey)),
      ]) {
        await using connection = connect(factory, "valkey://wrong/0");
        await expect(connection.send([["SET", "a", "1"]])).rejects.toThrow(/primary/);
      }
    } finally {
      await ask("SENTINEL", "REMOVE", "wrong");
    }
  });

  it("resolves host names that sentinels announce", async () => {
    const [first] = servers.sentinels;
    const ask = (...args: [string, ...string[]]) => command(first?.port ?? 0, args);
    for (const name of ["resolve-hostnames", "announce-hostnames"]) await ask("SENTINEL", "CONFIG", "SET", name, "yes");
    await ask("SENTINEL", "MONITOR", "named", "localhost", String(servers.primary.port), "1");
    try {
      await using connection = await open({ sentinels: addresses(servers).slice(0, 1) }, "valkey://named/0");
      expect(await portOf(connection)).toBe(servers.primary.port);
      expect(await ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "named")).toEqual(["localhost", expect.any(String)]);
    } finally {
      await ask("SENTINEL", "REMOVE", "named");
    }
  });

  it.each([
    ["by its option", { readFrom: "preferReplica" }, "valkey://primary/0"],
    ["by the location", {}, "valkey://primary/0?is_master=0"],
  ] as const)("reads from replicas if asked %s, and writes to the primary", async (_how, options, location) => {
    const [replica] = servers.replicas;
    await using connection = await open(options, location);
    await connection.send([["SET", "read-me", "1"]]);
    const before = await commandsRun(replica?.port ?? 0, "get");
    await until(async () => (await connection.send([["GET", "read-me"]]))[0] !== null, {
      what: "the replica to follow",
    });
    for (let i = 0; i < 10; i++) await connection.send([["GET", "read-me"]]);
    expect((await commandsRun(replica?.port ?? 0, "get")) - before).toBeGreaterThanOrEqual(10);
  });

  it("is the only one to support is_master", () => {
    const location = parseLocation("valkey://primary/0?is_master=0");
    for (const factory of [glide(), glideCluster(), iovalkey()]) {
      expect(() => factory.connect(location, PROCESS)).toThrow(/primary\/0 asks for replicas by is_master.*readFrom/);
    }
  });

  it("logs in to sentinels with their own credentials", async () => {
    const [, , last] = servers.sentinels;
    const port = last?.port ?? 0;
    await command(port, ["ACL", "SETUSER", "cache", "on", ">secret", "+@all"]);
    const sentinels = [{ host: "127.0.0.1", port }];
    for (const make of [sentinel, (options: SentinelOptions) => sentinelFactory(options, overIovalkey(openIovalkey))]) {
      await using connection = connect(make({ sentinels, sentinelUsername: "cache", sentinelPassword: "secret" }));
      expect(await connection.send([["PING"]])).toEqual(["PONG"]);
      await using wrong = connect(make({ sentinels, sentinelUsername: "cache", sentinelPassword: "wrong" }));
      const error: unknown = await wrong.send([["PING"]]).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(ConnectionError);
      expect(String(error)).not.toContain("secret");
    }
  });

  it("belongs to one invocation on hosts that isolate requests", async () => {
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    const factory = sentinelFactory({ sentinels: addresses(servers) }, overIovalkey(openIovalkey));
    const location = parseLocation("valkey://primary/0");
    expect(factory.shares).toBe(false);
    await expect(factory.connect(location, PROCESS).send([["PING"]])).rejects.toThrow(/cache\.for\(/);
    const request = { ...PROCESS, scope: "request" } as const;
    for (let i = 0; i < 2; i++) {
      await using connection = factory.connect(location, request);
      expect(await connection.send([["PING"]])).toEqual(["PONG"]);
    }
  });

  it("rejects wrong options before any I/O", () => {
    const make = (options: object) => () => sentinel(options as SentinelOptions);
    expect(make({})).toThrow(/"sentinels" is missing/);
    expect(make({ sentinels: [] })).toThrow(/option "sentinels"/);
    expect(make({ sentinels: [{ host: "a", port: 0 }] })).toThrow(ConfigurationError);
    expect(make({ sentinels: [{ host: "a" }], sentinel: 1 })).toThrow(/unknown option "sentinel"/);
    expect(make({ sentinels: [{ host: "a" }], sentinelTls: { cafile: "a" } })).toThrow(/true, false, or an object/);
    const factory = sentinel({ sentinels: [{ host: "a" }] });
    expect(() => connect(factory, "memory:")).toThrow(/sentinel\(\)/);
    expect(() => connect(factory, "valkey://a,valkey://b")).toThrow(/one URL/);
  });
});

it("caches with equal settings share one connection to the primary and one to a sentinel", async () => {
  await using servers = await startSentinels({ replicas: 1 });
  const clients = async (port: number) =>
    String(await command(port, ["CLIENT", "LIST"])).match(/lib-name=valkey-edge-cache/g);
  const factory = () => sentinel({ sentinels: addresses(servers), maxIdle: "77s" });
  const connections = Array.from({ length: 100 }, () => connect(factory()));
  await Promise.all(connections.map((connection) => connection.send([["PING"]])));
  expect(await clients(servers.primary.port)).toHaveLength(1);
  const perSentinel = await Promise.all(servers.sentinels.map(({ port }) => clients(port)));
  expect(perSentinel.flatMap((found) => found ?? [])).toHaveLength(1);
  await Promise.all(connections.map((connection) => connection.close()));
});

describe("a failover", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Writes until the new primary accepts the writes. */
  const follows = (connection: Connection, port: number) =>
    until(
      async () => {
        await connection.send([["SET", "after", "1"]]);
        return (await portOf(connection)) === port;
      },
      { what: "the connection to follow" },
    );

  /** How often sentinels are asked while nothing fails. */
  const later = (work: () => Promise<unknown>) => {
    const now = Date.now;
    vi.spyOn(Date, "now").mockImplementation(() => now() + 6_000);
    return work();
  };

  it("that was planned is followed although the old primary still accepts writes", async () => {
    await using servers = await startSentinels({ replicas: 1 });
    await using connection = connect(sentinel({ sentinels: addresses(servers) }));
    expect(await portOf(connection)).toBe(servers.primary.port);
    await servers.failover();
    // No command was sent meanwhile, so the sentinel announced it.
    await until(() => connection.status().state === "idle", { what: "the old connection to be abandoned" });
    expect(await portOf(connection)).toBe(await servers.primaryPort());
  });

  it("is followed although the sentinel that would announce it is down", async () => {
    await using servers = await startSentinels({ replicas: 1 });
    await using connection = connect(sentinel({ sentinels: addresses(servers) }));
    await connection.send([["PING"]]);
    await servers.sentinels[0]?.kill("SIGKILL");
    const [, second] = servers.sentinels;
    const port = second?.port ?? 0;
    await until(() => command(port, ["SENTINEL", "FAILOVER", servers.service]), { what: "a failover to begin" });
    const announced = await until(
      async () => {
        const [, now] = (await command(port, ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", servers.service])) as string[];
        return Number(now) === servers.primary.port ? undefined : Number(now);
      },
      { what: "the failover", timeoutMs: 10_000 },
    );
    await later(() => follows(connection, announced));
  });

  it("is followed by asking where the sentinels' user may not subscribe", async () => {
    await using servers = await startSentinels({ replicas: 1 });
    const ports = servers.sentinels.map(({ port }) => port);
    for (const port of ports) await command(port, ["ACL", "SETUSER", "default", "-subscribe"]);
    await using connection = connect(sentinel({ sentinels: addresses(servers) }));
    expect(await portOf(connection)).toBe(servers.primary.port);
    const refused = async () => connection.status().unavailable?.includes("SUBSCRIBE");
    await until(refused, { what: "the refused subscription in the status" });
    await servers.failover();
    await later(async () => follows(connection, (await servers.primaryPort()) ?? 0));
  });

  it("is followed over iovalkey as well", async () => {
    await using servers = await startSentinels({ replicas: 1 });
    await using connection = connect(sentinelFactory({ sentinels: addresses(servers) }, overIovalkey(openIovalkey)));
    expect(await portOf(connection)).toBe(servers.primary.port);
    await servers.failover();
    await later(async () => follows(connection, (await servers.primaryPort()) ?? 0));
  });
});

async function commandsRun(port: number, name: string): Promise<number> {
  const stats = String(await command(port, ["INFO", "commandstats"]));
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
