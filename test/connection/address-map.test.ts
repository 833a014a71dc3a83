import { describe, expect, it } from "vitest";
import {
  type AddressMap,
  type CacheOptions,
  ConfigurationError,
  createCache,
  glide,
  glideCluster,
  iovalkey,
  sentinel,
  type TlsOptions,
} from "../../src/index.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { freePort, HOST } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey } from "../support/servers.js";
import { until } from "../support/wait.js";

const works = async (options: CacheOptions) => {
  await using cache = createCache(options);
  await cache.set("a", 1);
  expect(await cache.get("a")).toBe(1);
};

describe.each([
  ["createCache()", (addressMap: AddressMap, tls?: TlsOptions): Partial<CacheOptions> => ({ addressMap, tls })],
  ["glide()", (addressMap: AddressMap, tls?: TlsOptions) => ({ connectionFactory: glide({ addressMap, tls }) })],
  ["iovalkey()", (addressMap: AddressMap, tls?: TlsOptions) => ({ connectionFactory: iovalkey({ addressMap, tls }) })],
])("the address map of %s", (name, options) => {
  const takesSeveral = name !== "iovalkey()";

  it("gives the address to dial in place of the location's", async () => {
    await using server = await startValkey();
    const to = `${HOST}:${server.port}`;
    const asked: object[] = [];
    const record: AddressMap = (from) => {
      asked.push(from);
      return { host: HOST, port: server.port };
    };
    const maps: [string, AddressMap][] = [
      ["valkey://10.255.0.1", { "10.255.0.1:6379": to }],
      ["valkey://Cache.Example:7000", { "cache.example:7000": to }],
      ["valkey://[2001:db8::1]:7000", { "[2001:DB8:0::1]:7000": to }],
      ["valkey://[2001:db8::1]:7000", (address) => ({ ...address, host: HOST, port: server.port })],
      ["valkey://a.example,valkey://b.example", record],
      [`valkey://${to}`, { "other.example:6379": "other.example:1" }],
      [`valkey://${to}`, (address) => address],
    ];
    for (const [location, map] of maps) {
      if (!location.includes(",")) await works({ location, ...options(map) });
      else if (takesSeveral) await expect(works({ location, ...options(map) })).rejects.toThrow(/both primaries/);
    }
    if (takesSeveral) expect(asked).toContainEqual({ host: "b.example", port: 6379 });
  });

  it("gives the host whose certificate is checked", async () => {
    const port = await freePort();
    await using _server = await startValkey({ args: tlsArguments(port) });
    const addressMap = { "cache.example:6380": `localhost:${port}` };
    const tls = { ca: certificate("ca.pem") };
    await works({ location: "valkeys://cache.example:6380", ...options(addressMap, tls) });
  });

  it.each([
    [
      () => {
        throw new Error("no route");
      },
    ],
    [() => undefined],
    [() => "127.0.0.1:6379"],
    [() => ({ host: "", port: 1 })],
    [() => ({ host: "a", port: 0 })],
    [() => ({ host: "a", port: "6379x" })],
    [async () => ({ host: HOST, port: 1 })],
  ])("is an error for each call if its function gives no address, as %s", async (map: unknown) => {
    await using server = await startValkey();
    await using cache = createCache({ location: server.url, ...options(map as AddressMap) });
    await expect(cache.get("a")).rejects.toMatchObject({
      name: "ConnectionError",
      message: expect.stringMatching(
        /option "addressMap" gave no address for 127\.0\.0\.1:\d+; return \{ host, port \}/,
      ),
    });
  });

  it.each([
    ["10.0.0.1:6379"],
    [["10.0.0.1:6379", "10.0.0.2:6379"]],
    [{ "10.0.0.1": "127.0.0.1:1" }],
    [{ "10.0.0.1:6379": "127.0.0.1" }],
    [{ "10.0.0.1:6379": 7000 }],
    [{ "10.0.0.1:6379": { host: "127.0.0.1", port: 1 } }],
    [{ "10.0.0.1:0": "127.0.0.1:1" }],
    [{ "10.0.0.1:70000": "127.0.0.1:1" }],
    [{ "2001:db8::1:6379": "127.0.0.1:1" }],
    [{ "valkey://a:1": "127.0.0.1:1" }],
    [{ "[nonsense]:1": "127.0.0.1:1" }],
  ])("is refused if it is %j", (map: unknown) => {
    const open = () => createCache({ location: "valkey://h", ...options(map as AddressMap) });
    expect(open).toThrow(ConfigurationError);
    expect(open).toThrow(/option "addressMap" is .*give a function, or addresses with ports such as/);
  });

  it("is a part of what caches share a connection by: the content of a record, the identity of a function", async () => {
    await using server = await startValkey();
    const location = "valkey://one.example";
    const to = `${HOST}:${server.port}`;
    const connections = async () =>
      String(await command(server.port, ["CLIENT", "LIST", "TYPE", "NORMAL"]))
        .trim()
        .split("\n").length - 1;
    const byFunction: AddressMap = () => ({ host: HOST, port: server.port });
    const maps: AddressMap[] = [
      { "one.example:6379": to, "two.example:1": to },
      { "two.example:1": to, "one.example:6379": to },
      byFunction,
      byFunction,
      () => ({ host: HOST, port: server.port }),
    ];
    const caches = maps.map((map) => createCache({ location, ...options(map) }));
    await Promise.all(caches.map((cache) => cache.get("a")));
    // A dial that takes long asks the server in another connection, which ends soon.
    await until(async () => (await connections()) === 3, { what: "three connections" });
    await Promise.all(caches.map((cache) => cache.close()));
  });
});

describe.concurrent("the address map of glideCluster()", () => {
  it("gives the addresses to dial in place of those that the nodes announce", async () => {
    await using cluster = await startCluster();
    const announced = await Promise.all(cluster.nodes.map(() => freePort()));
    await Promise.all(
      cluster.nodes.map(({ port }, i) =>
        command(port, ["CONFIG", "SET", "cluster-announce-port", String(announced[i])]),
      ),
    );
    const isAnnounced = async (port: number) => {
      const slots = JSON.stringify(await command(port, ["CLUSTER", "SLOTS"]));
      return announced.every((one) => slots.includes(`,${one},`));
    };
    const all = async () => (await Promise.all(cluster.nodes.map(({ port }) => isAnnounced(port)))).every(Boolean);
    await until(all, { what: "the nodes to announce wrong ports", timeoutMs: 10_000 });
    const entries = announced.map((port, i) => [`${HOST}:${port}`, `${HOST}:${cluster.nodes[i]?.port}`] as const);
    const location = `valkey://${HOST}:${announced[0]}`;
    for (const addressMap of [
      Object.fromEntries(entries),
      ({ host, port }: { host: string; port: number }) => ({
        host,
        port: cluster.nodes[announced.indexOf(port)]?.port ?? port,
      }),
    ]) {
      await using cache = createCache({ location, connectionFactory: glideCluster({ addressMap }) });
      const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`);
      await Promise.all(keys.map((key, i) => cache.set(key, i)));
      expect((await cache.getMany(keys)).size).toBe(50);
    }
    await using without = createCache({ location, connectionFactory: glideCluster({ connectTimeout: "500ms" }) });
    await expect(without.get("a")).rejects.toThrow(/could not be reached/);
  }, 60_000);
});

it.concurrent("the address map of sentinel() gives the addresses of sentinels and of the servers that they name, also after a failover", async () => {
  await using servers = await startSentinels({ replicas: 1 });
  const [first] = servers.sentinels;
  const ports = [servers.primary.port, ...servers.replicas.map(({ port }) => port)];
  await using stack = new AsyncDisposableStack();
  const proxies = await Promise.all(ports.map(async (port) => stack.use(await startProxy({ port }))));
  const addressMap = Object.fromEntries([
    ["sentinel.example:26379", `${HOST}:${first?.port}`],
    ...ports.map((port, i) => [`${HOST}:${port}`, `${HOST}:${proxies[i]?.port}`]),
  ]);
  const connectionFactory = sentinel({ sentinels: [{ host: "sentinel.example" }], addressMap });
  await using cache = createCache({ location: "valkey://primary/0", connectionFactory });
  await cache.set("a", 1);
  expect(proxies.map(({ connections }) => connections > 0)).toEqual([true, false]);
  await servers.failover();
  await until(async () => (await cache.set("a", 2)) && (proxies[1]?.connections ?? 0) > 0, {
    what: "the new primary to be reached through its proxy",
    timeoutMs: 15_000,
  });
}, 60_000);
