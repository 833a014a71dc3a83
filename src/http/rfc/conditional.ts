import { dateMs, parseHttpDate } from "./age.js";
import { type Fields, fieldValue, hasField, trim, withoutFields } from "./message.js";

/** RFC 9110 §8.8.3. */
export interface EntityTag {
  readonly weak: boolean;
  /** With its quotes. A tag without them is none, but is kept, as it can still equal itself. */
  readonly opaque: string;
}

/** What stands before a quote and is not `W/`, as in `w/"a"`, makes a tag of its own, which equals no proper one. */
const TAG = /(?:W\/)?"[^"]*"|[^\s,"]+(?:"[^"]*")?/g;

export function parseEntityTag(text: string): EntityTag {
  const tag = trim(text);
  return tag.startsWith("W/") ? { weak: true, opaque: tag.slice(2) } : { weak: false, opaque: tag };
}

/** The tags in a list. A tag may hold commas, so the list can't be split at them. */
export function parseEntityTags(value: string): EntityTag[] {
  return Array.from(value.matchAll(TAG), ([text]) => parseEntityTag(text));
}

/** RFC 9110 §8.8.3.2. */
export function weaklyEqual(a: EntityTag, b: EntityTag): boolean {
  return a.opaque === b.opaque;
}

/** Only strong tags are strongly equal. */
export function stronglyEqual(a: EntityTag, b: EntityTag): boolean {
  return !a.weak && !b.weak && a.opaque === b.opaque;
}

/** What of a response a 304 leaves out: it describes a body that isn't sent. RFC 9110 §15.4.5. */
const REPRESENTATION = new Set([
  "content-digest",
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-range",
  "content-type",
]);

/** Preconditions that are the cache's to evaluate, and Range. RFC 9111 §4.3.2. */
const OF_THE_CACHE = new Set(["if-none-match", "if-modified-since", "if-range", "range"]);

/** A response that a request's conditions are held against. */
export interface Selected {
  readonly status: number;
  readonly fields: Fields;
  readonly responseTimeMs: number;
}

/**
 * Whether the client already has what it asks for, so that a 304 answers it. If-None-Match is compared weakly, and then
 * If-Modified-Since doesn't count. RFC 9110 §13.2.2, RFC 9111 §4.3.2.
 * @param request the fields of a GET or HEAD
 */
export function isNotModified(request: Fields, selected: Selected): boolean {
  if (selected.status !== 200) return false;
  const noneMatch = fieldValue(request, "if-none-match");
  if (noneMatch !== undefined) return matchesAny(noneMatch, selected.fields);
  const since = parseHttpDate(fieldValue(request, "if-modified-since") ?? "", selected.responseTimeMs);
  return since !== undefined && modifiedMs(selected) <= since;
}

function matchesAny(noneMatch: string, fields: Fields): boolean {
  if (noneMatch === "*") return true;
  const etag = fieldValue(fields, "etag");
  if (etag === undefined || etag === "") return false;
  const stored = parseEntityTag(etag);
  return parseEntityTags(noneMatch).some((tag) => weaklyEqual(tag, stored));
}

/** Without Last-Modified, Date says since when the response may be as it is; without that, its arrival does. */
function modifiedMs({ fields, responseTimeMs }: Selected): number {
  const modified = parseHttpDate(fieldValue(fields, "last-modified") ?? "", responseTimeMs);
  return modified ?? dateMs(fields, responseTimeMs);
}

/** The fields of a 304. Last-Modified stays where there is no ETag to do its work. RFC 9110 §15.4.5. */
export function notModifiedFields(fields: Fields): Fields {
  const left = hasField(fields, "etag") ? new Set([...REPRESENTATION, "last-modified"]) : REPRESENTATION;
  return withoutFields(fields, left);
}

/**
 * A request that asks the origin for all of the response, whatever its client has of it: the cache evaluates the client's
 * conditions and Range when it has the response. If-Match and If-Unmodified-Since, which only an origin may evaluate, stay.
 */
export function unconditional(request: Fields): Fields {
  return withoutFields(request, OF_THE_CACHE);
}

/** Whether a request has conditions that only an origin may evaluate. RFC 9111 §4.3.2. */
export function isForOrigin(request: Fields): boolean {
  return hasField(request, "if-match") || hasField(request, "if-unmodified-since");
}
