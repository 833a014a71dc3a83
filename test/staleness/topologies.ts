import { setTimeout as pause } from "node:timers/promises";
import { nowMs } from "../promises/model.ts";
import { HOME, pick, placeOf, type Random } from "../promises/operations.ts";
import { startCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { HOST } from "../support/ports.js";
import { startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { HOT_KEYS, type Topology, type Where, WIDE } from "./round.ts";

/** Servers, and what can happen to them that is their own. */
export interface Servers extends AsyncDisposable {
  readonly where: Where;
  /** Where writers connect that don't know of replicas. */
  readonly primaries: Where;
  /** All servers that processes with near caches connect to. */
  readonly all: readonly ValkeyServer[];
  /** Those that are written to now. */
  primary(): Promise<readonly ValkeyServer[]>;
  readonly faults: Readonly<Record<string, ServerFault>>;
}

/** @param lost is told from when on writes may be lost, and ends that */
export type ServerFault = (random: Random, lost: (fromMs: number) => () => void) => Promise<void>;

const ADMIN_MS = 10_000;
const HEAL_MS = 60_000;
/** Servers give a failover up that they were asked for after 5 s. */
const ATTEMPT_MS = 7_000;
/** By how much a replica may lag behind, in milliseconds. */
export const LAG_MS = 500;

export const START: Readonly<Record<Topology, () => Promise<Servers>>> = {
  standalone: startStandalone,
  replica: startWithReplica,
  sentinel: startUnderSentinels,
  cluster: startAsCluster,
};

/** One of a list. @throws {Error} when there is none */
export function anyOf<T>(random: Random, list: readonly T[]): T {
  const one = list[Math.floor(random() * list.length)];
  if (one === undefined) throw new Error("there is none to choose");
  return one;
}

const admin = (port: number, ...words: [string, ...string[]]) => command(port, words, { timeoutMs: ADMIN_MS });

async function startStandalone(): Promise<Servers> {
  const server = await startValkey();
  const where = { location: [server.url], sentinels: [] };
  return {
    ...{ where, primaries: where, all: [server] },
    primary: async () => [server],
    faults: {
      "server killed and started again": async (random) => {
        await server.kill("SIGKILL");
        await pause(random() * 300);
        await server.restart();
      },
      "all evicted": async () => {
        await admin(server.port, "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1mb");
        await pause(20);
        await admin(server.port, "CONFIG", "SET", "maxmemory", "0");
      },
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function startWithReplica(): Promise<Servers> {
  const soon = ["--repl-diskless-sync-delay", "0"];
  const primary = await startValkey({ args: soon });
  const replica = await startValkey({ args: [...soon, "--replicaof", `${primary.host} ${primary.port}`] });
  await until(() => isSynced(replica), { what: "the replica to have a copy" });
  return {
    where: { location: [primary.url, replica.url], sentinels: [] },
    primaries: { location: [primary.url], sentinels: [] },
    all: [primary, replica],
    primary: async () => [primary],
    faults: {},
    async [Symbol.asyncDispose]() {
      await Promise.all([primary.stop(), replica.stop()]);
    },
  };
}

async function startUnderSentinels(): Promise<Servers> {
  const group = await startSentinels({ downAfterMs: 500 });
  const all = [group.primary, ...group.replicas];
  const where = {
    location: [`valkey://${group.service}/0`],
    sentinels: group.sentinels.map(({ host, port }) => ({ host, port })),
  };
  const primary = async () => {
    const port = await until(group.primaryPort, { what: "the sentinels to agree", timeoutMs: HEAL_MS });
    return all.filter((server) => server.port === port);
  };
  const isHealed = async () => {
    const [first] = await primary();
    const others = all.filter((server) => server !== first);
    return first !== undefined && (await isPrimary(first)) && (await allOf(others, isSynced));
  };
  const areCaughtUp = async () => {
    const [first] = await primary();
    return (
      first !== undefined &&
      allOf(
        all.filter((server) => server !== first),
        (one) => isCaughtUp(first, one),
      )
    );
  };
  return {
    ...{ where, primaries: where, all, primary },
    faults: {
      "failover by sentinels": async (_random, lost) => {
        if (!(await areCaughtUp())) return;
        const end = lost(nowMs() - LAG_MS);
        await persistently(() => group.failover());
        await until(isHealed, { what: "the old primary to follow", timeoutMs: HEAL_MS });
        end();
      },
      "primary killed under sentinels": async (_random, lost) => {
        const [first] = await primary();
        if (!(await areCaughtUp())) return;
        const end = lost(nowMs() - LAG_MS);
        await first?.kill("SIGKILL");
        const isReplaced = async () => {
          const port = await group.primaryPort();
          return port !== undefined && port !== first?.port;
        };
        await until(isReplaced, { what: "sentinels to replace a primary", timeoutMs: HEAL_MS });
        await first?.restart();
        await until(isHealed, { what: "the old primary to follow", timeoutMs: HEAL_MS });
        end();
      },
    },
    [Symbol.asyncDispose]: () => group.stop(),
  };
}

async function startAsCluster(): Promise<Servers> {
  const cluster = await startCluster({ replicas: 1 });
  const where = { location: cluster.nodes.map(({ url }) => url), sentinels: [] };
  const all = cluster.nodes;
  const primary = async () => {
    const roles = await Promise.all(all.map(isPrimary));
    return all.filter((_node, i) => roles[i]);
  };
  const isHealed = async () => {
    const primaries = await primary();
    const infos = await Promise.all(all.map(({ port }) => admin(port, "CLUSTER", "INFO")));
    const replicas = all.filter((node) => !primaries.includes(node));
    const isOk = infos.every((info) => String(info).includes("cluster_state:ok"));
    return primaries.length === 3 && isOk && (await allOf(replicas, isSynced));
  };
  const heal = () => until(isHealed, { what: "the cluster to be whole again", timeoutMs: HEAL_MS });
  const replicaOf = async (port: number) => {
    for (const node of all) {
      const role = (await admin(node.port, "ROLE")) as unknown[];
      if (role[2] === port) return node;
    }
    return undefined;
  };
  const victim = async (random: Random) => anyOf(random, await primary());
  return {
    ...{ where, primaries: where, all, primary },
    faults: {
      "slot moved": async (random) => moveSlot(await primary(), random),
      // Nothing is lost: the primary stops until its replica has everything.
      "planned failover in the cluster": async (random) => {
        const replica = await replicaOf((await victim(random)).port);
        if (!replica) return;
        await persistently(async () => {
          await admin(replica.port, "CLUSTER", "FAILOVER");
          await until(() => isPrimary(replica), { what: "a replica to take over", timeoutMs: ATTEMPT_MS });
        });
        await heal();
      },
      "takeover in the cluster": async (random, lost) => {
        const first = await victim(random);
        const replica = await replicaOf(first.port);
        if (!replica || !(await isCaughtUp(first, replica))) return;
        const end = lost(nowMs() - LAG_MS);
        await admin(replica.port, "CLUSTER", "FAILOVER", "TAKEOVER");
        await heal();
        end();
      },
      "primary killed in the cluster": async (random, lost) => {
        const first = await victim(random);
        const replica = await replicaOf(first.port);
        if (!replica || !(await isCaughtUp(first, replica))) return;
        const end = lost(nowMs() - LAG_MS);
        await first.kill("SIGKILL");
        await until(() => isPrimary(replica), { what: "the replica to be elected", timeoutMs: HEAL_MS });
        await first.restart();
        await heal();
        end();
      },
    },
    [Symbol.asyncDispose]: () => cluster.stop(),
  };
}

/**
 * Whether a replica has all that its primary had a moment ago. One that lags would bring back what was current long before,
 * and for how long it lags is not known.
 */
async function isCaughtUp(primary: ValkeyServer, replica: ValkeyServer): Promise<boolean> {
  const [role, offset] = (await admin(primary.port, "ROLE")) as unknown[];
  const hasAll = async () => {
    const [own, , port, state, reached] = (await admin(replica.port, "ROLE")) as unknown[];
    return own === "slave" && port === primary.port && state === "connected" && Number(reached) >= Number(offset);
  };
  if (role !== "master") return false;
  for (const untilMs = nowMs() + LAG_MS / 5; nowMs() < untilMs; await pause(5)) if (await hasAll()) return true;
  return false;
}

/** Which of some servers are primaries, as text: one character for each. A server that does not answer counts as one that is none. */
export async function primariesOf(servers: readonly ValkeyServer[]): Promise<string> {
  const roles = await Promise.all(servers.map((server) => isPrimary(server).catch(() => false)));
  return roles.flatMap((is, i) => (is ? [i.toString(36)] : [])).join("");
}

/** Tries what servers give up when they are busy. */
async function persistently(attempt: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** Moves a slot with keys to another primary, slowly: some keys are at one node and some at the other meanwhile. */
async function moveSlot(primaries: readonly ValkeyServer[], random: Random): Promise<void> {
  const [asked] = primaries;
  if (!asked) return;
  const place = random() < 0.5 ? placeOf(HOME, "") : placeOf(WIDE, pick(random, HOT_KEYS));
  const slot = String(await admin(asked.port, "CLUSTER", "KEYSLOT", place));
  const ranges = (await admin(asked.port, "CLUSTER", "SLOTS")) as [number, number, [string, number]][];
  const owner = ranges.find(([start, end]) => start <= Number(slot) && Number(slot) <= end)?.[2][1];
  const from = primaries.find(({ port }) => port === owner);
  const to = anyOf(
    random,
    primaries.filter((node) => node !== from),
  );
  if (!from) return;
  const [fromId, toId] = await Promise.all(
    [from, to].map(async ({ port }) => String(await admin(port, "CLUSTER", "MYID"))),
  );
  await admin(to.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", String(fromId));
  await admin(from.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", String(toId));
  const next = async () => (await admin(from.port, "CLUSTER", "GETKEYSINSLOT", slot, "3")) as string[];
  for (let keys = await next(); keys.length > 0; keys = await next()) {
    await admin(from.port, "MIGRATE", HOST, String(to.port), "", "0", "1000", "REPLACE", "KEYS", ...keys);
    await pause(random() * 150);
  }
  await pause(random() * 1_000);
  for (const { port } of [to, from, ...primaries.filter((node) => node !== from && node !== to)])
    await until(() => admin(port, "CLUSTER", "SETSLOT", slot, "NODE", String(toId)), { what: "a slot to move" });
}

async function isPrimary({ port }: ValkeyServer): Promise<boolean> {
  const role = (await admin(port, "ROLE")) as unknown[];
  return role[0] === "master";
}

async function isSynced({ port }: ValkeyServer): Promise<boolean> {
  const role = (await admin(port, "ROLE")) as unknown[];
  return role[0] === "slave" && role[3] === "connected";
}

async function allOf(servers: readonly ValkeyServer[], is: (server: ValkeyServer) => Promise<boolean>) {
  return (await Promise.all(servers.map(is))).every(Boolean);
}
