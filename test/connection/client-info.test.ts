import { createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { LIBRARY } from "../../src/connection/client-info.js";
import {
  ConfigurationError,
  type ConnectionFactory,
  type ConnectionOptions,
  createCache,
  glide,
  glideCluster,
  iovalkey,
} from "../../src/index.js";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { listenAnywhere } from "../support/ports.js";
import { manifest } from "../support/project.js";
import { startProxy } from "../support/proxy.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";

const transports: Readonly<Record<string, (options: ConnectionOptions) => ConnectionFactory>> = { glide, iovalkey };

/** What CLIENT LIST has of the connections, without the one that asks. */
async function listed(port: number): Promise<{ name: string; library: string }[]> {
  const list = String(await command(port, ["CLIENT", "LIST", "TYPE", "NORMAL"]));
  const lines = list
    .trim()
    .split("\n")
    .filter((line) => !line.includes("cmd=client|list"));
  return lines.map((line) => ({
    name: / name=(\S*)/.exec(line)?.[1] ?? "",
    library: / lib-name=(\S* lib-ver=\S*)/.exec(line)?.[1] ?? "",
  }));
}

const WITHOUT_CLIENT = ["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-client"] as const;

it("the version that is sent to servers is the package's", () => {
  expect(LIBRARY).toEqual({ name: manifest.name, version: manifest.version });
});

describe.each(Object.entries(transports))("a connection over %s()", (_, factory) => {
  const cacheOf = (server: Pick<ValkeyServer, "url">, options: ConnectionOptions = {}) =>
    createCache({ location: server.url, connectionFactory: factory(options) });
  const library = `${LIBRARY.name} lib-ver=${LIBRARY.version}`;

  it("has a name if the application gives one, and always the library's name and version", async () => {
    await using server = await startValkey();
    await using named = cacheOf(server, { clientName: "orders:worker-1" });
    await using unnamed = cacheOf(server);
    await named.set("a", 1);
    await unnamed.set("b", 1);
    const connections = await listed(server.port);
    expect(connections).toContainEqual({ name: "orders:worker-1", library });
    expect(connections).toContainEqual({ name: "", library });
    expect(await named.health()).not.toHaveProperty("unavailable");
  });

  it("keeps its name when the server ended it while it was idle", async () => {
    await using server = await startValkey();
    await using cache = cacheOf(server, { clientName: "worker" });
    await cache.set("a", 1);
    await command(server.port, ["CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"]);
    expect(await cache.get("a")).toBe(1);
    expect((await listed(server.port)).map(({ name }) => name)).toContain("worker");
  });

  it("goes on without where the user may not say it, and health() names what is left out", async () => {
    await using server = await startValkey();
    await command(server.port, WITHOUT_CLIENT);
    const options = { clientName: "worker", username: "app", password: "secret" };
    for (const _time of [1, 2]) {
      await using cache = cacheOf(server, options);
      expect(await cache.incr("n", 1, { create: true })).toBe(_time);
      expect(await cache.health()).toMatchObject({
        state: "closed",
        unavailable: expect.arrayContaining(["CLIENT SETNAME", "CLIENT SETINFO"]),
      });
    }
  });

  it.each(["", "two words", "line\nbreak", "ümlaut", 5, "a\u0000"])("refuses the name %j", (clientName) => {
    const options: object = { clientName };
    expect(() => factory(options)).toThrow(ConfigurationError);
    expect(() => factory(options)).toThrow(/option "clientName" is .*give visible ASCII characters without spaces/);
  });
});

it("a connection over iovalkey() says what it is without a round trip of its own", async () => {
  await using server = await startValkey();
  await using proxy = await startProxy(server);
  await using cache = createCache({ location: proxy.url, connectionFactory: iovalkey({ clientName: "worker" }) });
  await cache.get("a");
  expect(proxy.roundTrips).toBe(1);
});

it("a connection over iovalkey() goes on without where a proxy closes it for that", async () => {
  let closed = 0;
  const take = (socket: Socket) =>
    socket
      .on("error", () => {})
      .on("data", (bytes) => {
        if (/CLIENT/.test(String(bytes))) {
          closed++;
          socket.destroy();
        } else socket.write("$-1\r\n");
      });
  const proxy = createServer(take);
  const port = await listenAnywhere(proxy);
  onTestFinished(() => void proxy.close());
  for (const _time of [1, 2]) {
    await using cache = createCache({
      location: `valkey://127.0.0.1:${port}`,
      connectionFactory: iovalkey({ clientName: "worker" }),
    });
    expect(await cache.get("a")).toBeUndefined();
    expect(await cache.health()).toMatchObject({ unavailable: ["CLIENT SETNAME", "CLIENT SETINFO"] });
  }
  expect(closed).toBe(1);
});

it("connections to a cluster have the name, or go on without", async () => {
  const [one, other] = await Promise.all([startCluster(), startCluster()]);
  await using cluster = one;
  await using cluster2 = other;
  const { nodes, url: location } = cluster;
  await Promise.all(nodes.map(({ port }) => command(port, WITHOUT_CLIENT)));
  const keys = Array.from({ length: 30 }, (_, i) => `key:${i}`);
  await using refused = createCache({
    location,
    connectionFactory: glideCluster({ clientName: "worker", username: "app", password: "secret" }),
  });
  expect((await refused.getMany(keys)).size).toBe(0);
  expect(await refused.health()).toMatchObject({ unavailable: ["CLIENT SETNAME"] });
  await using named = createCache({
    location: cluster2.url,
    connectionFactory: glideCluster({ clientName: "worker" }),
  });
  await named.getMany(keys);
  for (const { port } of cluster2.nodes) expect((await listed(port)).map(({ name }) => name)).toContain("worker");
}, 60_000);
