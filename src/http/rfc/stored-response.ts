import { ageSeconds } from "./age.js";
import { appendCacheStatus } from "./cache-status.js";
import { type Fields, fieldValue, listMembers } from "./message.js";
import type { ResponseDirectives } from "./response-policy.js";

/**
 * What is kept of a response besides its body: all that later decisions need, worked out once, so that a hit parses no field.
 * Plain data, to be stored as it is. Times in milliseconds.
 */
export interface StoredResponse {
  readonly status: number;
  /** Without Age, Set-Cookie, and what belongs to one connection; always with Date. */
  readonly fields: Fields;
  /** When the response, or its last validation, arrived. */
  readonly responseTimeMs: number;
  /** How old it was then. RFC 9111 §4.2.3. */
  readonly initialAgeMs: number;
  /** Fresh while its age is below this. */
  readonly lifetimeMs: number;
  /** How long after its lifetime it may be served while it is validated, and when the origin answers with an error. */
  readonly staleWhileRevalidateMs: number;
  /** `undefined` when nothing was said: then only an unreachable origin may be made up for. */
  readonly staleIfErrorMs: number | undefined;
  /** Validated before each use: `no-cache`. */
  readonly alwaysValidate: boolean;
  /** Never served stale: `must-revalidate`, `proxy-revalidate`, `s-maxage`. RFC 9111 §4.2.4. */
  readonly neverStale: boolean;
  /** Not validated while fresh only because a client reloads. RFC 8246. */
  readonly immutable: boolean;
  /** The request fields that chose this response, in lower case, sorted; empty for a response without Vary. */
  readonly vary: readonly string[];
}

/** As sent, or `undefined`. */
export interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** Fields of one connection (RFC 9110 §7.6.1) or of one proxy (RFC 9111 §3.1), which are not passed on or stored. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Fields that describe the stored body, which a response without that body can't change. RFC 9111 §3.2. */
const ABOUT_THE_BODY = ["content-length", "content-encoding", "content-range"];

/** Fields that no response from the store may carry: one client's cookie is not another's. */
const NEVER_STORED = ["set-cookie", "age"];

/** What to keep of a response's fields. RFC 9111 §3.1. */
export function fieldsToStore(fields: Fields, directives: ResponseDirectives): Fields {
  const left = new Set([...HOP_BY_HOP, ...NEVER_STORED, ...listedInConnection(fields), ...limited(directives)]);
  return fields.filter(([name]) => !left.has(name));
}

/**
 * Stored fields with those of a newer response in their place. Age, which the newer response may carry, takes part,
 * as the new age is computed from the result. RFC 9111 §3.2.
 */
export function updateFields(stored: Fields, update: Fields): Fields {
  const left = new Set([...HOP_BY_HOP, ...ABOUT_THE_BODY, "set-cookie", ...listedInConnection(update)]);
  const newer = update.filter(([name]) => !left.has(name));
  const replaced = new Set(newer.map(([name]) => name));
  return [...stored.filter(([name]) => !replaced.has(name)), ...newer];
}

/** Fields to pass on to the next hop. RFC 9110 §7.6.1. */
export function withoutHopByHop(fields: Fields): Fields {
  const left = new Set([...HOP_BY_HOP, ...listedInConnection(fields)]);
  return fields.filter(([name]) => !left.has(name));
}

function listedInConnection(fields: Fields): string[] {
  return listMembers(fieldValue(fields, "connection") ?? "").map((name) => name.toLowerCase());
}

function limited({ noCache, private: isPrivate }: ResponseDirectives): string[] {
  return [noCache, isPrivate].flatMap((names) => (typeof names === "boolean" ? [] : names));
}

/** What all answers from one stored response have in common. */
export interface ServedFields {
  /** Without Age and Cache-Status. */
  readonly fields: Fields;
  /** The members that caches before this one have added to Cache-Status, with a comma behind each. */
  readonly members: string;
}

/** What is made once for all answers from one stored response that are that response as it is. */
export interface Template extends ServedFields {
  /** The fields that it was made of, and those that were left out. */
  readonly stored: Fields;
  readonly hidden: readonly string[];
  /** Its fields by name; `undefined` where a name comes twice. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly isText: boolean;
}

/** @param hidden not for clients */
export function servedFields(stored: Fields, hidden: readonly string[] = []): ServedFields {
  const fields = stored.filter(([name]) => name !== "cache-status" && name !== "age" && !hidden.includes(name));
  const members = stored.map(([name, value]) => (name === "cache-status" ? `${value}, ` : "")).join("");
  return { fields, members };
}

/** The fields of one answer, with its age now. */
export function withAge({ fields, members }: ServedFields, ageMs: number, cacheStatusMember: string): Fields {
  return [...fields, ["age", String(ageSeconds(ageMs))], ["cache-status", members + cacheStatusMember]];
}

/** The fields of an answer from the store: its own, Date among them, with its age now. RFC 9111 §4. @param hidden not for clients */
export function fieldsFromStore(
  stored: Fields,
  ageMs: number,
  cacheStatusMember: string,
  hidden?: readonly string[],
): Fields {
  return withAge(servedFields(stored, hidden), ageMs, cacheStatusMember);
}

/** The fields of an answer from the origin, as they are passed on. */
export function fieldsFromOrigin(response: Fields, cacheStatusMember: string, hidden: readonly string[] = []): Fields {
  const passed = withoutHopByHop(response).filter(([name]) => !hidden.includes(name));
  return appendCacheStatus(passed, cacheStatusMember);
}
