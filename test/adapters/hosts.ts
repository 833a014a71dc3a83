import { FASTIFY_HOSTS } from "./fastify.js";
import { FETCH_HOST, HANDLER_HOSTS } from "./fetch.js";
import { HONO_CALLED, HONO_HOSTS } from "./hono.js";
import type { HttpHost } from "./host.js";
import { NODE_HOSTS } from "./node.js";

/** Every way to put the HTTP cache in front of a handler. One line for each adds it to all suites. */
export const HTTP_HOSTS: readonly HttpHost[] = [
  ...HONO_HOSTS,
  ...NODE_HOSTS,
  ...FASTIFY_HOSTS,
  ...HANDLER_HOSTS,
  FETCH_HOST,
];

const by = (protocol: HttpHost["protocol"]): readonly HttpHost[] =>
  HTTP_HOSTS.filter((host) => host.protocol === protocol);

/**
 * One of each adapter, for cases that the engine decides by what it is given: a response's fields, a status, a size. Adapters
 * differ in how they give it requests and responses, which all hosts are tested for. Tests in `workerd/` add that runtime.
 */
export const ENGINE_HOSTS: readonly HttpHost[] = [
  "Hono, app.request",
  "Express 5",
  "Fastify, HTTP/1.1",
  "cachedHandler, in process",
  "cachedFetch",
].map(named);

function named(name: string): HttpHost {
  const host = HTTP_HOSTS.find((one) => one.name === name);
  if (!host) throw new Error(`no host has the name ${name}; choose another one for the cases of the engine`);
  return host;
}

/** Cases that some hosts have more of than others: Hono without a server has all, and one of each adapter has more than the rest. */
export interface Cases<T> {
  /** On each host. */
  readonly all: readonly T[];
  /** Also on `ENGINE_HOSTS`. @default none */
  readonly engine?: readonly T[];
  /** Also on Hono, called. @default none */
  readonly once?: readonly T[];
}

export function casesOf<T>(host: HttpHost, { all, engine = [], once = [] }: Cases<T>): T[] {
  return [...all, ...(ENGINE_HOSTS.includes(host) ? engine : []), ...(host === HONO_CALLED ? once : [])];
}

/** Those that take any bytes. */
export const HTTP1_HOSTS = by("HTTP/1.1");
export const HTTP2_HOSTS = by("HTTP/2");
/** Those whose requests are of clients. Those of `cachedFetch()` are the application's own, and mean what Fetch says. */
export const SERVED_HOSTS = HTTP_HOSTS.filter((host) => host !== FETCH_HOST);
/** Those that refresh stale responses in the background, by requests that have nothing of a client. */
export const REFRESHING_HOSTS = SERVED_HOSTS.filter(({ refreshes }) => refreshes);
export const HOSTS_WITH_MIDDLEWARE = HTTP_HOSTS.filter(({ outside }) => outside);
export const MOUNTING_HOSTS = HTTP_HOSTS.filter(({ mounts }) => mounts);
