import type { By, Peer } from "./hosts/host.ts";

/** A framework, and what can be in front of its handlers. */
export interface HttpHost {
  readonly host: string;
  /** The program in hosts/. */
  readonly file: string;
  readonly library: string;
  /** Whether a middleware with constants is measured, too, as what no cache can be faster than. */
  readonly hasConstant?: boolean;
  readonly peers: readonly HostPeer[];
}

/** What the users of a framework have without this library. */
interface HostPeer {
  readonly name: string;
  readonly by: Peer;
  /** Where it keeps responses: what keeps them in the process is compared with a near cache, the others with a server. */
  readonly store: "process" | "server";
}

export interface HostContender {
  readonly name: string;
  readonly by: By;
}

const apicache: readonly HostPeer[] = [
  { name: "apicache, memory", by: "apicache", store: "process" },
  { name: "apicache, Redis client", by: "apicache-redis", store: "server" },
  { name: "apicache-plus, memory", by: "apicache-plus", store: "process" },
  { name: "apicache-plus, Redis client", by: "apicache-plus-redis", store: "server" },
];

export const hosts: readonly HttpHost[] = [
  { host: "Hono", file: "hosts/hono.ts", library: "httpCache", peers: [] },
  {
    host: "Express",
    file: "hosts/express.ts",
    library: "httpCacheNode",
    hasConstant: true,
    peers: [...apicache, { name: "route-cache, memory", by: "route-cache", store: "process" }],
  },
  { host: "node:http", file: "hosts/node.ts", library: "httpCacheNode", hasConstant: true, peers: apicache },
  {
    host: "Fastify",
    file: "hosts/fastify.ts",
    library: "httpCacheFastify",
    peers: [
      { name: "@fastify/caching, memory", by: "fastify-caching", store: "process" },
      { name: "@fastify/caching, Redis client", by: "fastify-caching-redis", store: "server" },
    ],
  },
  { host: "web handler", file: "hosts/handler.ts", library: "cachedHandler", peers: [] },
];

/** What is measured on a host: the first is the baseline. */
export function contendersOf({ library, hasConstant, peers }: HttpHost): readonly HostContender[] {
  const constant: readonly HostContender[] = hasConstant
    ? [{ name: "a middleware with constants", by: "constant" }]
    : [];
  return [
    { name: "the handler alone", by: "handler" },
    ...constant,
    { name: library, by: "library" },
    { name: nearName(library), by: "near" },
    ...peers,
  ];
}

/** The peers of a contender. */
export function peersOf({ library, peers }: HttpHost, name: string): string[] {
  const store = name === library ? "server" : name === nearName(library) ? "process" : undefined;
  return peers.filter((peer) => peer.store === store).map((peer) => peer.name);
}

function nearName(library: string): string {
  return `${library}, near cache`;
}
