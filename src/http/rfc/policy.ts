import { type Check, type Checks, checkOptions, isBoolean, isWindow, orNull } from "../../core/options.js";
import { type Duration, toWindowMs } from "../../core/time.js";
import { isToken } from "./message.js";

/** How far the cache goes where RFC 9111 leaves the choice to it. */
export interface PolicyOptions {
  /** Fields that take the place of Cache-Control, the most specific first. RFC 9213. @default ["CDN-Cache-Control"] */
  targetedFields?: readonly string[] | undefined;
  /**
   * Request fields with credentials, besides Authorization, such as `"X-Api-Key"`. A response to a request that has one is
   * stored only if the response permits it. RFC 9111 §3.5. @default []
   */
  credentialFields?: readonly string[] | undefined;
  /** Lifetime of responses with status 2xx, 301 or 308 that have none: seconds or a duration; `null` for none. @default null */
  defaultTtl?: Duration | null | undefined;
  /** Lifetime of responses with status 404 or 410 that have none: seconds or a duration; `null` for none. @default null */
  negativeTtl?: Duration | null | undefined;
  /** The part of the time since Last-Modified for which a response without a lifetime is fresh, from 0 (never) to 1. @default 0.1 */
  heuristicFraction?: number | undefined;
  /** The longest lifetime that Last-Modified can give. @default "1d" */
  heuristicLimit?: Duration | undefined;
  /** Whether Last-Modified gives errors a lifetime, too: 404, 405, 410, 414 and 501, and those marked `public`. @default true */
  heuristicErrors?: boolean | undefined;
  /** The only statuses to store; `null` for all that HTTP allows. @default null */
  cacheableStatusCodes?: readonly number[] | null | undefined;
  /** Window of responses that have no `stale-while-revalidate`. @default 0 */
  staleWhileRevalidate?: Duration | undefined;
  /** Window of responses that have no `stale-if-error`. @default 0 */
  staleIfError?: Duration | undefined;
  /** Whether a stale response that nothing forbids is served when the origin fails without an answer. RFC 9111 §4.2.4. @default true */
  staleIfUnreachable?: boolean | undefined;
  /** Whether clients choose how fresh a response must be, and so can force the origin to be asked. @default true */
  requestDirectives?: boolean | undefined;
}

export const policyDefaults = {
  targetedFields: ["CDN-Cache-Control"],
  credentialFields: [],
  defaultTtl: null,
  negativeTtl: null,
  heuristicFraction: 0.1,
  heuristicLimit: "1d",
  heuristicErrors: true,
  cacheableStatusCodes: null,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  staleIfUnreachable: true,
  requestDirectives: true,
} as const satisfies Required<PolicyOptions>;

/** The same, ready for use: times in milliseconds, field names in lower case. */
export interface Policy {
  readonly targetedFields: readonly string[];
  /** With `authorization`. */
  readonly credentialFields: readonly string[];
  readonly defaultTtlMs: number | undefined;
  readonly negativeTtlMs: number | undefined;
  readonly heuristicFraction: number;
  readonly heuristicLimitMs: number;
  readonly heuristicErrors: boolean;
  readonly statuses: ReadonlySet<number> | undefined;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly staleIfUnreachable: boolean;
  readonly requestDirectives: boolean;
}

export const isFieldNames: Check = (value) =>
  Array.isArray(value) && value.every((name) => typeof name === "string" && isToken(name))
    ? undefined
    : 'a list of field names, such as ["CDN-Cache-Control"]';

const isFraction: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? undefined : "a number from 0 to 1";

const isStatuses: Check = (value) =>
  Array.isArray(value) && value.every((status) => Number.isInteger(status) && status >= 200 && status <= 599)
    ? undefined
    : "a list of statuses from 200 to 599";

export const policyChecks: Checks<PolicyOptions> = /* @__PURE__ */ (() => ({
  targetedFields: isFieldNames,
  credentialFields: isFieldNames,
  defaultTtl: orNull(isWindow),
  negativeTtl: orNull(isWindow),
  heuristicFraction: isFraction,
  heuristicLimit: isWindow,
  heuristicErrors: isBoolean,
  cacheableStatusCodes: orNull(isStatuses),
  staleWhileRevalidate: isWindow,
  staleIfError: isWindow,
  staleIfUnreachable: isBoolean,
  requestDirectives: isBoolean,
}))();

/** @throws {ConfigurationError} naming the option that is unknown or wrong */
export function makePolicy(options: PolicyOptions = {}): Policy {
  checkOptions<PolicyOptions>("httpCache", options, policyChecks);
  const { defaultTtl = policyDefaults.defaultTtl, negativeTtl = policyDefaults.negativeTtl } = options;
  const { cacheableStatusCodes = policyDefaults.cacheableStatusCodes } = options;
  return {
    targetedFields: (options.targetedFields ?? policyDefaults.targetedFields).map((name) => name.toLowerCase()),
    credentialFields: ["authorization", ...(options.credentialFields ?? []).map((name) => name.toLowerCase())],
    defaultTtlMs: defaultTtl === null ? undefined : toWindowMs(defaultTtl, "defaultTtl"),
    negativeTtlMs: negativeTtl === null ? undefined : toWindowMs(negativeTtl, "negativeTtl"),
    heuristicFraction: options.heuristicFraction ?? policyDefaults.heuristicFraction,
    heuristicLimitMs: toWindowMs(options.heuristicLimit ?? policyDefaults.heuristicLimit, "heuristicLimit"),
    heuristicErrors: options.heuristicErrors ?? policyDefaults.heuristicErrors,
    statuses: cacheableStatusCodes === null ? undefined : new Set(cacheableStatusCodes),
    staleWhileRevalidateMs: toWindowMs(
      options.staleWhileRevalidate ?? policyDefaults.staleWhileRevalidate,
      "staleWhileRevalidate",
    ),
    staleIfErrorMs: toWindowMs(options.staleIfError ?? policyDefaults.staleIfError, "staleIfError"),
    staleIfUnreachable: options.staleIfUnreachable ?? policyDefaults.staleIfUnreachable,
    requestDirectives: options.requestDirectives ?? policyDefaults.requestDirectives,
  };
}
