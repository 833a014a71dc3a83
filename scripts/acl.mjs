// @ts-check

/**
 * Writes the tables of docs/servers.md of what an ACL must allow, from the tables below. `test/acl` holds them to what
 * servers see.
 *
 *     npm run acl
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * What one feature sends.
 * @typedef {object} Row
 * @property {string} title in Markdown
 * @property {readonly string[]} required without one of these commands it doesn't work
 * @property {readonly string[]} [herd] required as well where the client is `herd()`
 * @property {readonly string[]} [optional] refused, these commands are worked around
 * @property {readonly string[]} [asked] optional; sent only to find out why a connection fails
 * @property {string} [reach] the keys and channels, under the prefix `app` and the version 1
 */

const ENTRIES = "~app:1:*";
const SCRIPTS = ["eval"];
const RESPONSES = "~app:1:http:*";
const PURGE_LOG = "~app:1:";
const CHANGES = "&valkey-edge-cache:changes:app:1:";
const PURGE = ["time", "zadd", "zcard", "zrangebyscore", "zremrangebyscore", "zrevrangebyscore"];

/** By what is used. @satisfies {Readonly<Record<string, Row>>} */
export const FEATURES = {
  entries: { title: "`get`, `set`", required: ["get", "set"], reach: ENTRIES },
  getOrSet: { title: "`getOrSet`, `getOrSetMany`", required: ["get", "mget", "set"], reach: ENTRIES },
  many: { title: "`getMany`, `setMany`", required: ["mget", "set"], reach: ENTRIES },
  atomic: { title: "`mget`, `mset`", required: ["exec", "mget", "multi", "set"], reach: ENTRIES },
  conditional: {
    title: "`add`, `set` with `nx` or `xx`",
    required: [...SCRIPTS, "getrange", "set"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: ENTRIES,
  },
  lookup: { title: "`has`, `ttl`", required: ["getrange", "pttl"], reach: ENTRIES },
  delete: { title: "`delete`, `deleteMany`", required: ["getrange", "unlink"], reach: ENTRIES },
  counters: {
    title: "`incr`, `decr`",
    required: [...SCRIPTS, "get", "getrange", "incrby", "set"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: ENTRIES,
  },
  lifetimes: {
    title: "`touch`, `expire`, `expireAt`, `persist`",
    required: [...SCRIPTS, "getrange", "persist", "pexpireat", "time", "unlink"],
    herd: ["pttl", "setrange"],
    optional: ["evalsha"],
    reach: ENTRIES,
  },
  softExpiry: {
    title: "`expireSoft`, `expireSoftMany`",
    required: [...SCRIPTS, "get", "getrange", "set", "time", "unlink"],
    herd: ["pexpire", "pttl", "setrange"],
    optional: ["evalsha"],
    reach: ENTRIES,
  },
  versions: {
    title: "`incrVersion`, `decrVersion`",
    required: [...SCRIPTS, "getrange", "rename"],
    herd: ["time"],
    optional: ["evalsha"],
    reach: "~app:*",
  },
  scans: { title: "`keys`, `iterKeys`", required: ["getrange", "scan"], reach: ENTRIES },
  patterns: { title: "`deletePattern`", required: ["getrange", "scan", "unlink"], reach: ENTRIES },
  clear: { title: "`clear`", required: ["getrange", "scan", "unlink"], reach: "~app:*" },
  purgeTags: {
    title: "`purgeTags`",
    required: [...SCRIPTS, ...PURGE],
    optional: ["evalsha", "publish"],
    reach: `${PURGE_LOG} ${CHANGES}`,
  },
  flush: { title: "`flush`", required: ["flushdb"] },
  locks: {
    title: "`lock`",
    required: [...SCRIPTS, "get", "pexpire", "pttl", "set", "time"],
    optional: ["evalsha"],
    reach: "~app:lock:*",
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
    reach: ENTRIES,
  },
  hashes: {
    title: "`hashes`",
    required: ["hdel", "hexists", "hget", "hgetall", "hkeys", "hlen", "hset"],
    reach: ENTRIES,
  },
  herd: {
    title: "`getOrSet`, `getOrSetMany` with `herd()`",
    required: ["get", "getrange", "set"],
    optional: ["eval", "evalsha", "pexpire", "pexpireat", "pttl", "setrange", "time", "unlink"],
    reach: ENTRIES,
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
    reach: `${RESPONSES} ${PURGE_LOG}`,
  },
  purges: {
    title: "its purges by URL, and after unsafe requests",
    required: [...SCRIPTS, "exists", "getrange", "rename", "setrange", "time", "unlink"],
    optional: ["evalsha"],
    reach: RESPONSES,
  },
  tags: {
    title: "its tags, groups and prefixes: responses that have them, and purges by them",
    required: [...SCRIPTS, ...PURGE, "zscore"],
    optional: ["evalsha", "publish"],
    reach: `${PURGE_LOG} ${CHANGES}`,
  },
  health: { title: "`health`", required: ["ping"] },
};

/** By how a cache is connected, in addition to what it is used for. @satisfies {Readonly<Record<string, Row>>} */
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
    reach: "&+switch-master",
  },
  replicasAtSentinels: {
    title: "`sentinel({ readFrom })`, at the sentinels",
    required: ["sentinel|replicas"],
    reach: "&+switch-master",
  },
  near: {
    title: "`nearCache()`",
    required: ["client|tracking", "pttl", "subscribe"],
    reach: `&__redis__:invalidate ${CHANGES}`,
  },
  nearCluster: {
    title: "`nearCache()` in a cluster",
    required: ["cluster|info", "cluster|nodes", "cluster|slots"],
    reach: "&__redis__:invalidate",
  },
  nearChannel: {
    title: '`nearCache({ invalidation: "channel" })`',
    required: ["pttl", "publish", "subscribe"],
    reach: "&valkey-edge-cache:near:app:1:",
  },
};

/** Rules that allow commands. @param {readonly string[]} commands */
export function rules(commands) {
  return [...new Set(commands)].sort().map((command) => `+${command}`);
}

/** All that a row may send. @param {Row} row @returns {string[]} */
export function commandsOf({ required, herd = [], optional = [], asked = [] }) {
  return [...required, ...herd, ...optional, ...asked];
}

/** Users of everything that one kind of cache has. `flush` is left out, as it deletes what others have stored. */
export const USERS = {
  "a cache with `herd()`, without the HTTP cache": user(
    ["http", "purges", "tags", "flush"],
    "~app:* &valkey-edge-cache:changes:app:*",
  ),
  "an HTTP cache": user(
    Object.keys(FEATURES).filter((name) => !["http", "purges", "tags", "health"].includes(name)),
    `${RESPONSES} ${PURGE_LOG} ${CHANGES}`,
  ),
};

/** @param {readonly string[]} without names of features @param {string} reach */
function user(without, reach) {
  const rows = Object.entries(FEATURES).filter(([name]) => !without.includes(name));
  const commands = [CONNECTIONS.any, ...rows.map(([, row]) => row)].flatMap(commandsOf);
  return [reach, ...rules(commands)].join(" ");
}

/** @param {Readonly<Record<string, Row>>} rows @param {string} first @param {string} last */
function table(rows, first, last) {
  const code = (/** @type {readonly string[]} */ words) => (words.length > 0 ? `\`${words.join(" ")}\`` : "");
  const lines = Object.values(rows).map(({ title, required, herd = [], optional = [], asked = [], reach }) => {
    const more = herd.length > 0 ? `; with \`herd()\` also ${code(rules(herd))}` : "";
    const cells = [
      title,
      code(rules(required)) + more,
      code(rules([...optional, ...asked])),
      code(reach ? [reach] : []),
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [`| ${first} | required | optional | ${last} |`, "|---|---|---|---|", ...lines].join("\n");
}

/** The page with the tables as they are now. @param {string} page @returns {string} */
export function withTables(page) {
  const users = Object.entries(USERS).map(
    ([who, text]) => `For ${who}:\n\n\`\`\`text\nACL SETUSER app on >password ${text}\n\`\`\``,
  );
  const parts = {
    features: table(FEATURES, "feature", "keys and channels"),
    connections: table(CONNECTIONS, "connection", "channels"),
    users: users.join("\n\n"),
  };
  return Object.entries(parts).reduce((text, [name, part]) => {
    const block = new RegExp(`(<!-- acl:${name} -->\n)[\\s\\S]*?(<!-- /acl -->)`);
    if (!block.test(text)) throw new Error(`acl: docs/servers.md has no place acl:${name}; add its two comments`);
    return text.replace(block, (_all, begin, end) => `${begin}${part}\n${end}`);
  }, page);
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const page = new URL("../docs/servers.md", import.meta.url);
  writeFileSync(page, withTables(readFileSync(page, "utf8")));
}
