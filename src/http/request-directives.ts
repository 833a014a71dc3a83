import { type Directives, isPresent, parseCacheControl, seconds } from "./cache-control.js";
import { type Fields, fieldValue, hasField } from "./fields.js";

/** What a client asks of caches. RFC 9111 §5.2.1; times in milliseconds. */
export interface RequestDirectives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  /** 0 when invalid: then only a validated response will do. */
  readonly maxAgeMs: number | undefined;
  /** `Infinity` when the client takes any stale response; `undefined` when it takes none. */
  readonly maxStaleMs: number | undefined;
  readonly minFreshMs: number | undefined;
  /** RFC 5861 §4: for this request alone. */
  readonly staleIfErrorMs: number | undefined;
}

/** A request that asks nothing of caches. */
export const NO_WISHES: RequestDirectives = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAgeMs: undefined,
  maxStaleMs: undefined,
  minFreshMs: undefined,
  staleIfErrorMs: undefined,
};

/** `Pragma: no-cache` counts when there is no Cache-Control, as it was made for clients that don't know it. RFC 9111 §5.4. */
export function requestDirectives(fields: Fields): RequestDirectives {
  const value = fieldValue(fields, "cache-control");
  // As most requests come.
  if (value === undefined && !hasField(fields, "pragma")) return NO_WISHES;
  const directives = parseCacheControl(value ?? "");
  const pragma = value === undefined ? parseCacheControl(fieldValue(fields, "pragma") ?? "") : undefined;
  return {
    noStore: isPresent(directives, "no-store"),
    noCache: isPresent(directives, "no-cache") || (pragma !== undefined && isPresent(pragma, "no-cache")),
    onlyIfCached: isPresent(directives, "only-if-cached"),
    maxAgeMs: toMs(seconds(directives, "max-age"), 0),
    maxStaleMs: maxStale(directives),
    minFreshMs: toMs(seconds(directives, "min-fresh"), undefined),
    staleIfErrorMs: toMs(seconds(directives, "stale-if-error"), undefined),
  };
}

function maxStale(directives: Directives): number | undefined {
  const found = directives.all.filter((each) => each.name === "max-stale" && each.wellFormed);
  if (found.length > 0 && found.every((each) => each.argument === undefined)) return Number.POSITIVE_INFINITY;
  return toMs(seconds(directives, "max-stale"), undefined);
}

function toMs<T>(value: number | "invalid" | undefined, invalid: T): number | T | undefined {
  if (value === "invalid") return invalid;
  return value === undefined ? undefined : value * 1_000;
}
