import {
  type ConnectionFactory,
  type ConnectionOptions,
  createCache,
  defaultClient,
  glide,
  glideCluster,
  herd,
  iovalkey,
  nearCache,
  type Statistics,
  sentinel,
  statistics,
} from "valkey-edge-cache";
import { CACHES, nowMs } from "../promises/model.ts";
import { HOME, randomFrom } from "../promises/operations.ts";
import { Player } from "../promises/player.ts";
import { type Circumstances, DEFAULT_TTL_MS, joinLogs, logOfCalls } from "./calls.ts";
import type { Log } from "./history.ts";
import { Hot, type HotParts, NAMESPACE } from "./hot.ts";

export type Topology = "standalone" | "replica" | "sentinel" | "cluster";

/** Processes with near caches that call and are disturbed for a while. */
export interface Round {
  readonly topology: Topology;
  readonly invalidation: "tracking" | "channel" | "ttl";
  /** The client of the entries that all methods are called on; the other entries have the other client. */
  readonly client: "default" | "herd";
  readonly values: "copy" | "shared";
  readonly weather: "calm" | "faults";
  readonly setsClocks: boolean;
  readonly maxStalenessMs: number;
  readonly seed: number;
  readonly forMs: number;
}

/** How the servers of a topology are reached. */
export interface Where {
  readonly location: readonly string[];
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
}

/** What one process of a round does. */
export interface Part {
  readonly round: Round;
  readonly process: number;
  readonly where: Where;
  readonly addressMap: Readonly<Record<string, string>>;
}

export interface Played {
  readonly log: Log;
  /** Lookups that found a value, and those of them that needed no server. */
  readonly hits: number;
  readonly nearHits: number;
}

/** Entries with a prefix that no method of several keys is called on, in all slots of a cluster. */
export const WIDE = { prefix: "wide", version: 1 } as const;
const WRITTEN_KEYS = ["hot:1", "hot:2", "hot:3"] as const;
export const HOT_KEYS = [...WRITTEN_KEYS, "hot:4", "hot:5", "hot:6"] as const;
/** Changed so rarely that the next change does not hide that one was missed. */
export const COLD_KEYS = ["cold:1", "cold:2", "cold:3", "cold:4", "cold:5"] as const;
const READ_KEYS = [...HOT_KEYS, ...COLD_KEYS] as const;

const TIMEOUT = 0.2;
const CALLERS = 1;

export async function playPart({ round, process: number, where, addressMap }: Part): Promise<Played> {
  const random = randomFrom(round.seed * 31 + number);
  // Only GLIDE reads from replicas.
  const isGlide = round.topology === "replica" || (round.seed + number) % 2 === 0;
  const other = round.client === "herd" ? "default" : "herd";
  const player = new Player(number);
  const open = (client: Round["client"], { prefix, version }: { readonly prefix: string; readonly version: number }) =>
    createCache({
      location: [...where.location],
      connectionFactory: factoryOf(round.topology, isGlide ? "glide" : "iovalkey", where, {
        addressMap,
        ...(round.topology === "replica" ? { readFrom: "preferReplica" } : {}),
      }),
      ...{ keyPrefix: prefix, version, ttl: DEFAULT_TTL_MS / 1_000, client: clientOf(client), onError: player.onError },
      nearCache: nearCache({
        ...{ values: round.values, invalidation: round.invalidation, maxStaleness: round.maxStalenessMs / 1_000 },
      }),
    });
  const home = open(round.client, HOME);
  await using wide = open(other, WIDE);
  const within = wide.namespace(NAMESPACE.name);
  const counts = [home, wide].map((cache): Statistics => statistics(cache));
  const circumstances = { process: number, setsClock: round.setsClocks, isScanWhole: round.topology === "standalone" };
  const hasFailed = (sinceMs: number) =>
    player.reports.some(({ atMs, method }) => atMs >= sinceMs && method.startsWith("getOrSet"));
  const common = {
    ...circumstances,
    written: WRITTEN_KEYS,
    random,
    hasFailed,
    newId: () => ++lastNumber * CACHES + number,
  };
  const parts: Omit<HotParts, keyof typeof common>[] = [
    { ...HOME, cache: home, client: round.client, keys: READ_KEYS, isOneSlot: true },
    { ...WIDE, cache: wide, client: other, keys: READ_KEYS, isOneSlot: false },
    { ...WIDE, cache: within, namespace: within, client: other, keys: WRITTEN_KEYS, isOneSlot: false },
  ];
  const hot = parts.map((one) => new Hot({ ...common, ...one }));
  // Its end closes the cache, which the others use.
  const endMs = nowMs() + round.forMs;
  const done = Promise.all(hot.map((one) => one.play(endMs - 50)));
  const calls = await player.play(home, { forMs: round.forMs, callers: CALLERS, random });
  await done;
  const log = joinLogs([
    logOfCalls({ ...calls, storeErrors: [] }, { ...circumstances, client: round.client } satisfies Circumstances),
    ...hot.map((one) => one.notes.toLog()),
  ]);
  const totals = counts.map((one) => one.snapshot().total);
  for (const one of counts) one.stop();
  return {
    log,
    hits: totals.reduce((sum, { hits }) => sum + hits, 0),
    nearHits: totals.reduce((sum, { nearHits }) => sum + nearHits, 0),
  };
}

let lastNumber = 10_000_000;

export function clientOf(client: Round["client"]) {
  if (client === "default") return defaultClient({ hardTimeout: 2 });
  return herd({ lease: 0.3, waitTimeout: 1, grace: 0.5, retryAfter: 0.1, hardTimeout: 2 });
}

/** @param options beside the timeouts of all connections of a round */
export function factoryOf(
  topology: Topology,
  transport: "glide" | "iovalkey",
  { sentinels }: Where,
  options: ConnectionOptions = {},
): ConnectionFactory {
  const all = { commandTimeout: TIMEOUT, connectTimeout: TIMEOUT, ...options };
  if (topology === "sentinel") return sentinel({ ...all, sentinels });
  if (topology === "cluster") return glideCluster(all);
  return transport === "glide" ? glide(all) : iovalkey(all);
}
