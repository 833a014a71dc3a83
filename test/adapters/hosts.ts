import { FASTIFY_HOSTS } from "./fastify.js";
import { FETCH_HOST, HANDLER_HOSTS } from "./fetch.js";
import { HONO_HOSTS } from "./hono.js";
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

/** Those that take any bytes. */
export const HTTP1_HOSTS = by("HTTP/1.1");
export const HTTP2_HOSTS = by("HTTP/2");
/** Those whose requests are of clients. Those of `cachedFetch()` are the application's own, and mean what Fetch says. */
export const SERVED_HOSTS = HTTP_HOSTS.filter((host) => host !== FETCH_HOST);
/** Those that refresh stale responses in the background, by requests that have nothing of a client. */
export const REFRESHING_HOSTS = SERVED_HOSTS.filter(({ refreshes }) => refreshes);
export const HOSTS_WITH_MIDDLEWARE = HTTP_HOSTS.filter(({ outside }) => outside);
export const MOUNTING_HOSTS = HTTP_HOSTS.filter(({ mounts }) => mounts);
