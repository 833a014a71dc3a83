import { currentAgeMs } from "./age.js";
import { NO_DIRECTIVES, type RequestDirectives } from "./cache-control.js";
import type { Policy } from "./policy.js";
import { isServerFailure } from "./statuses.js";
import type { StoredResponse } from "./stored-response.js";

/** What is known of the stored response besides itself. */
export interface Candidate {
  readonly stored: StoredResponse;
  /** It was invalidated, or softly purged: to be validated before any use, whatever it says. RFC 9111 §4.4. */
  readonly invalid: boolean;
}

/** What to do with a request for which a response is stored that matches it. */
export type Decision =
  /** Answer from the store, and where `revalidate` is set ask the origin afterwards. */
  | {
      readonly action: "serve";
      readonly why: ServeReason;
      readonly revalidate: boolean;
      readonly ageMs: number;
      readonly ttlMs: number;
    }
  /** Ask the origin first, with the stored validators. */
  | { readonly action: "validate"; readonly why: "stale" | "request"; readonly ageMs: number; readonly ttlMs: number }
  /** The client wants no answer but a stored one, and this one won't do: 504. RFC 9111 §5.2.1.7. */
  | { readonly action: "gateway-timeout" };

/** Why a stored response may be served. */
export type ServeReason = "fresh" | "stale-while-revalidate" | "max-stale";

/** RFC 9111 §4, for a stored response that matches the request's URL, method and selecting fields. */
export function decide(candidate: Candidate, request: RequestDirectives, policy: Policy, nowMs: number): Decision {
  const { stored } = candidate;
  const ageMs = currentAgeMs(stored, nowMs);
  const ttlMs = stored.lifetimeMs - ageMs;
  const directives = policy.requestDirectives ? request : NO_DIRECTIVES;
  const isFresh = ttlMs > 0 && !stored.alwaysValidate && !candidate.invalid;
  if (isFresh && isFreshEnough(stored, directives, ageMs, ttlMs)) {
    return { action: "serve", why: "fresh", revalidate: false, ageMs, ttlMs };
  }
  const stale = isFresh ? undefined : staleReason(candidate, directives, ageMs, -ttlMs);
  if (stale) return { action: "serve", why: stale, revalidate: stale === "stale-while-revalidate", ageMs, ttlMs };
  if (request.onlyIfCached) return { action: "gateway-timeout" };
  return { action: "validate", why: isFresh ? "request" : "stale", ageMs, ttlMs };
}

/** RFC 9111 §5.2.1. A reload's `max-age=0` doesn't reach what is immutable; a forced reload's `no-cache` does. RFC 8246 §2. */
function isFreshEnough(stored: StoredResponse, directives: RequestDirectives, ageMs: number, ttlMs: number): boolean {
  if (directives.noCache || ttlMs < (directives.minFreshMs ?? 0)) return false;
  const reload = directives.maxAgeMs === 0;
  if (reload) return stored.immutable;
  return ageMs <= (directives.maxAgeMs ?? Number.POSITIVE_INFINITY);
}

function staleReason(
  candidate: Candidate,
  directives: RequestDirectives,
  ageMs: number,
  staleMs: number,
): ServeReason | undefined {
  if (!mayBeStale(candidate) || directives.noCache || directives.minFreshMs !== undefined) return undefined;
  if (directives.maxStaleMs !== undefined && staleMs <= directives.maxStaleMs) {
    return ageMs <= (directives.maxAgeMs ?? Number.POSITIVE_INFINITY) ? "max-stale" : undefined;
  }
  // A client that limits the age wants nothing stale, unless it says so. RFC 9111 §5.2.1.1.
  if (directives.maxAgeMs !== undefined) return undefined;
  return staleMs < candidate.stored.staleWhileRevalidateMs ? "stale-while-revalidate" : undefined;
}

/** RFC 9111 §4.2.4. */
function mayBeStale({ stored, invalid }: Candidate): boolean {
  return !invalid && !stored.neverStale && !stored.alwaysValidate;
}

/** How the origin failed: with a status, or without any answer. */
export type Failure = { readonly status: number } | "unreachable";

/**
 * Whether a stored response may take the place of a failure of the origin, when it was asked to validate that response.
 * RFC 5861 §4, RFC 9111 §§4.2.4, 4.3.3.
 */
export function mayReplaceFailure(
  candidate: Candidate,
  failure: Failure,
  request: RequestDirectives,
  policy: Policy,
  nowMs: number,
): boolean {
  const directives = policy.requestDirectives ? request : NO_DIRECTIVES;
  if (!mayBeStale(candidate) || directives.noCache) return false;
  if (failure !== "unreachable" && !isServerFailure(failure.status)) return false;
  const staleMs = currentAgeMs(candidate.stored, nowMs) - candidate.stored.lifetimeMs;
  const windowMs = directives.staleIfErrorMs ?? candidate.stored.staleIfErrorMs;
  if (windowMs !== undefined) return staleMs < windowMs;
  return failure === "unreachable" && policy.staleIfUnreachable;
}

/**
 * For how long from now a stored response can be of use, in milliseconds.
 * @param graceMs how long to keep one that may no longer be served, to be validated, or for when the origin is unreachable
 */
export function usefulMs(stored: StoredResponse, graceMs: number, nowMs: number): number {
  const freshMs = stored.lifetimeMs - currentAgeMs(stored, nowMs);
  const staleMs = stored.neverStale ? 0 : Math.max(stored.staleWhileRevalidateMs, stored.staleIfErrorMs ?? 0);
  return Math.max(freshMs + staleMs, Math.max(freshMs, 0) + graceMs);
}
