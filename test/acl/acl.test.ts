import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reachOf, USERS, withTables } from "../../scripts/acl.mjs";
import {
  type CacheOptions,
  createCache,
  glide,
  glideCluster,
  herd,
  iovalkey,
  type NearCacheOptions,
  nearCache,
  type ReadFrom,
  sentinel,
} from "../../src/index.js";
import { CONNECTIONS, commandsOf, FEATURES, INSPECTION, type Row, rules } from "../../src/inspect/features.js";
import { startCluster, type ValkeyCluster } from "../support/cluster.js";
import { command } from "../support/command.js";
import { filesUnder } from "../support/file-map.js";
import { HOST } from "../support/ports.js";
import { root } from "../support/project.js";
import { type Sentinels, startSentinels } from "../support/sentinels.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";
import { type Use, uses } from "./uses.js";

type Connected = Pick<CacheOptions, "location" | "connectionFactory" | "nearCache">;

/** Where a row is tried. */
interface Place {
  /** The servers whose rules are tried. */
  readonly ports: readonly number[];
  /** Servers where the user may do everything. */
  readonly others?: readonly number[];
  /** What the user may send in addition to the row. */
  readonly base: readonly string[];
  readonly use: Use;
  readonly client?: CacheOptions["client"];
  readonly owner: Connected;
  /** @param host is to lead to the servers. Each run has its own, as a process remembers what a server refuses. */
  connect(user: string, host: string): Connected;
}

interface Run {
  readonly user: string;
  readonly error?: unknown;
}

const PASSWORD = "password";
const LOG = ["--acllog-max-len", "10000"];
/** Its grace is shorter than its lease, so that a lease extends the lifetime of a stale value. */
const HERD = herd({ background: false, beta: 0, grace: "4s" });
let runs = 0;

/** Runs a use as a user with exactly these rules. */
async function tried(place: Place, commands: readonly string[], reach = "~app:*"): Promise<Run> {
  const { ports, others = [], owner, use, client } = place;
  const id = ++runs;
  const [user, keyPrefix] = [`user-${id}`, `app-${id}`] as const;
  const allow = (granted: readonly string[]) => (port: number) =>
    command(port, ["ACL", "SETUSER", user, "on", `>${PASSWORD}`, "resetchannels", ...granted]);
  const reached = reach.split(" ").map((one) => one.replace(/([~:])app:/, `$1${keyPrefix}:`));
  await Promise.all(ports.map(allow([...reached, ...rules(commands)])));
  await Promise.all(others.map(allow(["allkeys", "allchannels", "+@all"])));
  const common = { keyPrefix, client, logger: { warn() {} } };
  await using owned = createCache({ ...common, ...owner });
  await using cache = createCache({ ...common, ...place.connect(user, `host-${id}`) });
  return await use(cache, owned, user).then(
    () => ({ user }),
    (error: unknown) => ({ user, error }),
  );
}

/** What servers refused, by user. Keys and channels are in it with their kind. */
async function refused(ports: readonly number[]): Promise<Map<string, Set<string>>> {
  const byUser = new Map<string, Set<string>>();
  for (const log of await Promise.all(ports.map((port) => command(port, ["ACL", "LOG", "10000"])))) {
    for (const entry of log as string[][]) {
      const field = (name: string) => entry[entry.indexOf(name) + 1] ?? "";
      const what = field("reason") === "command" ? field("object") : `${field("reason")} ${field("object")}`;
      byUser.set(field("username"), (byUser.get(field("username")) ?? new Set()).add(what));
    }
  }
  return byUser;
}

/** Holds a row to what is sent: all of it, nothing else, and no required command can be left out. */
async function verify(place: Place, row: Row, reach = reachOf(row) || undefined): Promise<void> {
  const { required, optional = [], asked = [] } = row;
  const all = [...place.base, ...required, ...optional, ...asked];
  const without = (...left: string[]) => {
    const rest = all.filter((one) => !left.includes(one));
    return tried(place, rest, reach);
  };
  const narrower = reach === "~app:*" ? tried(place, all, "~app:1:*") : undefined;
  const [whole, bare, needed, spared, explained] = await Promise.all([
    without(),
    without(...optional, ...asked),
    Promise.all(required.map((one) => without(one))),
    Promise.all(optional.map((one) => without(one))),
    Promise.all(asked.map((one) => without(one, ...required))),
  ]);
  const log = await refused(place.ports);
  const refusedTo = ({ user }: Run) => [...(log.get(user) ?? [])];
  expect(whole.error, "with all commands of the row").toBeUndefined();
  expect(refusedTo(whole), "refused though the row has all").toEqual([]);
  expect(bare.error, "without the optional commands").toBeUndefined();
  if (narrower) expect((await narrower).error, "one version is enough").toBeDefined();
  for (const [i, one] of required.entries()) {
    const run = needed[i] ?? whole;
    expect.soft(run.error, `it works without ${one}, which is not required`).toBeDefined();
    expect.soft(refusedTo(run), `${one} is not sent`).toContain(one);
  }
  for (const [i, one] of optional.entries()) {
    const run = spared[i] ?? whole;
    expect.soft(run.error, `it does not work without ${one}, which is required`).toBeUndefined();
    expect.soft(refusedTo(run), `${one} is not sent, or others with it`).toEqual([one]);
  }
  for (const [i, one] of asked.entries())
    expect.soft(refusedTo(explained[i] ?? whole), `${one} is not asked`).toContain(one);
}

/** @throws when the near cache doesn't hear of changes, or doesn't keep what is read */
const heard: Use = async (cache, owner) => {
  await cache.set("a", 1);
  const ready = async () => {
    expect(await cache.get("a")).toBe(1);
    const { entries = 0, listening, lastError } = (await cache.health()).nearCache ?? {};
    return lastError ?? (listening && entries > 0);
  };
  const is = await until(ready, { what: "the entry to be kept in the process" });
  if (is instanceof Error) throw is;
  await owner.set("a", 2);
  await until(async () => (await cache.get("a")) === 2, { what: "the new value", timeoutMs: 1_000 });
};

/** What one process writes is announced to others. @throws when a message is refused */
const announced: Use = async (cache, owner, user) => {
  const errors: unknown[] = [];
  cache.on("error", ({ error }) => errors.push(error));
  await heard(cache, owner, user);
  if (errors.length > 0) throw errors[0];
};

/** Replicas have what is set a moment later. */
const replicated: Use = async (cache) => {
  await cache.set("a", 1);
  await until(async () => (await cache.get("a")) === 1, { what: "the value at a replica" });
};

const names = <T extends object>(rows: T) => Object.keys(rows) as (keyof T)[];
const any = commandsOf(CONNECTIONS.any);
/** These are the same whatever the client. */
const CLIENTLESS = new Set<string>(["flush", "locks", "sets", "hashes", "http", "purges", "tags", "health"]);

describe.each<[string, typeof glide | typeof iovalkey]>([
  ["GLIDE", glide],
  ["iovalkey", iovalkey],
])("over %s a user with exactly the commands of the table", (transport, factory) => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await startValkey({ args: LOG });
  });
  afterAll(() => server?.stop());

  const place = (
    use: Use,
    base: readonly string[],
    { client, clientName, database = 0, near }: Differing = {},
  ): Place => ({
    ports: [server.port],
    base,
    use,
    client,
    owner: { location: `${server.url}/${database}` },
    connect: (user, host) => ({
      location: `valkey://${user}:${PASSWORD}@${host}:${server.port}/${database}`,
      connectionFactory: factory({ addressMap: { [`${host}:${server.port}`]: `${HOST}:${server.port}` }, clientName }),
      nearCache: near && nearCache(near),
    }),
  });

  it.each(names(FEATURES).filter((name) => name !== "herd"))(
    "has the feature %s, and needs each command",
    async (name) => {
      await verify(place(uses[name], any), FEATURES[name]);
    },
  );

  it.each(names(FEATURES).filter((name) => name !== "getOrSet" && !CLIENTLESS.has(name)))(
    "has the feature %s with herd(), and needs each command",
    async (name) => {
      const { required, herd: more = [], ...row }: Row = FEATURES[name];
      await verify(place(uses[name], any, { client: HERD }), { ...row, required: [...required, ...more] });
    },
  );

  it("connects, also to a database and under a name", async () => {
    const base = commandsOf(FEATURES.entries);
    const { optional, ...row } = CONNECTIONS.any;
    // iovalkey sends no PING.
    const own = transport === "GLIDE" ? optional : optional.filter((one) => one !== "ping");
    await verify(place(uses.entries, base), { ...row, optional: own });
    await verify(place(uses.entries, [...base, ...any], { clientName: "me" }), CONNECTIONS.clientName);
    await verify(place(uses.entries, [...base, ...any], { database: 3 }), CONNECTIONS.database);
  });

  it("hears of changes, for a near cache", async () => {
    const base = [...any, ...commandsOf(FEATURES.entries)];
    const kept = (row: Row) => [row, `~app:1:* ${reachOf(row)}`] as const;
    await verify(place(heard, base, { near: { invalidation: "tracking" } }), ...kept(CONNECTIONS.near));
    const near = { invalidation: "channel", maxStaleness: 0.2 } as const;
    await verify(place(announced, base, { near }), ...kept(CONNECTIONS.nearChannel));
  });

  it.each(Object.entries(USERS))("may use all of %s", async (who, text) => {
    const all = text.split(" ");
    const reach = all.filter((one) => !one.startsWith("+")).join(" ");
    const granted = all.filter((one) => one.startsWith("+"));
    const isHttp = who.includes("an HTTP");
    for (const name of names(FEATURES)) {
      const isMeant = ["http", "purges", "tags"].includes(name) === isHttp && name !== "flush";
      if (!isMeant) continue;
      const commands = granted.map((rule) => rule.slice(1));
      const run = await tried(place(uses[name], [], { client: HERD }), commands, reach);
      expect(run.error, name).toBeUndefined();
      expect((await refused([server.port])).get(run.user), name).toBeUndefined();
    }
  });
});

interface Differing {
  readonly client?: CacheOptions["client"];
  readonly clientName?: string;
  readonly database?: number;
  readonly near?: NearCacheOptions;
}

describe("a user with exactly the commands of the table", () => {
  let cluster: ValkeyCluster;
  let group: Sentinels;
  beforeAll(async () => {
    [cluster, group] = await Promise.all([startCluster({ replicas: 1, args: LOG }), startSentinels({ sentinels: 1 })]);
  });
  afterAll(() => Promise.all([cluster?.stop(), group?.stop()]));

  it("uses a cluster, reads from its replicas, and hears of changes there", async () => {
    const ports = cluster.nodes.map(({ port }) => port);
    const entries = [FEATURES.counters, FEATURES.entries, FEATURES.scans].flatMap(commandsOf);
    const inAllWays: Use = async (cache, owner, user) => {
      for (const use of [uses.counters, uses.entries]) await use(cache, owner, user);
      expect((await cache.keys()).sort()).toEqual(["a", "n"]);
    };
    const inCluster = (readFrom: ReadFrom, use: Use, base: readonly string[]): Place => ({
      ports,
      base: [...entries, ...base],
      use,
      owner: { location: cluster.url, connectionFactory: glideCluster() },
      connect: (user, host) => ({
        location: `valkey://${user}:${PASSWORD}@${host}:${ports[0]}`,
        connectionFactory: glideCluster({ readFrom, addressMap: { [`${host}:${ports[0]}`]: `${HOST}:${ports[0]}` } }),
      }),
    });

    const { optional, ...row } = CONNECTIONS.cluster;
    await verify(inCluster("primary", inAllWays, []), { ...row, optional: [...optional, "client|setinfo"] });
    await verify(
      inCluster("preferReplica", replicated, [...any, ...commandsOf(CONNECTIONS.cluster)]),
      CONNECTIONS.clusterReplicas,
    );
    const others = [...any, ...CONNECTIONS.near.required, "client|setname", "cluster|keyslot", "script|load"];
    const plain = inCluster("primary", heard, others);
    const near = nearCache({ invalidation: "tracking" });
    await verify(
      { ...plain, connect: (user, host) => ({ ...plain.connect(user, host), nearCache: near }) },
      CONNECTIONS.nearCluster,
      `~app:* ${reachOf(CONNECTIONS.near)}`,
    );
  });

  it("finds the primary among several servers", async () => {
    const ports = [group.primary, ...group.replicas].map(({ port }) => port);
    const several = (readFrom: ReadFrom): Place => ({
      ports,
      base: [...any, ...commandsOf(FEATURES.entries)],
      use: replicated,
      owner: { location: group.primary.url },
      connect: (user, host) => ({
        location: ports.map((port) => `valkey://${user}:${PASSWORD}@${host}:${port}`).join(","),
        connectionFactory: glide({ readFrom, addressMap: ({ port }) => ({ host: HOST, port }) }),
      }),
    });
    for (const readFrom of ["primary", "preferReplica"] as const) await verify(several(readFrom), CONNECTIONS.servers);
  });

  it("connects through sentinels, also to read from replicas", async () => {
    const sentinels = group.sentinels.map(({ port }) => port);
    const servers = [group.primary, ...group.replicas].map(({ port }) => port);
    const [sentinelPort = 0] = sentinels;
    const through = (readFrom: ReadFrom, use = replicated): Omit<Place, "ports" | "base"> => ({
      use,
      owner: { location: group.primary.url },
      connect: (user, host) => ({
        location: `valkey://${user}:${PASSWORD}@${host}`,
        connectionFactory: sentinel({
          service: group.service,
          sentinels: [{ host, port: sentinelPort }],
          sentinelUsername: user,
          sentinelPassword: PASSWORD,
          readFrom,
          addressMap: ({ port }) => ({ host: HOST, port }),
        }),
      }),
    });
    const base = [...any, ...commandsOf(FEATURES.entries)];
    const atServers = { ports: servers, others: sentinels, base };
    await verify({ ...through("primary"), ...atServers }, CONNECTIONS.sentinel);
    await verify({ ...through("preferReplica"), ...atServers }, CONNECTIONS.sentinelReplicas);
    const subscribed: Use = async (cache, owner, user) => {
      await replicated(cache, owner, user);
      const asks = async () => String(await command(sentinelPort, ["CLIENT", "LIST"])).split("\n");
      await until(
        async () => (await asks()).some((line) => /cmd=subscribe/.test(line) && line.includes(`user=${user} `)),
        {
          what: "the subscription",
        },
      );
    };
    const atSentinels = { ports: sentinels, others: servers };
    await verify({ ...through("primary", subscribed), ...atSentinels, base: [] }, CONNECTIONS.atSentinels);
    await verify(
      { ...through("preferReplica", subscribed), ...atSentinels, base: commandsOf(CONNECTIONS.atSentinels) },
      CONNECTIONS.replicasAtSentinels,
    );
  });
});

describe("the tables of docs/servers.md", () => {
  it("are those that npm run acl writes", () => {
    const page = readFileSync(join(root, "docs", "servers.md"), "utf8");
    expect(page, "run: npm run acl").toBe(withTables(page));
  });

  it("have every command that the sources name", () => {
    const rows = [FEATURES, CONNECTIONS, INSPECTION].flatMap((table): Row[] => Object.values(table));
    // The first two need no rule, and the others are options.
    const known = new Set([
      "auth",
      "hello",
      "px",
      "match",
      "prefix",
      // What the command line shows.
      "b",
      "http",
      ...rows.flatMap(commandsOf).map((one) => one.split("|", 1)[0]),
    ]);
    const named = filesUnder("src", ".ts")
      .filter((file) => !file.startsWith("connection/memory/") && !file.startsWith("inspector/page/"))
      .flatMap((file) => {
        const source = readFileSync(join(root, "src", file), "utf8");
        return [...source.matchAll(/redis\.p?call\('([A-Z]+)'|(?<!Set\()\["([A-Z]+)"/g)];
      })
      .map(([, inScript, sent = ""]) => (inScript ?? sent).toLowerCase());
    expect(named.length).toBeGreaterThan(50);
    expect(new Set(named).difference(known)).toEqual(new Set());
  });
});

it("a script that may not look at an entry fails, and changes nothing", async () => {
  await using server = await startValkey();
  await command(server.port, ["ACL", "SETUSER", "app", "on", ">password", "allkeys", "+@all", "-getrange"]);
  await using cache = createCache({ location: server.url.replace("//", "//app:password@") });
  await expect(cache.incr("visits", 1, { create: true })).rejects.toThrow(/getrange/i);
  expect(await command(server.port, ["DBSIZE"])).toBe(0);
});
