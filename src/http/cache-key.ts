import { type Target, toTarget } from "./target.js";

export interface CacheKeyOptions {
  /** The hosts, with their ports, to store anything for, in lower case; `undefined` for any. */
  readonly hosts: ReadonlySet<string> | undefined;
  /** In characters; a longer one is not looked up. */
  readonly maxUrlLength: number;
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
export function cacheKey(url: string, { hosts, maxUrlLength }: CacheKeyOptions): CacheKey {
  if (url.length > maxUrlLength) return { refused: "url-too-long" };
  const target = toTarget(url);
  if (!target) return { refused: "malformed-url" };
  const { scheme, host, path } = target;
  if (hosts && !hosts.has(host)) return { refused: "host-not-allowed" };
  return { key: joinParts([scheme, host, path]), target };
}

/** Parts as one text, which no other parts have: each behind its length. */
export function joinParts(parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}
