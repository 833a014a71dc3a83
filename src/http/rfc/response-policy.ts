import {
  type Directives,
  deltaSeconds,
  fieldNames,
  isGranted,
  isPresent,
  limitedTo,
  parseCacheControl,
  seconds,
} from "./cache-control.js";
import { type Fields, fieldValue, hasField, type ResponseHead } from "./message.js";
import { type Member, parseStructuredDictionary } from "./structured.js";

/** The directives of a response for caches. Windows and lifetimes in milliseconds. */
export interface ResponseDirectives {
  readonly noStore: boolean;
  /** `true` for all of the response, a list for fields that must not be reused. */
  readonly noCache: boolean | readonly string[];
  /** `true` for all of the response, a list for fields that must not be shared. */
  readonly private: boolean | readonly string[];
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly immutable: boolean;
  /** `undefined` when absent; 0, which is stale, when invalid. */
  readonly maxAgeMs: number | undefined;
  readonly sMaxageMs: number | undefined;
  /** `undefined` when absent or invalid. */
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
}

/** From Cache-Control. RFC 9111 §5.2.2, RFC 5861, RFC 8246. */
export function fromCacheControl(directives: Directives): ResponseDirectives {
  return {
    noStore: isPresent(directives, "no-store") || directives.unreadable,
    noCache: limitedTo(directives, "no-cache"),
    private: limitedTo(directives, "private"),
    public: isGranted(directives, "public"),
    mustRevalidate: isPresent(directives, "must-revalidate"),
    proxyRevalidate: isPresent(directives, "proxy-revalidate"),
    mustUnderstand: isGranted(directives, "must-understand") && !directives.unreadable,
    immutable: isGranted(directives, "immutable"),
    maxAgeMs: lifetime(seconds(directives, "max-age")),
    sMaxageMs: lifetime(seconds(directives, "s-maxage")),
    staleWhileRevalidateMs: window(seconds(directives, "stale-while-revalidate")),
    staleIfErrorMs: window(seconds(directives, "stale-if-error")),
  };
}

/** From a targeted field. A value of another type than the directive's is not there. RFC 9213 §2.1. */
export function fromDictionary(members: ReadonlyMap<string, Member>): ResponseDirectives {
  const isTrue = (name: string): boolean => {
    const member = members.get(name);
    return member?.type === "boolean" && member.value;
  };
  const limit = (name: string): boolean | readonly string[] => {
    const member = members.get(name);
    return member?.type === "string" ? (fieldNames(member.value) ?? true) : isTrue(name);
  };
  const integer = (name: string): number | "invalid" | undefined => {
    const member = members.get(name);
    if (member?.type !== "integer") return undefined;
    return deltaSeconds(String(member.value)) ?? "invalid";
  };
  return {
    noStore: isTrue("no-store"),
    noCache: limit("no-cache"),
    private: limit("private"),
    public: isTrue("public"),
    mustRevalidate: isTrue("must-revalidate"),
    proxyRevalidate: isTrue("proxy-revalidate"),
    mustUnderstand: isTrue("must-understand"),
    immutable: isTrue("immutable"),
    maxAgeMs: lifetime(integer("max-age")),
    sMaxageMs: lifetime(integer("s-maxage")),
    staleWhileRevalidateMs: window(integer("stale-while-revalidate")),
    staleIfErrorMs: window(integer("stale-if-error")),
  };
}

/** What holds where two speak of one response: what either of them restricts, and what both of them permit. */
export function stricterDirectives(one: ResponseDirectives, other: ResponseDirectives): ResponseDirectives {
  const lifetimeMs = least(one.sMaxageMs ?? one.maxAgeMs, other.sMaxageMs ?? other.maxAgeMs);
  const isForShared = one.sMaxageMs !== undefined || other.sMaxageMs !== undefined;
  return {
    noStore: one.noStore || other.noStore,
    noCache: bothLimits(one.noCache, other.noCache),
    private: bothLimits(one.private, other.private),
    public: one.public && other.public,
    mustRevalidate: one.mustRevalidate || other.mustRevalidate,
    proxyRevalidate: one.proxyRevalidate || other.proxyRevalidate,
    mustUnderstand: one.mustUnderstand && other.mustUnderstand,
    immutable: one.immutable && other.immutable,
    maxAgeMs: lifetimeMs,
    sMaxageMs: isForShared ? lifetimeMs : undefined,
    staleWhileRevalidateMs: least(one.staleWhileRevalidateMs, other.staleWhileRevalidateMs),
    staleIfErrorMs: least(one.staleIfErrorMs, other.staleIfErrorMs),
  };
}

type Limit = boolean | readonly string[];

function bothLimits(one: Limit, other: Limit): Limit {
  if (one === true || other === true) return true;
  const names = [one, other].flatMap((limit) => (typeof limit === "boolean" ? [] : limit));
  return names.length > 0 ? [...new Set(names)] : false;
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** Invalid freshness is stale. RFC 9111 §4.2.1. */
function lifetime(value: number | "invalid" | undefined): number | undefined {
  return value === "invalid" ? 0 : value && value * 1_000;
}

/** An invalid permission permits nothing. */
function window(value: number | "invalid" | undefined): number | undefined {
  return value === "invalid" ? undefined : value && value * 1_000;
}

/** What a response says about caching, wherever it says it. */
export interface CachePolicy {
  readonly directives: ResponseDirectives;
  /** Expires fields that count, each with its lines joined: the earliest of them does. */
  readonly expires: readonly string[];
  /** Whether it may be shared although its request was authorized. RFC 9111 §3.5. */
  readonly sharesAuthorized: boolean;
}

const SAYS_NOTHING = /* @__PURE__ */ (() => withSharing(fromCacheControl(parseCacheControl("")), undefined))();

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
