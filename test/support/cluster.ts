import { command } from "./command.js";
import { freePort, HOST } from "./ports.js";
import { startValkey, type ValkeyServer } from "./servers.js";
import { until } from "./wait.js";

export interface ValkeyCluster extends AsyncDisposable {
  /** All nodes, separated by commas. */
  readonly url: string;
  /** The primaries first, then their replicas, in the same order. */
  readonly nodes: readonly ValkeyServer[];
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** @default 3 */
  primaries?: number;
  /** Replicas of each primary. @default 0 */
  replicas?: number;
  /** More arguments of valkey-server, for each node its own where this is a function. */
  args?: readonly string[] | (() => Promise<readonly string[]>);
}

interface Node {
  server: ValkeyServer;
  busPort: number;
}

const SLOTS = 16_384;
const TRIES = 5;

/** Replicas copy at once and count as up to date soon: nodes don't announce a replica without a replication offset. */
const SOON = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

/** Starts a cluster. When this resolves, every node reports it healthy and all agree on the owners of the slots. */
export async function startCluster(options: ClusterOptions = {}): Promise<ValkeyCluster> {
  const { primaries = 3, replicas = 0, args = [] } = options;
  const nodes = await Promise.all(Array.from({ length: primaries * (1 + replicas) }, () => startNode(args)));
  const servers = nodes.map(({ server }) => server);
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    await assignSlots(servers.slice(0, primaries));
    await meet(nodes);
    await Promise.all(servers.slice(primaries).map((server, i) => replicate(server, servers[i % primaries])));
    await until(() => agree(servers, primaries), { what: "the cluster to be ready", timeoutMs: 20_000, everyMs: 20 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: servers.map(({ url }) => url).join(","), nodes: servers, stop, [Symbol.asyncDispose]: stop };
}

/** Moves a slot with its keys. Only then do these nodes say that it has another owner. */
export async function moveSlot(
  slot: number,
  from: ValkeyServer,
  to: ValkeyServer,
  ...others: ValkeyServer[]
): Promise<void> {
  const finish = await beginMove(slot, from, to);
  for (;;) {
    const keys = (await command(from.port, ["CLUSTER", "GETKEYSINSLOT", String(slot), "100"])) as string[];
    if (keys.length === 0) break;
    const where = [to.host, String(to.port), "", "0", "1000", "REPLACE", "KEYS"];
    await command(from.port, ["MIGRATE", ...where, ...keys]);
  }
  await finish(...others);
}

/** Begins to move a slot. @returns a function that makes it the other node's */
export async function beginMove(
  slot: number,
  from: ValkeyServer,
  to: ValkeyServer,
): Promise<(...others: ValkeyServer[]) => Promise<void>> {
  const [source, target] = await Promise.all([from, to].map(({ port }) => command(port, ["CLUSTER", "MYID"])));
  const set = ({ port }: ValkeyServer, ...args: string[]) =>
    command(port, ["CLUSTER", "SETSLOT", String(slot), ...args]);
  await set(to, "IMPORTING", String(source));
  await set(from, "MIGRATING", String(target));
  return async (...others) => {
    for (const node of [to, from, ...others]) await set(node, "NODE", String(target));
  };
}

/** Starts a primary without slots that belongs to the cluster. When this resolves, all nodes know it. */
export async function addNode({ nodes }: ValkeyCluster): Promise<ValkeyServer> {
  const { server, busPort } = await startNode([]);
  for (const { port } of nodes) {
    await command(port, ["CLUSTER", "MEET", HOST, String(server.port), String(busPort)]);
  }
  const id = String(await command(server.port, ["CLUSTER", "MYID"]));
  const known = async (port: number) => String(await command(port, ["CLUSTER", "NODES"])).includes(id);
  const isReady = async () =>
    (await Promise.all(nodes.map(({ port }) => known(port)))).every(Boolean) &&
    String(await command(server.port, ["CLUSTER", "INFO"])).includes("cluster_state:ok");
  await until(isReady, { what: "a node to join", timeoutMs: 20_000, everyMs: 20 });
  return server;
}

async function startNode(args: NonNullable<ClusterOptions["args"]>): Promise<Node> {
  for (let tries = 1; ; tries += 1) {
    const busPort = await freePort();
    const own = typeof args === "function" ? await args() : args;
    const common = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", ...SOON, ...own];
    try {
      return { server: await startValkey({ args: [...common, "--cluster-port", String(busPort)] }), busPort };
    } catch (error) {
      if (/Bad directive/.test(String(error))) {
        // Redis before 7.0, where the bus port can't be chosen.
        const server = await startValkey({ args: common });
        return { server, busPort: server.port + 10_000 };
      }
      // Another process took the port first; the bus port depends on it, so start again with a new one.
      if (tries === TRIES || !/Address already in use/.test(String(error))) throw error;
    }
  }
}

async function assignSlots(servers: readonly ValkeyServer[]): Promise<void> {
  const first = (i: number) => Math.floor((i * SLOTS) / servers.length);
  await Promise.all(
    servers.map(async ({ port }, i) => {
      const slots = Array.from({ length: first(i + 1) - first(i) }, (_, index) => String(first(i) + index));
      // Redis before 7.0 has no ADDSLOTSRANGE.
      await command(port, ["CLUSTER", "ADDSLOTS", ...slots]);
      // Distinct epochs from the start save the nodes from resolving a conflict.
      await command(port, ["CLUSTER", "SET-CONFIG-EPOCH", String(i + 1)]);
    }),
  );
}

async function meet(nodes: readonly Node[]): Promise<void> {
  for (const { server } of nodes) {
    for (const other of nodes) {
      if (other.server === server) continue;
      await command(server.port, ["CLUSTER", "MEET", HOST, String(other.server.port), String(other.busPort)]);
    }
  }
}

async function replicate(replica: ValkeyServer, primary: ValkeyServer | undefined): Promise<void> {
  if (!primary) return;
  const id = String(await command(primary.port, ["CLUSTER", "MYID"]));
  // The command fails until the replica knows its primary.
  await until(() => command(replica.port, ["CLUSTER", "REPLICATE", id]), { what: "a replica to find its primary" });
}

async function agree(servers: readonly ValkeyServer[], primaries: number): Promise<boolean> {
  const infos = await Promise.all(servers.map(({ port }) => command(port, ["CLUSTER", "INFO"])));
  const isHealthy = infos.every((info) => {
    const text = String(info);
    return text.includes("cluster_state:ok") && text.includes(`cluster_size:${primaries}\r`);
  });
  if (!isHealthy) return false;
  const views = await Promise.all(servers.map(({ port }) => slotsSeenBy(port)));
  return new Set(views).size === 1 && views[0]?.split(" ").length === servers.length;
}

/** Every slot range with its nodes; equal text from nodes that have the same view. */
async function slotsSeenBy(port: number): Promise<string> {
  const ranges = (await command(port, ["CLUSTER", "SLOTS"])) as [number, number, ...[string, number][]][];
  const lines = ranges.flatMap(([first, last, ...servers]) =>
    servers.map((one, i) => `${first}-${last}=${i > 0}:${one[1]}`),
  );
  return lines.sort().join(" ");
}
