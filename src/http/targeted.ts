import { parseCacheControl } from "./cache-control.js";
import type { ResponseHead } from "./exchange.js";
import { type Fields, fieldValue, hasField } from "./fields.js";
import {
  fromCacheControl,
  fromDictionary,
  type ResponseDirectives,
  stricterDirectives,
} from "./response-directives.js";
import { parseStructuredDictionary } from "./structured.js";

/** What a response says about caching, wherever it says it. */
export interface CachePolicy {
  readonly directives: ResponseDirectives;
  /** Expires fields that count, each with its lines joined: the earliest of them does. */
  readonly expires: readonly string[];
  /** Whether it may be shared although its request was authorized. RFC 9111 §3.5. */
  readonly sharesAuthorized: boolean;
}

const SAYS_NOTHING = withSharing(fromCacheControl(parseCacheControl("")), undefined);

/**
 * What a response says about caching. Where middleware outside of the cache has said something, too, both count, and where
 * they differ the stricter one.
 * @param targetedFields in lower case, the most specific first
 */
export function cachePolicy({ fields, preset }: ResponseHead, targetedFields: readonly string[]): CachePolicy {
  const own = policyOf(fields, targetedFields);
  const outside = preset && policyOf(preset, targetedFields);
  return own && outside ? stricter(own, outside) : (own ?? outside ?? SAYS_NOTHING);
}

/** Whether fields say anything of caching, readable or not. */
export function speaksOfCaching(fields: Fields, targetedFields: readonly string[]): boolean {
  return ["cache-control", "expires", "pragma", ...targetedFields].some((name) => hasField(fields, name));
}

/** Whether what middleware outside has set keeps the response from being shared, whatever else it will say. */
export function forbidsSharing(preset: Fields, targetedFields: readonly string[]): boolean {
  const directives = policyOf(preset, targetedFields)?.directives;
  if (!directives) return false;
  return directives.private === true || (directives.noStore && !directives.mustUnderstand);
}

/**
 * The first targeted field that is a dictionary with a member decides alone; Cache-Control and Expires are then ignored.
 * RFC 9213 §2.2. `undefined` where no field says anything.
 */
export function policyOf(fields: Fields, targetedFields: readonly string[]): CachePolicy | undefined {
  for (const name of targetedFields) {
    const members = parseStructuredDictionary(fieldValue(fields, name) ?? "");
    if (members && members.size > 0) return withSharing(fromDictionary(members), undefined);
  }
  const control = fieldValue(fields, "cache-control");
  const expires = fieldValue(fields, "expires");
  if (control === undefined && expires === undefined) return undefined;
  return withSharing(fromCacheControl(parseCacheControl(control ?? "")), expires);
}

function withSharing(directives: ResponseDirectives, expires: string | undefined): CachePolicy {
  const isExplicit = directives.sMaxageMs !== undefined || directives.maxAgeMs !== undefined;
  return {
    directives,
    expires: isExplicit || expires === undefined ? [] : [expires],
    sharesAuthorized: directives.public || directives.mustRevalidate || directives.sMaxageMs !== undefined,
  };
}

function stricter(one: CachePolicy, other: CachePolicy): CachePolicy {
  return {
    directives: stricterDirectives(one.directives, other.directives),
    expires: [...one.expires, ...other.expires],
    sharesAuthorized: one.sharesAuthorized && other.sharesAuthorized,
  };
}
