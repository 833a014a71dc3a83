import { joinParts } from "../../core/text.js";
import { type Fields, fieldValue, hasControlCharacter, isListed } from "./message.js";

/**
 * The target of a request (RFC 9110 §7.1): what its key is made of, and all that the origin, a background refresh and a
 * purge see of the URL. Written as the WHATWG URL standard serialises it, and changed in no other way.
 */
export interface Target {
  /** Absolute, without a fragment. */
  readonly url: string;
  /** `"http"` or `"https"`. */
  readonly scheme: string;
  /** The host, with the port where it is not the scheme's own: what the request's Host field has to say. */
  readonly host: string;
  /** The path and the query: what comes after the host. */
  readonly path: string;
}

const ABSOLUTE = /^https?:\/\/[^/?#\\]/i;
/** A path and a query of which the URL standard changes nothing, unless the path has dot segments. */
const UNCHANGED = /^(https?):\/\/([a-z0-9.:-]+)(\/[\w\-.~!$&'()*+,;=:@%/]*(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?)$/;
const AFTER_AUTHORITY = /^[^:]+:\/\/[^/?#]*([^#]*)/;
const DOT_SEGMENT = /\/(?:\.|%2e)/i;

/** Authorities that the URL standard is known to leave as they are, by scheme. Bounded, as clients choose what is in it. */
const unchanged = new Set<string>();
const MAX_UNCHANGED = 256;

/** @param url absolute @returns `undefined` for what is no http or https URL, or has user information or control characters */
export function toTarget(url: string): Target | undefined {
  const match = UNCHANGED.exec(url);
  const [, scheme = "", host = "", path = ""] = match ?? [];
  // Most URLs come as they are to be: reading them by the standard costs as much as the rest of a hit's key.
  if (match && unchanged.has(`${scheme}:${host}`) && !DOT_SEGMENT.test(path)) return { url, scheme, host, path };
  const target = parse(url);
  if (target && match && target.host === host) remember(`${scheme}:${host}`);
  return target;
}

function parse(url: string): Target | undefined {
  if (!ABSOLUTE.test(url) || hasControlCharacter(url) || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.username !== "" || parsed.password !== "" || parsed.host === "") return undefined;
  parsed.hash = "";
  const { href, protocol, host, origin } = parsed;
  return { url: href, scheme: protocol.slice(0, -1), host, path: href.slice(origin.length) };
}

function remember(authority: string): void {
  if (unchanged.size >= MAX_UNCHANGED) unchanged.clear();
  unchanged.add(authority);
}

/** Whether a framework that routes by the path and the query as they came went where the target leads. */
export function isRoutedAs(url: string, { url: normal, path }: Target): boolean {
  if (url === normal) return true;
  const [, came = ""] = AFTER_AUTHORITY.exec(url) ?? [];
  return came === path || `/${came}` === path;
}

/**
 * Whether the Host lines of a request say what its target does, or nothing. They don't in an absolute-form request line with
 * another Host (RFC 9112 §3.2.2), in HTTP/2 with another `:authority` (RFC 9113 §8.3.1), on two lines, in another case, or
 * with the scheme's own port.
 */
export function saysTarget(fields: Fields, { host }: Target): boolean {
  const said = fieldValue(fields, "host");
  return said === undefined || said === host;
}

/** Which URLs have a key, and how their queries are normalised. */
export interface CacheKeyOptions {
  /** The hosts, with their ports, to store anything for, in lower case; `undefined` for any. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** In characters; a longer one is not looked up. */
  readonly maxUrlLength: number;
  /** How queries are normalised; `undefined` for not at all. */
  readonly query: QueryRules | undefined;
}

/** A key and the target that it stands for, or why there is none and the request goes to the origin. */
export type CacheKey =
  | { readonly key: string; readonly target: Target }
  | { readonly refused: "url-too-long" | "malformed-url" | "host-not-allowed" };

/**
 * The key of a URL: the parts of its target, neither decoded nor sorted, as two URLs that only look alike may be two
 * resources. Nothing that a client can set beside the URL takes part.
 * @param url absolute
 */
export function cacheKey(url: string, { hosts, maxUrlLength, query }: CacheKeyOptions): CacheKey {
  if (url.length > maxUrlLength) return { refused: "url-too-long" };
  const written = toTarget(url);
  if (!written) return { refused: "malformed-url" };
  const target = query ? withQuery(written, query) : written;
  const { scheme, host, path } = target;
  if (hosts && !hosts.has(host)) return { refused: "host-not-allowed" };
  return { key: joinParts([scheme, host, path]), target };
}

/** A target with its query normalised. */
export function withQuery(target: Target, rules: QueryRules): Target {
  const path = normalizeQuery(target.path, rules);
  return path === target.path ? target : { ...target, path, url: `${target.scheme}://${target.host}${path}` };
}

/** As many segments of a path as have a prefix each. */
const MAX_SEGMENTS = 16;

/** The host of a target, and each path of it in whole segments, the shortest first. */
export function prefixesOf({ scheme, host, path }: Target): string[] {
  const [plain = ""] = path.split("?", 1);
  const segments = plain.split("/").filter((segment) => segment !== "");
  const origin = `${scheme}://${host}`;
  return [
    origin,
    ...segments.slice(0, MAX_SEGMENTS).map((_none, i) => `${origin}/${segments.slice(0, i + 1).join("/")}`),
  ];
}

/** How queries are normalised before they are part of the key. */
export interface QueryRules {
  /** Parameters to remove, by name; a name may end in `*`. */
  readonly remove?: readonly string[] | undefined;
  /** Sort parameters by name; those of one name keep their order. @default false */
  readonly sort?: boolean | undefined;
}

/** A path with its query normalised. Names and values are compared as they are written, and not decoded. */
export function normalizeQuery(path: string, { remove = [], sort = false }: QueryRules): string {
  const start = path.indexOf("?");
  if (start < 0) return path;
  const given = path.slice(start + 1);
  const kept = given.split("&").filter((pair) => !isListed(nameOf(pair), remove));
  if (sort) kept.sort((a, b) => compare(nameOf(a), nameOf(b)));
  const query = kept.join("&");
  return query === given ? path : path.slice(0, start) + (query === "" ? "" : `?${query}`);
}

function nameOf(pair: string): string {
  const [name = ""] = pair.split("=", 1);
  return name;
}

/** By code units, so that every process sorts alike. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
