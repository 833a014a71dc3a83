import { notify } from "../core/async.js";
import { ConfigurationError } from "../core/errors.js";
import {
  type Check,
  type Checks,
  checkOptions,
  isBoolean,
  isFunction,
  isPositiveInteger,
  isWait,
  isWindow,
  orNull,
} from "../core/options.js";
import { type Clock, type Duration, systemClock, toMs, toWindowMs } from "../core/time.js";
import { type ForwardedPart, type Trust, type TrustForwarded, toTrust } from "./forwarded.js";
import { UNKEYED_FIELDS } from "./rfc/admission.js";
import { isToken } from "./rfc/message.js";
import { isFieldNames, makePolicy, type Policy, type PolicyOptions, policyChecks } from "./rfc/policy.js";
import type { QueryRules } from "./rfc/target.js";
import { isRouteTable, isSize, Routes, type RouteTable } from "./routes.js";

/** Options of the HTTP cache, besides those of the policy. */
export interface HttpCacheOptions extends PolicyOptions {
  /** The name in keys and in Cache-Status; a token. Caches with the same name and store share responses. @default "valkey-edge-cache" */
  cacheName?: string | undefined;
  /** The hosts, with their ports, that responses are stored for; `null` for any host. @default null */
  hosts?: readonly string[] | null | undefined;
  /**
   * Fields of proxies in front that say what the client asked for: their scheme and host become part of the key, and are all
   * that handlers see. With `"host"`, the option `hosts` must list the hosts. Every request must come through the proxies.
   * @default none
   */
  trustForwarded?: TrustForwarded | readonly ForwardedPart[] | undefined;
  /** Further request fields that handlers don't see while the response may be stored, as they are not in the key. @default [] */
  unkeyedFields?: readonly string[] | undefined;
  /**
   * Lifetimes and tags by URL, so that handlers need not set them: `{ "/products/*": { ttl: "1m", tags: ["products"] } }`.
   * The first pattern that matches counts. https://urlpattern.spec.whatwg.org @default none
   */
  routes?: RouteTable | undefined;
  /** Normalises the query, for the key and for handlers: `remove: ["utm_*"]` drops parameters, `sort` sorts them by name. @default as the client sends it */
  query?: QueryRules | undefined;
  /** Response fields with tags that clients don't get. @default ["Surrogate-Key"] */
  hiddenTagFields?: readonly string[] | undefined;
  /** Keep the host and each path segment of a response as a label, for `purgePrefix`. Every request then reads the purge log. @default false */
  prefixPurges?: boolean | undefined;
  /** Maximum length of a URL, in characters; a longer URL bypasses the cache. @default 8192 */
  maxUrlLength?: number | undefined;
  /** Maximum size of a body, in bytes; a larger body is passed through, and only parts of it are stored. @default 1048576 (1 MiB) */
  maxBodySize?: number | undefined;
  /** Maximum number of variants of one URL; a new one replaces the oldest. @default 32 */
  maxVariants?: number | undefined;
  /** Names of cookies that change no response; a name may end in `*`. A request with any other cookie bypasses the cache. @default [] */
  allowCookies?: readonly string[] | undefined;
  /** Content codings of the origin, the preferred one first. Accept-Encoding is narrowed to one of them. @default as the client sends it */
  encodings?: readonly string[] | undefined;
  /** Languages of the origin, the preferred one first. Accept-Language is narrowed to one of them. @default as the client sends it */
  languages?: readonly string[] | undefined;
  /** How long a response is kept after its lifetime, to be validated, or served when the origin can't be reached. @default "1h" */
  grace?: Duration | undefined;
  /**
   * How long a request waits for the origin where a stale response may replace an error of it; then that is served, and the
   * origin's response is given up. `null` for no limit. @default null
   */
  originTimeout?: Duration | null | undefined;
  /** How long a request waits for the response of another one before it goes to the origin itself. @default "10s" */
  waitTimeout?: Duration | undefined;
  /** How long requests don't wait for each other after a response that could not be stored. @default "1m" */
  uncacheableTtl?: Duration | undefined;
  /** Lease duration; the holder renews it while it makes the response. A crashed process is replaced after it. @default "5s" */
  lease?: Duration | undefined;
  /** Pause after a failed background refresh, in which the stale response is served. @default "5s" */
  retryAfter?: Duration | undefined;
  /** Respond only when the response is stored and background work has ended, for hosts that stop once they have responded. @default false */
  awaitBackground?: boolean | undefined;
  /**
   * Whether Cache-Status has the key, and why a response is not stored. Clients see it; `cache.on("http", …)` has the reasons
   * without. Also warns of stored responses that show a request field without naming it in Vary. @default false
   */
  debug?: boolean | undefined;
  /** Called with every error of the store and of background work that no response shows. `cache.on("error", …)` has them, too. @default none */
  onError?: ((error: unknown, context: { readonly method: string; readonly key: string }) => void) | undefined;
}

export const httpCacheDefaults = {
  cacheName: "valkey-edge-cache",
  hosts: null,
  unkeyedFields: [],
  hiddenTagFields: ["Surrogate-Key"],
  prefixPurges: false,
  maxUrlLength: 8_192,
  maxBodySize: 1_048_576,
  maxVariants: 32,
  allowCookies: [],
  grace: "1h",
  originTimeout: null,
  waitTimeout: "10s",
  uncacheableTtl: "1m",
  lease: "5s",
  retryAfter: "5s",
  awaitBackground: false,
  debug: false,
} as const satisfies HttpCacheOptions;

/** Options with every default in place, in milliseconds. */
export interface Settings {
  readonly policy: Policy;
  readonly routes: Routes;
  readonly clock: Clock;
  readonly name: string;
  readonly hosts: ReadonlySet<string> | undefined;
  readonly trust: Trust | undefined;
  /** Request fields that handlers don't see, in lower case. */
  readonly unkeyed: ReadonlySet<string>;
  readonly query: QueryRules | undefined;
  /** In lower case. */
  readonly hiddenTagFields: readonly string[];
  readonly prefixPurges: boolean;
  readonly maxUrlLength: number;
  readonly maxBodySize: number;
  readonly maxVariants: number;
  readonly cookies: readonly string[];
  readonly encodings: readonly string[];
  readonly languages: readonly string[];
  readonly graceMs: number;
  readonly originTimeoutMs: number | undefined;
  readonly collapseMs: number;
  readonly uncacheableMs: number;
  readonly leaseMs: number;
  readonly retryAfterMs: number;
  readonly awaitBackground: boolean;
  readonly debug: boolean;
  /** Never throws. */
  readonly onError: OnError;
}

type OnError = NonNullable<HttpCacheOptions["onError"]>;

const isTexts: Check = (value) =>
  Array.isArray(value) && value.every((text) => typeof text === "string" && text !== "")
    ? undefined
    : "a list of texts";
const isName: Check = (value) =>
  typeof value === "string" && isToken(value) ? undefined : 'a token such as "my-cache"';
const isTrust: Check = (value) => {
  const given: unknown = typeof value === "object" && value !== null && "fields" in value ? value.fields : value;
  const hops: unknown = typeof value === "object" && value !== null && "hops" in value ? value.hops : 1;
  const areParts = Array.isArray(given) && given.every((part) => part === "proto" || part === "host");
  return areParts && isPositiveInteger(hops, "") === undefined
    ? undefined
    : 'a list of "proto" and "host", or { fields, hops } with the number of proxies';
};
const isQuery: Check = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return 'an object such as { remove: ["utm_*"], sort: true }';
  const { remove = [], sort = false, ...others } = value as QueryRules;
  const isRight = isTexts(remove, "") === undefined && typeof sort === "boolean" && Object.keys(others).length === 0;
  return isRight ? undefined : 'an object such as { remove: ["utm_*"], sort: true }';
};
const isTagFields: Check = (value) => {
  const known = ["cache-tag", "surrogate-key", "cache-groups"];
  const isRight =
    Array.isArray(value) && value.every((name) => typeof name === "string" && known.includes(name.toLowerCase()));
  return isRight ? undefined : 'a list of "Cache-Tag", "Surrogate-Key" and "Cache-Groups"';
};

export const httpCacheChecks: Checks<HttpCacheOptions> = /* @__PURE__ */ (() => ({
  ...policyChecks,
  cacheName: isName,
  hosts: orNull(isTexts),
  trustForwarded: isTrust,
  unkeyedFields: isFieldNames,
  routes: isRouteTable,
  query: isQuery,
  hiddenTagFields: isTagFields,
  prefixPurges: isBoolean,
  maxUrlLength: isPositiveInteger,
  maxBodySize: isSize,
  maxVariants: isPositiveInteger,
  allowCookies: isTexts,
  encodings: isTexts,
  languages: isTexts,
  grace: isWindow,
  originTimeout: orNull(isWait),
  waitTimeout: isWindow,
  uncacheableTtl: isWait,
  lease: isWait,
  retryAfter: isWindow,
  awaitBackground: isBoolean,
  debug: isBoolean,
  onError: isFunction,
}))();

/** @throws {ConfigurationError} naming the option that is unknown or wrong */
export function toSettings(options: HttpCacheOptions, clock: Clock = systemClock): Settings {
  checkOptions<HttpCacheOptions>("httpCache", options, httpCacheChecks);
  const { hosts = httpCacheDefaults.hosts, encodings = [], languages = [] } = options;
  const leaseMs = toMs(options.lease ?? httpCacheDefaults.lease, "lease");
  if (leaseMs < 100) throw new ConfigurationError(`httpCache: option "lease" is ${leaseMs} ms; give at least 100`);
  const { maxBodySize = httpCacheDefaults.maxBodySize, originTimeout = httpCacheDefaults.originTimeout } = options;
  const base = policyOptions(options);
  const policy = makePolicy(base);
  return {
    policy,
    routes: new Routes(options.routes ?? {}, base, { policy, maxBodySize }),
    clock,
    name: options.cacheName ?? httpCacheDefaults.cacheName,
    hosts: hosts === null ? undefined : new Set(hosts.map((host) => host.toLowerCase())),
    trust: toTrust(options.trustForwarded, hosts),
    unkeyed: withUnkeyed(options.unkeyedFields ?? httpCacheDefaults.unkeyedFields),
    query: options.query,
    hiddenTagFields: (options.hiddenTagFields ?? httpCacheDefaults.hiddenTagFields).map((name) => name.toLowerCase()),
    prefixPurges: options.prefixPurges ?? httpCacheDefaults.prefixPurges,
    maxUrlLength: options.maxUrlLength ?? httpCacheDefaults.maxUrlLength,
    maxBodySize,
    maxVariants: options.maxVariants ?? httpCacheDefaults.maxVariants,
    cookies: options.allowCookies ?? httpCacheDefaults.allowCookies,
    encodings: encodings.map((coding) => coding.toLowerCase()),
    languages,
    originTimeoutMs: originTimeout === null ? undefined : toMs(originTimeout, "originTimeout"),
    graceMs: toWindowMs(options.grace ?? httpCacheDefaults.grace, "grace"),
    collapseMs: toWindowMs(options.waitTimeout ?? httpCacheDefaults.waitTimeout, "waitTimeout"),
    uncacheableMs: toMs(options.uncacheableTtl ?? httpCacheDefaults.uncacheableTtl, "uncacheableTtl"),
    leaseMs,
    retryAfterMs: toWindowMs(options.retryAfter ?? httpCacheDefaults.retryAfter, "retryAfter"),
    awaitBackground: options.awaitBackground ?? httpCacheDefaults.awaitBackground,
    debug: options.debug ?? httpCacheDefaults.debug,
    onError: quiet(options.onError ?? (() => {})),
  };
}

/** @throws {ConfigurationError} for a field that the target or the key is made of */
function withUnkeyed(names: readonly string[]): ReadonlySet<string> {
  const added = names.map((name) => name.toLowerCase());
  if (added.includes("host"))
    throw new ConfigurationError('httpCache: option "unkeyedFields" has "host", which is part of the key; remove it');
  return new Set([...UNKEYED_FIELDS, ...added]);
}

/** Ignores errors that the user's `onError` throws itself. */
function quiet(onError: OnError): OnError {
  return (error, context) =>
    notify(
      () => onError(error, context),
      () => {},
    );
}

function policyOptions(options: HttpCacheOptions): PolicyOptions {
  const own = Object.entries(options).filter(([name]) => Object.hasOwn(policyChecks, name));
  return Object.fromEntries(own);
}
