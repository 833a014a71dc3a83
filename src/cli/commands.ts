import type { Run } from "./io.js";
import { collected, wholeNumber } from "./options.js";

/** An option, as the parser and `--help` have it. */
export interface OptionSpec {
  /** As commander writes them: `"-l, --limit <n>"`. */
  readonly flags: string;
  readonly description: string;
  readonly parse?: (text: string, before: unknown) => unknown;
  readonly choices?: readonly string[];
}

export interface CommandSpec {
  readonly name: string;
  /** As commander writes them: `"<key...>"`. */
  readonly args?: string;
  readonly argsDescription?: string;
  readonly summary: string;
  /** What the summary leaves out. */
  readonly description?: string;
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** Loads what runs it, so that a command loads no other one. */
  readonly load: () => Promise<Run>;
  /** It stops by itself between two steps when it is interrupted, and says what it has done. */
  readonly stopsItself?: boolean;
}

const namespace: OptionSpec = {
  flags: "-n, --namespace <name>",
  description: "in this namespace; several name those within each other, the outermost first",
  parse: collected,
};
const stored: OptionSpec = { flags: "--stored", description: "KEY is the stored key, with prefix and version" };
const tags: OptionSpec = {
  flags: "-t, --tag <tag>",
  description: "a tag that the entry may have, to show its name: entries store hashes; repeatable",
  parse: collected,
};
const yes: OptionSpec = { flags: "-y, --yes", description: "don't ask, and don't count what matches first" };
const dryRun: OptionSpec = { flags: "--dry-run", description: "show what matches, and change nothing" };

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "doctor",
    summary: "check the server and what the cache needs of it",
    description:
      "Connects as the application would, and checks version, role, topology, the ACL for each feature, tracking, eviction and memory, persistence, latency and clocks. It writes nothing.",
    options: [],
    examples: ["doctor", "doctor --json | jq '.findings[] | select(.level == \"problem\")'"],
    load: async () => (await import("./commands/doctor.js")).doctor,
  },
  {
    name: "keys",
    args: "[pattern]",
    argsDescription: "a glob of keys, without prefix and version (default: all)",
    summary: "list entries with their state, time left and size",
    description: "Rows are shown as the scan finds them, so they are in no order.",
    options: [
      { flags: "-l, --limit <n>", description: "stop after so many entries", parse: wholeNumber("--limit", 1) },
      namespace,
      { flags: "-t, --tag <tag>", description: "only entries with this tag" },
      { flags: "--all-versions", description: "entries of every version, not only of --key-version" },
    ],
    examples: ["keys 'user:*' --limit 20", "keys --tag team:7 --json | jq -r .key"],
    load: async () => (await import("./commands/keys.js")).keys,
  },
  {
    name: "get",
    args: "<key>",
    summary: "show an entry, decoded, with its state, times, tags and lease",
    options: [
      namespace,
      stored,
      tags,
      {
        flags: "--raw",
        description: "only the value: a text as it is, anything else as JSON; escaped if a terminal shows it",
      },
      {
        flags: "--max-bytes <n>",
        description: "read at most so many bytes of the value (default: 1 MiB)",
        parse: wholeNumber("--max-bytes", 1),
      },
    ],
    examples: ["get user:1", "get user:1 --raw | jq ."],
    load: async () => (await import("./commands/get.js")).get,
  },
  {
    name: "ttl",
    args: "<key>",
    summary: "show how long an entry is fresh, stale and stored",
    options: [namespace, stored],
    examples: ["ttl user:1"],
    load: async () => (await import("./commands/ttl.js")).ttl,
  },
  {
    name: "why",
    args: "<key>",
    summary: "say whether a getOrSet would hit, wait or load now, and why",
    options: [namespace, stored, tags],
    examples: ["why user:1 --client herd", "why user:1 --config ./cache.js"],
    load: async () => (await import("./commands/why.js")).why,
  },
  {
    name: "delete",
    args: "<key...>",
    summary: "delete entries",
    options: [namespace, stored, yes, dryRun],
    examples: ["delete user:1 user:2", "delete user:1 --yes --json"],
    load: async () => (await import("./commands/delete.js")).deleteKeys,
    stopsItself: true,
  },
  {
    name: "purge",
    summary: "end entries by tag, key, pattern or namespace, or make them stale",
    description: "Give one of --tag, --key, --pattern and --namespace; --namespace may also stand beside --pattern.",
    options: [
      { flags: "-t, --tag <tag...>", description: "entries and responses with one of these tags", parse: collected },
      {
        flags: "--match <which>",
        description: "with several tags: entries that have any, or all",
        choices: ["any", "all"],
      },
      { flags: "-k, --key <key>", description: "one entry" },
      { flags: "--pattern <glob>", description: "entries whose keys match" },
      { ...namespace, description: "all of a namespace and of those within it; repeatable as above" },
      { flags: "--soft", description: "make them stale: they are answered while one caller loads" },
      { flags: "--free", description: "also delete what ends, to free its memory now" },
      yes,
      dryRun,
    ],
    examples: ["purge --tag team:7 --soft", "purge --tag a b --match all --free --yes"],
    load: async () => (await import("./commands/purge.js")).purge,
    stopsItself: true,
  },
  {
    name: "clear",
    summary: "delete every entry of a namespace, or of the whole prefix",
    description: "Without --namespace it deletes every entry under the prefix, in every version, and asks twice.",
    options: [namespace, yes, dryRun],
    examples: ["clear --namespace tenant-42", "clear --prefix app --dry-run"],
    load: async () => (await import("./commands/clear.js")).clear,
    stopsItself: true,
  },
  {
    name: "top",
    summary: "watch the cache: hits, loads, waits, leases, slowest keys, memory, near caches",
    description:
      "Live in a terminal, until q or Ctrl-C. In a pipe, and with --json, one sample every --interval seconds.",
    options: [
      {
        flags: "--interval <seconds>",
        description: "between two samples (default: 1)",
        parse: wholeNumber("--interval", 1),
      },
      { flags: "--once", description: "one sample, and the end" },
    ],
    examples: ["top", "top --once --json", "top --interval 5 >> top.log"],
    load: async () => (await import("./commands/top.js")).top,
  },
];

/** Which cache, and how to connect. They may stand before the command or after it. */
export const CACHE_OPTIONS: readonly OptionSpec[] = [
  { flags: "--url <url>", description: "where the cache is kept, such as valkey://host:6379/0 (default: VALKEY_URL)" },
  { flags: "--prefix <text>", description: 'the cache\'s keyPrefix (default: "")' },
  {
    flags: "--key-version <n>",
    description: "the cache's version (default: 1)",
    parse: wholeNumber("--key-version", Number.MIN_SAFE_INTEGER),
  },
  { flags: "--client <name>", description: "the cache's client (default: default)", choices: ["herd", "default"] },
  {
    flags: "--serializer <name>",
    description: "the cache's serializer (default: json)",
    choices: ["json", "msgpack", "structured-clone"],
  },
  {
    flags: "--compressor <name>",
    description: "the cache's compressor (default: none)",
    choices: ["none", "zlib", "gzip", "deflate", "brotli", "zstd", "lz4", "lzma", "bz2"],
  },
  { flags: "--near-cache", description: "use a near cache, so that doctor checks it" },
  { flags: "--cluster", description: "the URL names nodes of a cluster" },
  {
    flags: "--sentinel <host:port>",
    description: "a sentinel, repeatable; the URL's host is the service's name",
    parse: collected,
  },
  { flags: "--username <name>", description: "ACL user (default: the URL's, VALKEY_USERNAME)" },
  { flags: "--tls-ca <file>", description: "authorities to trust, in PEM form" },
  { flags: "--tls-cert <file>", description: "this client's certificate, in PEM form" },
  { flags: "--tls-key <file>", description: "the private key of --tls-cert" },
  { flags: "--tls-insecure", description: "accept any certificate" },
  {
    flags: "--timeout <duration>",
    description: 'time limit of connecting and of each round trip, such as "5s" (default: 1s)',
  },
];

export const CONFIG_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "-c, --config <file>",
    description:
      "a module that exports the cache, in place of --url and its options (default: VALKEY_EDGE_CACHE_CONFIG)",
  },
  { flags: "--cache <name>", description: "which of several caches the module exports" },
];

export const OUTPUT_OPTIONS: readonly OptionSpec[] = [
  { flags: "--json", description: "one JSON document on standard output; of lists and samples one on each line" },
];
