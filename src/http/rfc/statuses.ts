/** Cacheable without explicit freshness. RFC 9110 §15.1. */
const HEURISTICALLY_CACHEABLE = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);

/** The final statuses of RFC 9110 §15 whose caching rules are followed here. */
const UNDERSTOOD = new Set([
  200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 305, 307, 308, 400, 402, 403, 404, 405, 406, 409, 410, 411,
  414, 415, 422, 500, 501, 502, 503, 504, 505,
]);

/**
 * Answers to something in the request that is not in its cache key: one client's would be given to all.
 * 304 answers a condition. 428, 429, 431 and 511 must not be stored (RFC 6585 §§3–6), nor 425 (RFC 8470 §5.2).
 */
const ABOUT_ONE_REQUEST = new Set([304, 401, 407, 408, 412, 413, 416, 417, 421, 425, 426, 428, 429, 431, 511]);

export function isFinal(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

export function isUnderstood(status: number): boolean {
  return UNDERSTOOD.has(status);
}

export function isHeuristicallyCacheable(status: number): boolean {
  return HEURISTICALLY_CACHEABLE.has(status);
}

export function isAboutOneRequest(status: number): boolean {
  return ABOUT_ONE_REQUEST.has(status);
}

export function isError(status: number): boolean {
  return status >= 400;
}

export function isServerError(status: number): boolean {
  return status >= 500;
}

/** The resource is not there: an answer for its URL, and not to something in one request. */
export function isGone(status: number): boolean {
  return status === 404 || status === 410;
}

/** Whether an option may give a response a lifetime: a success, and a redirection for good. */
export function takesDefaultLifetime(status: number): boolean {
  return (status >= 200 && status < 300) || status === 301 || status === 308;
}

/** RFC 5861 §4. */
export function isServerFailure(status: number): boolean {
  return status === 500 || status === 502 || status === 503 || status === 504;
}
