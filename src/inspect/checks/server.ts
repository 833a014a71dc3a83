import { ReplyError } from "../../core/errors.js";
import type { Check } from "./check.js";
import { counted, type Diagnosis, note, ok, problem, Skip, warning } from "./finding.js";
import { at, type ServerInfo, type Subject, textOf } from "./subject.js";

/** What servers other than Redis call the field of their version, and the name of each. */
const VERSIONS: Readonly<Record<string, string>> = {
  valkey_version: "Valkey",
  redict_version: "Redict",
  dragonfly_version: "Dragonfly",
  kvrocks_version: "Kvrocks",
  garnet_version: "Garnet",
  keydb_version: "KeyDB",
};
/** Those that the test suite has run over. */
const TRIED = new Set(["Valkey", "Redict", "Redis"]);

/** What came with which version of Redis, and what the library does without it. The newest first. */
const NEEDS = [
  {
    version: "7.0",
    what: "SET with NX and GET",
    without: "herd() and the HTTP cache claim missing entries by a script, in as many round trips",
    isWorkedAround: true,
  },
  {
    version: "6.2",
    what: "SMISMEMBER",
    without: "sets.hasMany asks for each member, in a second round trip",
    isWorkedAround: true,
  },
  {
    version: "6.0",
    what: "CLIENT TRACKING and ACLs",
    without: "near caches publish their writes to each other, and keep entries for maxStaleness at most",
    isWorkedAround: false,
  },
] as const;

/** The server's version, against what features need. */
export const version: Check = {
  name: "version",
  needsServer: true,
  async run(subject) {
    const servers = await identities(subject);
    const names = servers.map(({ name, version }) => `${name} ${version}`);
    const found = [...new Set(names)].join(", ");
    const compatible = servers.map((server) => server.compatible);
    const missing = NEEDS.filter(({ version }) => compatible.some((one) => isBefore(one, version)));
    if (missing.length > 0) {
      const text = missing.map(({ version, what, without }) => `no ${what} (since Redis ${version}): ${without}`);
      const isWorkedAround = missing.every((one) => one.isWorkedAround);
      const diagnose = isWorkedAround && subject.clientKind !== "herd" ? note : warning;
      return [diagnose(found, `${text.join("; ")}.`, "update to Valkey 7.2 or later, or Redis 7.0 or later")];
    }
    const untried = servers.find(({ name }) => !TRIED.has(name));
    if (untried) {
      return [
        note(
          found,
          `It says that it is compatible with Redis ${untried.compatible}. The library was not tried over ${untried.name}.`,
          "run your own tests over it before you rely on it",
        ),
      ];
    }
    if (names.some((name) => name !== names[0])) {
      return [note(found, "The nodes of the cluster have different versions.", "finish the update of all nodes")];
    }
    return [ok(found, "All features have what they need.")];
  },
};

interface Identity {
  readonly name: string;
  readonly version: string;
  /** The version of Redis that it is compatible with. */
  readonly compatible: string;
}

/** By INFO, or by HELLO where that is refused. @throws {Skip} */
async function identities(subject: Subject): Promise<readonly Identity[]> {
  try {
    const known = (await subject.info()).map(toIdentity).filter((one) => one !== undefined);
    if (known.length > 0) return known;
  } catch (error) {
    if (!(error instanceof Skip) || subject.hangsUp) throw error;
    const { server, version } = await subject.cache.health();
    if (server === undefined || version === undefined) throw error;
    const name = `${server.slice(0, 1).toUpperCase()}${server.slice(1)}`;
    return [{ name, version, compatible: name === "Valkey" ? "7.2.4" : version }];
  }
  throw new Skip("INFO has no version");
}

function toIdentity(server: ServerInfo): Identity | undefined {
  const compatible = server.text("redis_version");
  const [field, name] = Object.entries(VERSIONS).find(([one]) => server.text(one) !== undefined) ?? [];
  const version = field === undefined ? compatible : server.text(field);
  if (version === undefined) return undefined;
  return { name: name ?? "Redis", version: version.replace(/^\D+/, ""), compatible: compatible ?? version };
}

/** Whether a version is before another one, which has two parts. */
function isBefore(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** Whether the server takes writes. */
export const role: Check = {
  name: "role",
  needsServer: true,
  async run(subject) {
    const servers = await subject.info();
    const replicas = servers.filter((server) => /^(?:slave|replica)$/.test(server.text("role") ?? ""));
    if (replicas.length > 0) return replicas.map(ofReplica);
    const known = servers.filter((server) => server.text("role") !== undefined);
    if (known.length === 0) throw new Skip("INFO has no role");
    return [ok(known.length === 1 ? "primary" : `${known.length} primaries`, "Writes are taken.")];
  },
};

function ofReplica(server: ServerInfo): Diagnosis {
  const primary = `${server.text("master_host")}:${server.text("master_port")}`;
  const isLinked = server.text("master_link_status") === "up";
  return problem(
    at(server, `replica of ${primary}${isLinked ? "" : ", which it does not reach"}`),
    "It refuses writes with READONLY: set, delete and locks fail, getOrSet stores nothing, and what is read may be old.",
    `give the primary's address (${primary}) as the location, several addresses, or sentinel() where sentinels watch it`,
  );
}

/** Whether the connection factory fits the topology. */
export const topology: Check = {
  name: "topology",
  needsServer: true,
  async run(subject) {
    const { about } = subject.settings;
    const { transport, topology: found } = subject.cache.connection.status();
    const servers = await subject.info();
    const mode = servers[0]?.text("redis_mode") ?? servers[0]?.text("server_mode");
    const factory = about?.factory ?? "";
    const shown = factory === "glideElseIovalkey" || factory === "" ? "the connection factory" : `${factory}()`;
    if (mode === "sentinel") {
      return [
        problem(
          "a sentinel",
          "A sentinel stores nothing: it knows where the primary is.",
          "give its address to the connection factory sentinel(), and the service's name as the location",
        ),
      ];
    }
    if (mode === "cluster") {
      const isFollowed = transport !== "iovalkey" && (factory === "glideCluster" || factory === "glideElseIovalkey");
      if (!isFollowed) {
        return [
          problem(
            `a node of a cluster, over ${transport ?? "an unknown transport"}`,
            "Only keys of this node's slots work; all others are refused with MOVED.",
            "use the connection factory glideCluster()",
          ),
        ];
      }
      return [await stateOfCluster(subject, servers)];
    }
    if (found === "sentinel") return [ok("sentinels name the primary", "Failovers are followed.")];
    if (mode === undefined) throw new Skip("INFO has no mode");
    return [ok("a single server", `It is what ${shown} connects to.`)];
  },
};

async function stateOfCluster(subject: Subject, servers: readonly ServerInfo[]): Promise<Diagnosis> {
  const found = servers.length > 1 ? `a cluster of ${counted(servers.length, "primary", "primaries")}` : "a cluster";
  const [reply = null] = await subject.askAll([["CLUSTER", "INFO"]]);
  const text = reply instanceof ReplyError ? "" : textOf(reply);
  const [, state] = /^cluster_state:(\w+)/m.exec(text) ?? [];
  const [, served = "?"] = /^cluster_slots_ok:(\d+)/m.exec(text) ?? [];
  if (state === undefined || state === "ok") return ok(found, "Each key goes to the node that serves its slot.");
  return problem(
    `${found}, whose state is "${state}": ${served} of 16384 slots are served`,
    "Commands on keys of the other slots, or all commands, are refused with CLUSTERDOWN.",
    "bring the nodes back that serve the missing slots, or assign the slots to others",
  );
}
