import type { Fields } from "./fields.js";

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
