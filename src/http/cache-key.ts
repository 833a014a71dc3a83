import { hasControlCharacter } from "./fields.js";

export interface CacheKeyOptions {
  /** The hosts, with their ports, to store anything for, in lower case; `undefined` for any. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** In characters; a longer one is not looked up. */
  readonly maxUrlLength: number;
}

/** A key, or why there is none and the request goes to the origin. */
export type CacheKey =
  | { readonly key: string }
  | { readonly refused: "url-too-long" | "malformed-url" | "host-not-allowed" };

const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]+)([^#]*)/i;

/**
 * The key of a URL: its scheme, host and the rest as it is, neither decoded nor sorted, as two URLs that only look alike
 * may be two resources. Nothing that a client can set beside the URL takes part.
 * @param url absolute
 */
export function cacheKey(url: string, { hosts, maxUrlLength }: CacheKeyOptions): CacheKey {
  if (url.length > maxUrlLength) return { refused: "url-too-long" };
  const [, scheme, authority, rest] = ABSOLUTE.exec(url) ?? [];
  if (scheme === undefined || authority === undefined || rest === undefined || hasControlCharacter(url)) {
    return { refused: "malformed-url" };
  }
  const host = authority.toLowerCase();
  if (hosts && !hosts.has(host)) return { refused: "host-not-allowed" };
  return { key: joinParts([scheme.toLowerCase(), host, rest === "" ? "/" : rest]) };
}

/** Parts as one text, which no other parts have: each behind its length. */
export function joinParts(parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}
