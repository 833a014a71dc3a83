import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isOneOf, isPositiveInteger, isWait, orNull } from "../core/options.js";
import { keepsRequestsApart } from "../core/runtime.js";
import { type Duration, toMs } from "../core/time.js";
import type { LoadListening } from "./listening.js";
import { Near } from "./near-cache.js";
import type { NearCacheFactory, NearContext, NearSettings } from "./port.js";

/** Options of `nearCache()`. Durations are seconds, or strings such as `"5m"`. */
export interface NearCacheOptions {
  /** The memory that entries may take, in bytes: keys, values and an overhead for each. The least recently used entries are evicted. @default 33554432 (32 MiB) */
  maxSize?: number | undefined;
  /** The maximum number of entries; `null` for as many as `maxSize` allows. @default null */
  maxEntries?: number | null | undefined;
  /** The longest lifetime of an entry in the process, where its own is longer; `null` for no limit. @default null */
  ttl?: Duration | null | undefined;
  /** How long after a change the old value may still be returned when no notification of the change arrives: the server is unreachable, or the process was suspended. @default "2s" */
  maxStaleness?: Duration | undefined;
  /**
   * `"copy"`: each caller gets a value of its own. `"shared"`: all callers get one deeply frozen value, which is faster. Values
   * that are not JSON-shaped, such as a `Map` or a `Date`, can't be frozen, and are copied.
   * @default "copy"
   */
  values?: "copy" | "shared" | undefined;
  /**
   * How the process learns that an entry has changed. `"tracking"`: the server sends a notification of every change, whoever
   * made it (`CLIENT TRACKING`). `"channel"`: near caches notify each other of their own writes (`PUBLISH`). `"ttl"`: there are
   * no notifications. With the last two, entries stay for `maxStaleness` at most.
   *
   * One that is given is used, or is an error. Otherwise it is the first of the three that the host and the server allow.
   * @default `"tracking"`; `"ttl"` in Workers, edge runtimes and AWS Lambda, and where the transport can't listen
   */
  invalidation?: "tracking" | "channel" | "ttl" | undefined;
}

export const nearCacheDefaults = {
  maxSize: 33_554_432,
  maxEntries: null,
  ttl: null,
  maxStaleness: "2s",
  values: "copy",
} as const satisfies Omit<Required<NearCacheOptions>, "invalidation">;

/**
 * @param loadList the class of lists of entries
 * @param load what listens, on hosts where something can
 * @throws {ConfigurationError} on wrong options
 */
export function nearCacheFactory(
  options: NearCacheOptions,
  loadList: NearSettings["loadList"],
  load?: LoadListening,
): NearCacheFactory {
  checkOptions<NearCacheOptions>("nearCache", options, {
    maxSize: isPositiveInteger,
    maxEntries: orNull(isPositiveInteger),
    ttl: orNull(isWait),
    maxStaleness: isWait,
    values: isOneOf("copy", "shared"),
    invalidation: isOneOf("tracking", "channel", "ttl"),
  });
  const { ttl = nearCacheDefaults.ttl, maxStaleness = nearCacheDefaults.maxStaleness, invalidation } = options;
  const settings: NearSettings = {
    maxSize: options.maxSize ?? nearCacheDefaults.maxSize,
    maxEntries: options.maxEntries ?? 0,
    ttlMs: ttl === null ? Number.POSITIVE_INFINITY : toMs(ttl, "ttl"),
    maxStalenessMs: toMs(maxStaleness, "maxStaleness"),
    shares: options.values === "shared",
    loadList,
    load,
    invalidation,
  };
  return (context) => {
    const { listener } = context;
    const cannot = whyNot(load ? listener : undefined);
    if (cannot !== undefined && (invalidation === "tracking" || invalidation === "channel")) {
      throw new ConfigurationError(
        `nearCache: option "invalidation" is "${invalidation}", and ${cannot}; leave it out, or give "ttl"`,
      );
    }
    const isShort = cannot !== undefined || (invalidation === undefined && isLambda());
    if (typeof listener === "string" && invalidation === undefined && !isLambda()) {
      context.report(
        new ConfigurationError(`nearCache: ${listener}; entries are kept for maxStaleness at most meanwhile`),
      );
    }
    return new Near(context, isShort ? { ...settings, invalidation: "ttl" } : settings);
  };
}

/** Why nothing can listen here; `undefined` where it can. */
function whyNot(listener: NearContext["listener"]): string | undefined {
  if (keepsRequestsApart()) return "no connection outlives a request here";
  if (typeof listener === "string") return listener;
  return listener ? undefined : "this connection factory opens no connections that listen";
}

/** There each instance answers one request at a time: a listener for each would double the connections of the server. */
function isLambda(): boolean {
  return globalThis.process?.env?.AWS_LAMBDA_FUNCTION_NAME !== undefined;
}
