import {
  type Fields,
  fieldValue,
  hasControlCharacter,
  hasField,
  type RequestHead,
  type ResponseHead,
  trim,
} from "./message.js";
import { parseStructuredStrings } from "./structured.js";

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

/** What a stored response can be purged by besides its URL. */
export interface Labels {
  /** From Cache-Tag (separated by commas) and Surrogate-Key (separated by white space); they hold in all of the cache. */
  readonly tags: readonly string[];
  /** From Cache-Groups; they hold within the response's origin. RFC 9875 §2. */
  readonly groups: readonly string[];
  /** Its host, and the paths that it is under. */
  readonly prefixes: readonly string[];
}

export const NO_LABELS: Labels = { tags: [], groups: [], prefixes: [] };

/**
 * As many labels as a response can have, and as long. RFC 9875 §2 asks for 32 of 32 characters at least.
 * A response with more can't be stored: it could not be found again to purge it.
 */
const MAX_LABELS = 128;
const MAX_LABEL_LENGTH = 1_024;

/**
 * `undefined` when there are too many, or one is too long.
 * @param preset what middleware outside has set, whose labels count, too
 */
export function responseLabels(own: Fields, preset: Fields = []): Labels | undefined {
  const fields = preset.length > 0 ? [...own, ...preset] : own;
  // Split at commas alone: a tag may have spaces, and a quote begins nothing.
  const tags = (fieldValue(fields, "cache-tag") ?? "")
    .split(",")
    .map(trim)
    .filter((tag) => tag !== "");
  const keys = (fieldValue(fields, "surrogate-key") ?? "").split(/[\s,]+/).filter((key) => key !== "");
  const labels = { tags: [...new Set([...tags, ...keys])], groups: strings(fields, "cache-groups"), prefixes: [] };
  const all = [...labels.tags, ...labels.groups];
  const isTooMuch = all.length > MAX_LABELS || all.some((label) => label.length > MAX_LABEL_LENGTH);
  return isTooMuch || all.some(hasControlCharacter) ? undefined : labels;
}

/** The groups that a response makes invalid in its origin: those of Cache-Group-Invalidation, unless the method is safe. RFC 9875 §3. */
export function invalidatedGroups(method: string, response: Fields): string[] {
  return isSafe(method) ? [] : strings(response, "cache-group-invalidation");
}

function strings(fields: Fields, name: string): string[] {
  return parseStructuredStrings(fieldValue(fields, name) ?? "") ?? [];
}

/**
 * The URLs whose stored responses an exchange makes invalid: after a success or redirection of a method that isn't safe,
 * its own, and those in Location and Content-Location that are of the same origin. Without fragments. RFC 9111 §4.4.
 */
export function invalidatedUrls(request: RequestHead, response: ResponseHead): string[] {
  if (isSafe(request.method) || response.status < 200 || response.status >= 400) return [];
  if (!URL.canParse(request.url)) return [];
  const target = new URL(request.url);
  const named = ["location", "content-location"].map((name) => fieldValue(response.fields, name));
  const urls = [target, ...named.map((location) => sameOrigin(location, target))];
  return [...new Set(urls.filter((url) => url !== undefined).map(withoutFragment))];
}

/** Responses of another origin must not be invalidated: that would let one site empty another's cache. */
function sameOrigin(location: string | undefined, target: URL): URL | undefined {
  if (location === undefined || !URL.canParse(location, target.href)) return undefined;
  const url = new URL(location, target);
  return url.protocol === target.protocol && url.host === target.host ? url : undefined;
}

function withoutFragment(url: URL): string {
  const [text = ""] = url.href.split("#", 1);
  return text;
}
