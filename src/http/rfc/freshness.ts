import { dateMs, parseHttpDate } from "./age.js";
import { isPresent, parseCacheControl } from "./cache-control.js";
import { fieldValue, type ResponseHead } from "./message.js";
import type { Policy } from "./policy.js";
import type { CachePolicy } from "./response-policy.js";
import { isError, isGone, isHeuristicallyCacheable, takesDefaultLifetime } from "./statuses.js";

/** For how long a response is fresh from when it was made, in milliseconds, and on whose word. */
export interface Lifetime {
  readonly ms: number;
  readonly from: "explicit" | "default" | "heuristic" | "none";
}

/**
 * RFC 9111 §4.2.1: `s-maxage`, `max-age`, Expires less Date; failing these the cache's own default, then §4.2.2's heuristic.
 * @param responseTimeMs when the response arrived
 */
export function freshnessLifetime(
  response: ResponseHead,
  said: CachePolicy,
  policy: Policy,
  responseTimeMs: number,
): Lifetime {
  const madeMs = dateMs(response.fields, responseTimeMs);
  const explicitMs = [
    said.directives.sMaxageMs ?? said.directives.maxAgeMs,
    ...said.expires.map((expires) => expiresMs(expires, madeMs)),
  ].filter((ms) => ms !== undefined);
  if (explicitMs.length > 0) return { ms: Math.min(...explicitMs), from: "explicit" };
  if (hasPragmaNoCache(response)) return { ms: 0, from: "none" };
  const defaultMs = defaultLifetimeMs(response, policy);
  if (defaultMs !== undefined) return { ms: defaultMs, from: "default" };
  const heuristicMs = heuristicLifetimeMs(response, said, policy, madeMs);
  return heuristicMs > 0 ? { ms: heuristicMs, from: "heuristic" } : { ms: 0, from: "none" };
}

function defaultLifetimeMs({ status }: ResponseHead, policy: Policy): number | undefined {
  if (takesDefaultLifetime(status)) return policy.defaultTtlMs;
  return isGone(status) ? policy.negativeTtlMs : undefined;
}

/** An Expires that is no date, or more than one, has passed. RFC 9111 §§4.2.1, 5.3. */
function expiresMs(value: string, madeMs: number): number {
  const expires = parseHttpDate(value, madeMs);
  return expires === undefined ? 0 : Math.max(0, expires - madeMs);
}

function heuristicLifetimeMs(response: ResponseHead, said: CachePolicy, policy: Policy, madeMs: number): number {
  if (!isHeuristicallyCacheable(response.status) && !said.directives.public) return 0;
  if (isError(response.status) && !policy.heuristicErrors) return 0;
  const modifiedMs = parseHttpDate(fieldValue(response.fields, "last-modified") ?? "", madeMs);
  if (modifiedMs === undefined) return 0;
  return Math.min(Math.max(0, madeMs - modifiedMs) * policy.heuristicFraction, policy.heuristicLimitMs);
}

/** Never specified for responses (RFC 9111 §5.4), but enough of a word against guessing a lifetime. */
function hasPragmaNoCache({ fields, preset = [] }: ResponseHead): boolean {
  return isPresent(parseCacheControl(fieldValue([...fields, ...preset], "pragma") ?? ""), "no-cache");
}
