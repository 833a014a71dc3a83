import { setTimeout as pause } from "node:timers/promises";
import { type CacheOptions, createCache, glideCluster, sentinel } from "../../src/index.js";
import { moveSlot, startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { startProxy, type TcpProxy } from "../support/proxy.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import type { Fault } from "./fault.js";
import type { LoadOptions } from "./load.js";

const DEADLINE_MS = 500;
const TIMES = { commandTimeout: "500ms", connectTimeout: "500ms" } as const;
/** Replication is asynchronous, so the last acknowledged writes may be lost with a primary. */
const LOAD = { mayForget: true };

const underSentinels = (
  name: string,
  harm: (servers: Sentinels, healed: () => void) => Promise<void>,
  options: Partial<CacheOptions> = {},
): Fault => ({
  name,
  async prepare(stack) {
    const servers = stack.use(await startSentinels({ replicas: 2, downAfterMs: 500 }));
    const sentinels = servers.sentinels.map(({ host, port }) => ({ host, port }));
    const connectionFactory = sentinel({ sentinels, ...TIMES, ...options });
    const cache = stack.use(createCache({ location: `valkey://${servers.service}/0`, connectionFactory }));
    return { cache, load: LOAD, deadlineMs: DEADLINE_MS, harm: (healed) => harm(servers, healed) };
  },
});

async function killPrimary(servers: Sentinels, healed: () => void): Promise<void> {
  await servers.primary.kill("SIGKILL");
  await until(() => Promise.all(servers.replicas.map(({ port }) => isPrimary(port))).then((all) => all.some(Boolean)), {
    what: "a replica to be elected",
    timeoutMs: 15_000,
  });
  healed();
}

export const sentinelCrash = underSentinels(
  "3 sentinels, 1 primary, 2 replicas: the primary is killed (down-after 0.5 s)",
  killPrimary,
);

export const sentinelCrashWithReplicas = underSentinels("the same, reading from replicas", killPrimary, {
  readFrom: "preferReplica",
});

export const sentinelPlanned = underSentinels(
  "3 sentinels, 1 primary, 2 replicas: a planned failover",
  async (servers, healed) => {
    await servers.failover();
    healed();
  },
);

export const demoted: Fault = {
  name: "a primary and its replica change places, both in the location",
  async prepare(stack) {
    const soon = ["--repl-diskless-sync-delay", "0"];
    const one = stack.use(await startValkey({ args: soon }));
    const other = stack.use(await startValkey({ args: [...soon, "--replicaof", `${one.host} ${one.port}`] }));
    const cache = stack.use(createCache({ location: [one.url, other.url], ...TIMES }));
    return {
      cache,
      load: LOAD,
      deadlineMs: DEADLINE_MS,
      async harm(healed) {
        // A connection is not replaced because of READONLY in its first second.
        await pause(1_000);
        await command(other.port, ["REPLICAOF", "NO", "ONE"]);
        await command(one.port, ["REPLICAOF", other.host, String(other.port)]);
        healed();
      },
    };
  },
};

const inCluster = (
  name: string,
  { replicas, proxied, load }: { replicas: number; proxied?: boolean; load?: LoadOptions },
  harm: (cluster: ValkeyCluster, healed: () => void, proxy: TcpProxy | undefined) => Promise<void>,
): Fault => ({
  name,
  async prepare(stack) {
    const cluster = stack.use(await startCluster({ replicas }));
    const proxy = proxied ? stack.use(await proxyTo(cluster)) : undefined;
    const location = proxied ? (cluster.nodes[1] as ValkeyServer).url : cluster.url;
    const cache = createCache({ location, connectionFactory: glideCluster(TIMES) });
    return {
      cache: stack.use(cache),
      load: load ?? {},
      deadlineMs: DEADLINE_MS,
      harm: (healed) => harm(cluster, healed, proxy),
    };
  },
});

/** Makes clients reach the first node through a proxy. */
async function proxyTo({ nodes }: ValkeyCluster): Promise<TcpProxy> {
  const [first, second] = nodes as [ValkeyServer, ValkeyServer];
  const proxy = await startProxy({ port: first.port });
  await command(first.port, ["CONFIG", "SET", "cluster-announce-port", String(proxy.port)]);
  const isAnnounced = async () =>
    JSON.stringify(await command(second.port, ["CLUSTER", "SLOTS"])).includes(`${proxy.port}`);
  await until(isAnnounced, { what: "the nodes to announce the proxy", timeoutMs: 10_000 });
  return proxy;
}

export const clusterCrash = inCluster(
  "a cluster of 3 + 3: a primary is killed (node timeout 2 s)",
  { replicas: 1, load: LOAD },
  async ({ nodes }, healed) => {
    const [first, , , replica] = nodes as [ValkeyServer, ValkeyServer, ValkeyServer, ValkeyServer];
    await first.kill("SIGKILL");
    await until(() => isPrimary(replica.port), { what: "the replica to be elected", timeoutMs: 15_000 });
    healed();
  },
);

export const clusterHalfOpen = inCluster(
  "a cluster: the connection to one node is half-open",
  { replicas: 0, proxied: true },
  async (_cluster, healed, proxy) => {
    proxy?.strand();
    healed();
  },
);

export const slotsMove: Fault = inCluster(
  "a cluster: 200 slots move to another node",
  { replicas: 0 },
  async ({ nodes }, healed) => {
    const [from, to, other] = nodes as [ValkeyServer, ValkeyServer, ValkeyServer];
    for (let slot = 0; slot < 200; slot++) await moveSlot(slot, from, to, other);
    healed();
  },
);

async function isPrimary(port: number): Promise<boolean> {
  const [role] = (await command(port, ["ROLE"])) as [string];
  return role === "master";
}
