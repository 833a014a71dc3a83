import { type Fields, hasField } from "./fields.js";

/** The methods registered as safe (RFC 9110 §16.1.1). All others, also unknown ones, may change something. */
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "REPORT", "SEARCH"]);

/** Methods are case-sensitive: `get` is not GET. */
export function isSafe(method: string): boolean {
  return SAFE.has(method);
}

/** Whether a stored response to GET can answer it. RFC 9110 §§9.3.1, 9.3.2. */
export function isAnsweredFromStore(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Fields by which frameworks take one method for another. */
const METHOD_OVERRIDES = ["x-http-method", "x-http-method-override", "x-method-override"];

export function overridesMethod(request: Fields): boolean {
  return METHOD_OVERRIDES.some((name) => hasField(request, name));
}
