/*
 * What an ACL must allow. The doctor checks it, `npm run acl` writes it into docs/servers.md, and test/acl holds it to what servers
 * see. It imports nothing, so that the script can read it.
 */

/** What one feature sends. */
export interface Row {
  /** In Markdown. */
  readonly title: string;
  /** Without one of these commands it doesn't work. */
  readonly required: readonly string[];
  /** Required as well where the client is `herd()`. */
  readonly herd?: readonly string[];
  /** Refused, these commands are worked around. */
  readonly optional?: readonly string[];
  /** Optional; sent only to find out why a connection fails. */
  readonly asked?: readonly string[];
  readonly reach?: readonly Reach[];
}

/** Keys and channels. */
export type Reach =
  | "entries"
  | "all versions"
  | "locks"
  | "responses"
  | "purge log"
  | "changes"
  | "invalidations"
  | "near caches"
  | "failovers";

const SCRIPTS = ["eval"];
const PURGE = ["time", "zadd", "zcard", "zrangebyscore", "zremrangebyscore", "zrevrangebyscore"];

/** By what is used. */
export const FEATURES = {
  entries: { title: "`get`, `set`", required: ["get", "set"], reach: ["entries"] },
  getOrSet: { title: "`getOrSet`, `getOrSetMany`", required: ["get", "mget", "set"], reach: ["entries"] },
  many: { title: "`getMany`, `setMany`", required: ["mget", "set"], reach: ["entries"] },
  atomic: { title: "`mget`, `mset`", required: ["exec", "mget", "multi", "set"], reach: ["entries"] },
  conditional: {
    title: "`add`, `set` with `nx` or `xx`",
    required: [...SCRIPTS, "getrange", "set"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: ["entries"],
  },
  lookup: { title: "`has`, `ttl`", required: ["getrange", "pttl"], reach: ["entries"] },
  delete: { title: "`delete`, `deleteMany`", required: ["getrange", "unlink"], reach: ["entries"] },
  counters: {
    title: "`incr`, `decr`",
    required: [...SCRIPTS, "get", "getrange", "incrby", "set"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: ["entries"],
  },
  lifetimes: {
    title: "`touch`, `expire`, `expireAt`, `persist`",
    required: [...SCRIPTS, "getrange", "persist", "pexpireat", "time", "unlink"],
    herd: ["pttl", "setrange"],
    optional: ["evalsha"],
    reach: ["entries"],
  },
  softExpiry: {
    title: "`expireSoft`, `expireSoftMany`",
    required: [...SCRIPTS, "get", "getrange", "set", "time", "unlink"],
    herd: ["pexpire", "pttl", "setrange"],
    optional: ["evalsha"],
    reach: ["entries"],
  },
  versions: {
    title: "`incrVersion`, `decrVersion`",
    required: [...SCRIPTS, "getrange", "rename"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: ["all versions"],
  },
  scans: { title: "`keys`, `iterKeys`", required: ["getrange", "scan"], reach: ["entries"] },
  patterns: { title: "`deletePattern`", required: ["getrange", "scan", "unlink"], reach: ["entries"] },
  clear: { title: "`clear`", required: ["getrange", "scan", "unlink"], reach: ["all versions"] },
  purgeTags: {
    title: "`purgeTags`",
    required: [...SCRIPTS, ...PURGE],
    optional: ["evalsha", "publish"],
    reach: ["purge log", "changes"],
  },
  flush: { title: "`flush`", required: ["flushdb"] },
  locks: {
    title: "`lock`",
    required: [...SCRIPTS, "get", "pexpire", "pttl", "set", "time"],
    optional: ["evalsha"],
    reach: ["locks"],
  },
  sets: {
    title: "`sets`",
    required: [
      "exec",
      "multi",
      "sadd",
      "scard",
      "sdiff",
      "sdiffstore",
      "sinter",
      "sinterstore",
      "sismember",
      "smembers",
      "smove",
      "spop",
      "srandmember",
      "srem",
      "sscan",
      "sunion",
      "sunionstore",
    ],
    optional: ["smismember"],
    reach: ["entries"],
  },
  hashes: {
    title: "`hashes`",
    required: ["hdel", "hexists", "hget", "hgetall", "hkeys", "hlen", "hset"],
    reach: ["entries"],
  },
  herd: {
    title: "`getOrSet`, `getOrSetMany` with `herd()`",
    required: ["get", "getrange", "set"],
    optional: ["eval", "evalsha", "pexpire", "pexpireat", "pttl", "setrange", "time", "unlink"],
    reach: ["entries"],
  },
  http: {
    title: "HTTP cache",
    required: [
      ...SCRIPTS,
      "get",
      "getrange",
      "pexpire",
      "pexpireat",
      "pttl",
      "set",
      "setrange",
      "time",
      "unlink",
      "zrevrangebyscore",
    ],
    optional: ["evalsha"],
    reach: ["responses", "purge log"],
  },
  purges: {
    title: "its purges by URL, and after unsafe requests",
    required: [...SCRIPTS, "exists", "getrange", "rename", "setrange", "time", "unlink"],
    optional: ["evalsha"],
    reach: ["responses"],
  },
  tags: {
    title: "its tags, groups and prefixes: responses that have them, and purges by them",
    required: [...SCRIPTS, ...PURGE, "zscore"],
    optional: ["evalsha", "publish"],
    reach: ["purge log", "changes"],
  },
  health: { title: "`health`", required: ["ping"] },
} as const satisfies Readonly<Record<string, Row>>;

/** By how a cache is connected, in addition to what it is used for. */
export const CONNECTIONS = {
  any: { title: "any", required: [], optional: ["client|setinfo", "ping"] },
  database: { title: "a database in the location", required: ["select"] },
  clientName: { title: "`clientName`", required: [], optional: ["client|setname"] },
  servers: { title: "several servers in the location", required: [], optional: ["cluster|keyslot", "info"] },
  cluster: {
    title: "`glideCluster()`",
    required: ["cluster|slots", "ping"],
    optional: ["client|setname", "cluster|info", "script|load"],
    asked: ["cluster|keyslot"],
  },
  clusterReplicas: { title: "`glideCluster({ readFrom })`", required: ["readonly"] },
  sentinel: { title: "`sentinel()`, at the servers", required: [], optional: ["role"] },
  sentinelReplicas: {
    title: "`sentinel({ readFrom })`, at the servers",
    required: [],
    optional: ["cluster|keyslot", "info"],
  },
  atSentinels: {
    title: "`sentinel()`, at the sentinels",
    required: ["sentinel|get-master-addr-by-name"],
    optional: ["client|setinfo", "ping", "subscribe"],
    reach: ["failovers"],
  },
  replicasAtSentinels: {
    title: "`sentinel({ readFrom })`, at the sentinels",
    required: ["sentinel|replicas"],
    reach: ["failovers"],
  },
  near: {
    title: "`nearCache()`",
    required: ["client|tracking", "pttl", "subscribe"],
    reach: ["invalidations", "changes"],
  },
  nearCluster: {
    title: "`nearCache()` in a cluster",
    required: ["cluster|info", "cluster|nodes", "cluster|slots"],
    reach: ["invalidations"],
  },
  nearChannel: {
    title: '`nearCache({ invalidation: "channel" })`',
    required: ["pttl", "publish", "subscribe"],
    reach: ["near caches"],
  },
} as const satisfies Readonly<Record<string, Row>>;

/** What looking into a cache sends, in addition. Without a command, what it would say is not known. */
export const INSPECTION = {
  doctor: {
    title: "`doctor`",
    required: [],
    optional: [
      "acl|dryrun",
      "acl|whoami",
      "client|getname",
      "client|list",
      "client|tracking",
      "cluster|info",
      "config|get",
      "eval",
      "info",
      "ping",
      "scan",
      "slowlog|len",
      "time",
    ],
  },
  entries: {
    title: "entries, reasons, and lists of keys",
    required: ["getrange", "pttl", "scan", "strlen", "time", "type"],
    optional: ["dbsize", "exists", "info", "memory|usage", "object|idletime", "zcard", "zrevrangebyscore"],
    reach: ["all versions"],
  },
  fleet: {
    title: "what processes report while they are watched",
    required: ["exists", "hdel", "hgetall", "hset", "pexpire", "set"],
    reach: ["locks"],
  },
} as const satisfies Readonly<Record<string, Row>>;

/** The names of features. */
export type Feature = keyof typeof FEATURES;

/** The stored key, or the pattern of stored keys, that a cache makes of a glob. */
type ToPattern = (glob: string, version: "own" | "*" | "lock") => string;

/** The rule of an ACL that allows keys or channels. */
export function reachRule(reach: Reach, toPattern: ToPattern): string {
  switch (reach) {
    case "entries":
      return `~${toPattern("*", "own")}`;
    case "all versions":
      return `~${toPattern("*", "*")}`;
    case "locks":
      return `~${toPattern("*", "lock")}`;
    case "responses":
      return `~${toPattern("http:*", "own")}`;
    case "purge log":
      return `~${toPattern("", "own")}`;
    case "changes":
      return `&valkey-edge-cache:changes:${toPattern("", "own")}`;
    case "near caches":
      return `&valkey-edge-cache:near:${toPattern("", "own")}`;
    case "invalidations":
      return "&__redis__:invalidate";
    case "failovers":
      return "&+switch-master";
  }
}

/** All that a row may send. */
export function commandsOf({ required, herd = [], optional = [], asked = [] }: Row): string[] {
  return [...required, ...herd, ...optional, ...asked];
}

/** Rules that allow commands. */
export function rules(commands: readonly string[]): string[] {
  return [...new Set(commands)].sort().map((command) => `+${command}`);
}
