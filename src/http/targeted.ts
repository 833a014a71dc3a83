import { parseCacheControl } from "./cache-control.js";
import { type Fields, fieldValue } from "./fields.js";
import { fromCacheControl, fromDictionary, type ResponseDirectives } from "./response-directives.js";
import { parseStructuredDictionary } from "./structured.js";

/** What a response says about caching, and where it says it. */
export interface CachePolicy {
  readonly directives: ResponseDirectives;
  /** The Expires field, its lines joined; `undefined` where it is absent, or to be ignored. */
  readonly expires: string | undefined;
}

/**
 * The first targeted field that is a dictionary with a member decides alone; Cache-Control and Expires are then ignored.
 * RFC 9213 §2.2.
 * @param targetedFields in lower case, the most specific first
 */
export function cachePolicy(fields: Fields, targetedFields: readonly string[]): CachePolicy {
  for (const name of targetedFields) {
    const members = parseStructuredDictionary(fieldValue(fields, name) ?? "");
    if (members && members.size > 0) return { directives: fromDictionary(members), expires: undefined };
  }
  const directives = fromCacheControl(parseCacheControl(fieldValue(fields, "cache-control") ?? ""));
  return { directives, expires: fieldValue(fields, "expires") };
}
