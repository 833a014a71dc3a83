import { Redis } from "iovalkey";
import { describe, expect, it } from "vitest";
import { type CacheOptions, glideCluster } from "../../src/index.js";
import { slotOf } from "../../src/near/slots.js";
import { certificate, tlsArguments } from "../support/certificates.js";
import { addNode, beginMove, moveSlot, startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { freePort, HOST } from "../support/ports.js";
import type { ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { listenersAt, Near } from "./near.js";

const STALE = "1s";
type Nodes = [ValkeyServer, ValkeyServer, ValkeyServer];

/** Keys of the cache whose slots the primary at this place has. */
function keysAt(place: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const owner = Math.floor((slotOf(`app:1:key-${i}`) * 3) / 16_384);
    if (owner === place) keys.push(`key-${i}`);
  }
  return keys;
}

const stored = (key: string): string => `app:1:${key}`;

async function open(cluster: ValkeyCluster, options: Partial<CacheOptions> = {}): Promise<Near> {
  const near = new Near(
    { location: cluster.url, keyPrefix: "app", connectionFactory: glideCluster(), ...options } as CacheOptions,
    { maxStaleness: STALE },
  );
  await near.cache.set("first", 0);
  await until(() => near.knows("first"), { what: "the near cache to listen" });
  return near;
}

async function keep(near: Near, key: string, value: number): Promise<void> {
  await near.cache.set(key, value);
  await until(() => near.knows(key), { what: `${key} to be kept` });
}

/** Waits until each listener has asked its primary twice what it is. */
async function heartbeats({ nodes }: ValkeyCluster): Promise<void> {
  const count = async ({ port }: ValkeyServer) => {
    const stats = String(await command(port, ["INFO", "commandstats"]));
    return Number(/cmdstat_hello:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const before = await Promise.all(nodes.map(count));
  const isDone = async () => (await Promise.all(nodes.map(count))).every((now, i) => now >= (before[i] ?? 0) + 2);
  await until(isDone, { what: "two heartbeats of each listener", everyMs: 50 });
}

/** Sends a command to a node that has only a part of the slot yet. */
async function asking(port: number, command: readonly [string, ...string[]]): Promise<void> {
  const client = new Redis({ host: HOST, port });
  try {
    const [name, ...args] = command;
    await Promise.all([client.call("ASKING"), client.call(name, ...args)]);
  } finally {
    client.disconnect();
  }
}

describe.concurrent("a near cache in a cluster", () => {
  it.each([
    ["glideCluster()", {}],
    ["the default transport, which finds the cluster", { connectionFactory: undefined }],
  ])(
    "hears of changes at each primary: %s",
    async (_name, options: Partial<CacheOptions>) => {
      await using cluster = await startCluster();
      await using near = await open(cluster, options);
      for (const [place, { port }] of cluster.nodes.entries()) {
        const [key = ""] = keysAt(place, 1);
        await keep(near, key, 1);
        await command(port, ["SET", stored(key), "2"]);
        await until(async () => (await near.cache.get(key)) === 2, { what: "the new value" });
      }
      const counts = await Promise.all(cluster.nodes.map(({ port }) => listenersAt(port)));
      expect(counts.map(({ length }) => length)).toEqual([1, 1, 1]);
    },
    30_000,
  );

  it("hears of changes at each primary over TLS", async () => {
    await using cluster = await startCluster({ args: async () => tlsArguments(await freePort()) });
    const tlsPort = async ({ port }: ValkeyServer) =>
      ((await command(port, ["CONFIG", "GET", "tls-port"])) as string[])[1];
    const location = (await Promise.all(cluster.nodes.map(tlsPort))).map((port) => `valkeys://${HOST}:${port}`);
    const connectionFactory = glideCluster({ tls: { ca: certificate("ca.pem") } });
    await using near = await open(cluster, { location, connectionFactory });
    for (const [place, { port }] of cluster.nodes.entries()) {
      const [key = ""] = keysAt(place, 1);
      await keep(near, key, 1);
      await command(port, ["SET", stored(key), "2"]);
      await near.sees(key, 2);
    }
    expect(await near.health()).toMatchObject({ invalidation: "tracking", listening: true });
  }, 30_000);

  it("ends entries of slots that move one after another, although only the first move changes the cluster's epoch", async () => {
    await using cluster = await startCluster();
    const [from, to, other] = cluster.nodes as Nodes;
    await using near = await open(cluster);
    const keys = keysAt(0, 2);
    for (const key of keys) await keep(near, key, 1);
    for (const key of keys) {
      await heartbeats(cluster);
      await moveSlot(slotOf(stored(key)), from, to, other);
      await until(() => near.knows(key), { what: "the moved key to be kept" });
      await command(to.port, ["SET", stored(key), "2"]);
      await until(async () => (await near.cache.get(key)) === 2, { what: "the new value" });
    }
  }, 30_000);

  it("keeps no entry of a slot that is being moved to a node that nobody listens to", async () => {
    await using cluster = await startCluster();
    const [from] = cluster.nodes as Nodes;
    await using added = await addNode(cluster);
    await using near = await open(cluster);
    const [key, untouched] = [...keysAt(0, 1), ...keysAt(2, 1)] as [string, string];
    await heartbeats(cluster);
    const slot = slotOf(stored(key));
    const finish = await beginMove(slot, from, added);
    await near.cache.set(key, 1);
    expect(await near.cache.get(key)).toBe(1);
    await heartbeats(cluster);
    await near.read(key);
    await asking(added.port, ["SET", stored(key), "2"]);
    expect(await near.read(key)).toEqual({ value: 2, isKnown: false });
    await keep(near, untouched, 1);
    await finish(...cluster.nodes);
    await until(() => near.knows(key), { what: "the key to be kept after the move", timeoutMs: 10_000 });
    await asking(added.port, ["SET", stored(key), "3"]);
    await until(async () => (await near.cache.get(key)) === 3, { what: "the new value" });
  }, 30_000);

  it("goes on answering the keys of other primaries when one is killed", async () => {
    await using cluster = await startCluster();
    const [first] = cluster.nodes as Nodes;
    await using near = await open(cluster);
    const [gone, kept] = [...keysAt(0, 1), ...keysAt(1, 1)] as [string, string];
    await keep(near, gone, 1);
    await keep(near, kept, 1);
    await first.kill("SIGKILL");
    await until(() => near.cache.health().then(({ nearCache }) => nearCache?.listening === false), {
      what: "the loss",
    });
    expect(await near.knows(kept)).toBe(true);
    await expect(near.cache.get(gone)).rejects.toThrow();
  }, 30_000);

  it("follows a failover: another client's writes at the new primary are heard", async () => {
    await using cluster = await startCluster({ replicas: 1 });
    const [first, , , replica] = cluster.nodes as [...Nodes, ValkeyServer];
    await using near = await open(cluster);
    const [key] = keysAt(0, 1) as [string];
    await keep(near, key, 1);
    await first.kill("SIGKILL");
    await until(() => near.knows(key), { what: "the key to be kept again", timeoutMs: 20_000 });
    await command(replica.port, ["SET", stored(key), "2"]);
    await until(async () => (await near.cache.get(key)) === 2, { what: "the new value" });
  }, 40_000);

  it("keeps nothing that a replica is late with, where reads go to replicas", async () => {
    await using cluster = await startCluster({ replicas: 1 });
    const [primary, , , replica] = cluster.nodes as [...Nodes, ValkeyServer];
    await using near = await open(cluster, { connectionFactory: glideCluster({ readFrom: "preferReplica" }) });
    const [key] = keysAt(0, 1) as [string];
    await keep(near, key, 1);
    const copies = ["CLUSTER", "COUNTKEYSINSLOT", String(slotOf(stored(key)))] as const;
    await until(async () => (await command(replica.port, copies)) === 1, { what: "the replica to have the value" });
    // The replica can't follow any more, and goes on answering with what it has.
    await command(primary.port, ["ACL", "SETUSER", "default", "-psync", "-sync"]);
    await command(primary.port, ["CLIENT", "KILL", "TYPE", "replica"]);
    const late = ["GETRANGE", stored(key), "0", "-1"] as const;
    for (const value of [2, 3]) {
      await command(primary.port, ["SET", stored(key), String(value)]);
      if (value === 2) await near.sees(key, value);
      else await until(async () => (await near.cache.getMany([key])).get(key) === value, { what: "the new value" });
      await until(() => near.knows(key), { what: "the new value to be kept" });
      expect(await near.cache.get(key)).toBe(value);
      const [reply] = await near.cache.connection.send([late], { readOnly: true, text: true });
      expect(String(reply)).toBe("1");
    }
  }, 30_000);
});
