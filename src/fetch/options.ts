import type { Cache } from "../cache/cache.js";
import { ConfigurationError } from "../core/errors.js";
import { type Check, type Checks, isFunction } from "../core/options.js";
import { type AdapterOptions, adapterChecks, isCache, requireCache, splitOptions } from "../http/adapter.js";
import type { HttpCacheOptions } from "../http/options.js";
import { isFieldNames } from "../http/rfc/policy.js";
import { isRouteTable, type RouteRule } from "../http/routes.js";

/** A function such as the global `fetch`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Options of `cachedFetch` besides those of the cache. */
export interface FetchOptions extends AdapterOptions<Request> {
  /** Where responses are kept. */
  cache: Cache;
  /** Sends the requests. It must decode bodies, as the standard says. @default the global `fetch`, as it is when `cachedFetch` is called */
  fetch?: Fetch | undefined;
  /** Lifetimes and tags by URL, as `routes`, in a list: `[{ match: "https://api.example/*", ttl: "1m" }]`. The first match counts. @default none */
  rules?: readonly RouteRule[] | undefined;
  /**
   * Request fields with credentials of the application, such as `"Authorization"`. Their values become part of the key, as a
   * hash: responses are stored, and used for calls with the same values alone. @default [], so RFC 9111 §3.5 applies
   */
  credentialsInKey?: readonly string[] | undefined;
  /** Keeps the host running until the promise settles. @default none */
  waitUntil?: ((work: Promise<void>) => void) | undefined;
}

/** Options of `cachedFetch`: its own, and those of the cache itself. */
export interface CachedFetchOptions extends FetchOptions, Omit<HttpCacheOptions, "trustForwarded"> {
  /** The name in keys and in Cache-Status; a token. Caches with the same name and store share responses. @default "valkey-edge-cache-fetch" */
  cacheName?: string | undefined;
}

const isRules: Check = (value, name) =>
  Array.isArray(value) ? isRouteTable(value, name) : 'a list of rules, such as [{ match: "/products/*", ttl: "1m" }]';

const fetchChecks: Checks<FetchOptions & Pick<HttpCacheOptions, "trustForwarded">> = /* @__PURE__ */ (() => ({
  ...adapterChecks,
  cache: isCache,
  fetch: isFunction,
  rules: isRules,
  credentialsInKey: isFieldNames,
  waitUntil: isFunction,
  trustForwarded: () => "no such option: it is about requests that come in",
}))();

/** @throws {ConfigurationError} naming the option that is unknown or wrong */
export function readOptions(options: CachedFetchOptions): {
  readonly own: FetchOptions;
  readonly engine: HttpCacheOptions;
} {
  const { own, engine } = splitOptions<FetchOptions>("cachedFetch", options, fetchChecks);
  requireCache("cachedFetch", own);
  const { rules } = own;
  if (rules !== undefined && engine.routes !== undefined) {
    throw new ConfigurationError('cachedFetch: options "rules" and "routes" are both given; give one of them');
  }
  const named = { ...engine, cacheName: engine.cacheName ?? "valkey-edge-cache-fetch" };
  return { own, engine: rules === undefined ? named : { ...named, routes: rules } };
}
