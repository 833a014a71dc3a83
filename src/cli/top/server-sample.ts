import type { Connection, Reply } from "../../core/connection.js";
import { ReplyError } from "../../core/errors.js";
import { toText } from "../../core/text.js";

/** What the server says of itself: of all applications that use it, and of all primaries of a cluster together. */
export interface ServerSample {
  readonly atMs: number;
  readonly version: string | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly clients: number;
  readonly blockedClients: number;
  /** Clients that the server notifies of changes: near caches among them. */
  readonly trackingClients: number;
  /** Clients that have named themselves by this library; `undefined` where CLIENT LIST is refused. */
  readonly libraryClients: number | undefined;
  readonly memoryBytes: number;
  /** 0: without a limit. */
  readonly maxMemoryBytes: number;
  readonly policy: string | undefined;
  readonly keys: number;
  /** Since the sample before; `undefined` in the first one. */
  readonly rates: ServerRates | undefined;
}

/** Each second. */
export interface ServerRates {
  readonly commands: number;
  readonly hits: number;
  readonly misses: number;
  readonly evicted: number;
  readonly expired: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

type Counters = { readonly [K in keyof ServerRates]: number };

/** The fields of INFO that are counters. */
const COUNTERS: { readonly [K in keyof ServerRates]: string } = {
  commands: "total_commands_processed",
  hits: "keyspace_hits",
  misses: "keyspace_misses",
  evicted: "evicted_keys",
  expired: "expired_keys",
  inBytes: "total_net_input_bytes",
  outBytes: "total_net_output_bytes",
};

/** CLIENT LIST is long on busy servers, so it is asked for less often than INFO. */
const LIST_MS = 5_000;
const LIBRARY_CLIENT = /\blib-name=valkey-edge-cache\b/g;

/** Samples one server, and computes rates from one sample to the next. */
export class ServerSampler {
  readonly #connection: Connection;
  #before: { readonly atMs: number; readonly counters: Counters } | undefined;
  #listedMs = Number.NEGATIVE_INFINITY;
  #libraryClients: number | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @throws {ConnectionError} @throws {ReplyError} when an ACL refuses INFO */
  async take(): Promise<ServerSample> {
    const atMs = Date.now();
    const withList = atMs - this.#listedMs >= LIST_MS;
    const [info = null, list] = await this.#connection.send(withList ? [["INFO"], ["CLIENT", "LIST"]] : [["INFO"]], {
      readOnly: true,
    });
    if (info instanceof ReplyError) throw info;
    if (list !== undefined) {
      this.#listedMs = atMs;
      this.#libraryClients =
        list instanceof ReplyError ? undefined : (texts(list).join("\n").match(LIBRARY_CLIENT)?.length ?? 0);
    }
    const nodes = texts(info).map(parseInfo);
    const sum = (name: string): number => nodes.reduce((total, node) => total + (Number(node.get(name)) || 0), 0);
    const first = nodes[0];
    const counters = countersOf(sum);
    const before = this.#before;
    this.#before = { atMs, counters };
    return {
      atMs,
      version: first?.get("valkey_version") ?? first?.get("redis_version"),
      uptimeSeconds: first?.has("uptime_in_seconds") ? Number(first.get("uptime_in_seconds")) : undefined,
      clients: sum("connected_clients"),
      blockedClients: sum("blocked_clients"),
      trackingClients: sum("tracking_clients"),
      libraryClients: this.#libraryClients,
      memoryBytes: sum("used_memory"),
      maxMemoryBytes: sum("maxmemory"),
      policy: first?.get("maxmemory_policy"),
      keys: nodes.reduce((total, node) => total + keysOf(node), 0),
      rates: before && ratesOf(before.counters, counters, (atMs - before.atMs) / 1_000),
    };
  }
}

function countersOf(sum: (name: string) => number): Counters {
  const { commands, hits, misses, evicted, expired, inBytes, outBytes } = COUNTERS;
  return {
    commands: sum(commands),
    hits: sum(hits),
    misses: sum(misses),
    evicted: sum(evicted),
    expired: sum(expired),
    inBytes: sum(inBytes),
    outBytes: sum(outBytes),
  };
}

function ratesOf(before: Counters, now: Counters, seconds: number): ServerRates {
  // A server that has restarted counts from 0.
  const rate = (name: keyof ServerRates): number => Math.max(0, now[name] - before[name]) / Math.max(0.001, seconds);
  return {
    commands: rate("commands"),
    hits: rate("hits"),
    misses: rate("misses"),
    evicted: rate("evicted"),
    expired: rate("expired"),
    inBytes: rate("inBytes"),
    outBytes: rate("outBytes"),
  };
}

/** The text of each node: one, or pairs of a node's address and its text. */
function texts(reply: Reply): string[] {
  if (!Array.isArray(reply)) return typeof reply === "string" || reply instanceof Uint8Array ? [toText(reply)] : [];
  return reply.flatMap((one) => {
    const text = Array.isArray(one) ? one[1] : one;
    return typeof text === "string" || text instanceof Uint8Array ? [toText(text)] : [];
  });
}

function parseInfo(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(":");
      return line.startsWith("#") || colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}

/** In all databases: `db0:keys=5,expires=2,avg_ttl=0`. */
function keysOf(info: ReadonlyMap<string, string>): number {
  let keys = 0;
  for (const [name, value] of info) {
    if (/^db\d+$/.test(name)) keys += Number(/\bkeys=(\d+)/.exec(value)?.[1] ?? 0);
  }
  return keys;
}
