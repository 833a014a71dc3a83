import { ConfigurationError } from "../core/errors.js";
import { notify } from "../core/maybe-promise.js";
import {
  type Check,
  type Checks,
  checkOptions,
  isBoolean,
  isFunction,
  isInteger,
  isPositiveInteger,
  isWait,
  isWindow,
  orNull,
} from "../core/options.js";
import { type Clock, type Duration, systemClock, toMs, toWindowMs } from "../core/time.js";
import { isToken } from "./rfc/message.js";
import { makePolicy, type Policy, type PolicyOptions, policyChecks } from "./rfc/policy.js";

/** Options of the HTTP cache, besides those of the policy. */
export interface HttpCacheOptions extends PolicyOptions {
  /** The name in keys and in Cache-Status; a token. Caches with the same name and store share responses. @default "valkey-edge-cache" */
  cacheName?: string;
  /** The hosts, with their ports, that responses are stored for; `null` for any host. @default null */
  hosts?: readonly string[] | null;
  /** Maximum length of a URL, in characters; a longer URL bypasses the cache. @default 8192 */
  maxUrlLength?: number;
  /** Maximum size of a body, in bytes; a larger body is passed through and not stored. @default 1048576 (1 MiB) */
  maxBodySize?: number;
  /** Maximum number of variants of one URL; a new one replaces the oldest. @default 32 */
  maxVariants?: number;
  /** Names of cookies that change no response; a name may end in `*`. A request with any other cookie bypasses the cache. @default [] */
  allowCookies?: readonly string[];
  /** Content codings of the origin, the preferred one first. Accept-Encoding is narrowed to one of them. @default as the client sends it */
  encodings?: readonly string[];
  /** Languages of the origin, the preferred one first. Accept-Language is narrowed to one of them. @default as the client sends it */
  languages?: readonly string[];
  /** How long a response is kept after its lifetime, to be validated, or served when the origin can't be reached. @default "1h" */
  grace?: Duration;
  /** How long a request waits for the response of another one before it goes to the origin itself. @default "10s" */
  waitTimeout?: Duration;
  /** How long requests don't wait for each other after a response that could not be stored. @default "1m" */
  uncacheableTtl?: Duration;
  /** Lease duration; the holder renews it while it makes the response. A crashed process is replaced after it. @default "5s" */
  lease?: Duration;
  /** Pause after a failed background refresh, in which the stale response is served. @default "5s" */
  retryAfter?: Duration;
  /** Number of purges by tag that are kept; responses that are older than all of them count as softly purged. @default 1024 */
  maxPurges?: number;
  /** Respond only when the response is stored and background work has ended, for hosts that stop once they have responded. @default false */
  awaitBackground?: boolean;
  /** Whether Cache-Status has the key, and why a response is not stored. Clients see it. @default false */
  debug?: boolean;
  /** Called with every error of the store and of background work that no response shows. @default none */
  onError?: (error: unknown, context: { readonly method: string; readonly key: string }) => void;
}

export const httpCacheDefaults = {
  cacheName: "valkey-edge-cache",
  hosts: null,
  maxUrlLength: 8_192,
  maxBodySize: 1_048_576,
  maxVariants: 32,
  allowCookies: [],
  grace: "1h",
  waitTimeout: "10s",
  uncacheableTtl: "1m",
  lease: "5s",
  retryAfter: "5s",
  maxPurges: 1_024,
  awaitBackground: false,
  debug: false,
} as const satisfies HttpCacheOptions;

/** Options with every default in place, in milliseconds. */
export interface Settings {
  readonly policy: Policy;
  readonly clock: Clock;
  readonly name: string;
  readonly hosts: ReadonlySet<string> | undefined;
  readonly maxUrlLength: number;
  readonly maxBodySize: number;
  readonly maxVariants: number;
  readonly cookies: readonly string[];
  readonly encodings: readonly string[];
  readonly languages: readonly string[];
  readonly graceMs: number;
  readonly collapseMs: number;
  readonly uncacheableMs: number;
  readonly leaseMs: number;
  readonly retryAfterMs: number;
  readonly maxPurges: number;
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
const isSize: Check = (value, name) => (value === 0 ? undefined : isPositiveInteger(value, name));
const isMaxPurges: Check = (value) =>
  isInteger(value, "") === undefined && Number(value) >= 2 ? undefined : "a whole number from 2";

export const httpCacheChecks: Checks<HttpCacheOptions> = {
  ...policyChecks,
  cacheName: isName,
  hosts: orNull(isTexts),
  maxUrlLength: isPositiveInteger,
  maxBodySize: isSize,
  maxVariants: isPositiveInteger,
  allowCookies: isTexts,
  encodings: isTexts,
  languages: isTexts,
  grace: isWindow,
  waitTimeout: isWindow,
  uncacheableTtl: isWait,
  lease: isWait,
  retryAfter: isWindow,
  maxPurges: isMaxPurges,
  awaitBackground: isBoolean,
  debug: isBoolean,
  onError: isFunction,
};

/** @throws {ConfigurationError} naming the option that is unknown or wrong */
export function toSettings(options: HttpCacheOptions, clock: Clock = systemClock): Settings {
  checkOptions<HttpCacheOptions>("httpCache", options, httpCacheChecks);
  const { hosts = httpCacheDefaults.hosts, encodings = [], languages = [] } = options;
  const leaseMs = toMs(options.lease ?? httpCacheDefaults.lease, "lease");
  if (leaseMs < 100) throw new ConfigurationError(`httpCache: option "lease" is ${leaseMs} ms; give at least 100`);
  return {
    policy: makePolicy(policyOptions(options)),
    clock,
    name: options.cacheName ?? httpCacheDefaults.cacheName,
    hosts: hosts === null ? undefined : new Set(hosts.map((host) => host.toLowerCase())),
    maxUrlLength: options.maxUrlLength ?? httpCacheDefaults.maxUrlLength,
    maxBodySize: options.maxBodySize ?? httpCacheDefaults.maxBodySize,
    maxVariants: options.maxVariants ?? httpCacheDefaults.maxVariants,
    cookies: options.allowCookies ?? httpCacheDefaults.allowCookies,
    encodings: encodings.map((coding) => coding.toLowerCase()),
    languages,
    graceMs: toWindowMs(options.grace ?? httpCacheDefaults.grace, "grace"),
    collapseMs: toWindowMs(options.waitTimeout ?? httpCacheDefaults.waitTimeout, "waitTimeout"),
    uncacheableMs: toMs(options.uncacheableTtl ?? httpCacheDefaults.uncacheableTtl, "uncacheableTtl"),
    leaseMs,
    retryAfterMs: toWindowMs(options.retryAfter ?? httpCacheDefaults.retryAfter, "retryAfter"),
    maxPurges: options.maxPurges ?? httpCacheDefaults.maxPurges,
    awaitBackground: options.awaitBackground ?? httpCacheDefaults.awaitBackground,
    debug: options.debug ?? httpCacheDefaults.debug,
    onError: quiet(options.onError ?? (() => {})),
  };
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
