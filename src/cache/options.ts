import type { ClientFactory } from "../client/client.js";
import { type ConnectionOptions, connectionChecks } from "../connection/options.js";
import type { ConnectionFactory } from "../core/connection.js";
import type { KeyFunction, ReverseKeyFunction } from "../core/key.js";
import {
  type Check,
  type Checks,
  isBoolean,
  isFunction,
  isImplementation,
  isInteger,
  isPositiveInteger,
  isString,
} from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import type { Compressor, Serializer } from "../core/value-format.js";

/** Where an error occurred that no caller got. */
export interface FailureContext {
  /** The cache method, such as `"get"` or `"sets.add"`. */
  readonly method: string;
  /** The stored key or the pattern; empty when there is none, or several. */
  readonly key: string;
}

export interface CacheOptions extends ConnectionOptions {
  /** A URL: `valkey://`, `valkeys://` (TLS), `redis://`, `rediss://`, `unix://` or `memory:`; or several, the primary first. */
  location: string | readonly string[];
  /** Lifetime of an entry that is given none: seconds, or a duration such as `"5m"`; `null` never expires. @default 300 */
  ttl?: Duration | null;
  /** Goes before every key. @default "" */
  keyPrefix?: string;
  /** The version in every key. @default 1 */
  version?: number;
  /** Makes keys. @default `prefix:version:key`, as Django does */
  keyFunction?: KeyFunction;
  /** Finds the user's key in a made one, for `keys` and `iterKeys`; wanted with `keyFunction`. @default what follows the version */
  reverseKeyFunction?: ReverseKeyFunction;
  /** Turns methods into commands: `defaultClient()`, or your own. @default defaultClient() */
  client?: ClientFactory;
  /** Gives connections: `glide()`, `glideCluster()`, `memory()`, or your own. @default by the location's scheme */
  connectionFactory?: ConnectionFactory;
  /** Turns values into bytes. @default json() */
  serializer?: Serializer;
  /** Makes them shorter. @default identity(), which does not */
  compressor?: Compressor;
  /** In bytes: a compressed value that would grow beyond it is a `DecodeError`. @default 67108864 (64 MiB) */
  maxDecompressedSize?: number;
  /** How many keys the server looks at for each batch of a scan. @default 1000 */
  scanCount?: number;
  /** When the store fails, answer what a miss answers instead of throwing. @default false */
  ignoreErrors?: boolean;
  /**
   * Called with every error that no caller gets: store errors that were answered instead of thrown, and whatever a loader,
   * a listener or the store throws in the background. What it throws or rejects with itself is ignored. @default none
   */
  onError?: (error: unknown, context: FailureContext) => void;
}

const isTtl: Check = (value, name) => {
  if (value === null) return undefined;
  try {
    toMs(value, name);
    return undefined;
  } catch {
    return 'seconds as a number, text such as "250ms", "90s", "5m", "2h", "1d", or null for ever';
  }
};

export const cacheChecks: Checks<CacheOptions> = {
  ...connectionChecks,
  // Read, and so checked, by parseLocation.
  location: () => undefined,
  ttl: isTtl,
  keyPrefix: isString,
  version: isInteger,
  keyFunction: isFunction,
  reverseKeyFunction: isFunction,
  client: (value) => (typeof value === "function" ? undefined : "defaultClient(), or a function that makes a client"),
  connectionFactory: isImplementation("a connection factory such as glide() or memory()", "connect"),
  serializer: isImplementation("a serializer such as json()", "serialize", "deserialize"),
  compressor: isImplementation("a compressor such as zlib()", "compress", "decompress", "recognizes"),
  maxDecompressedSize: isPositiveInteger,
  scanCount: isPositiveInteger,
  ignoreErrors: isBoolean,
  onError: isFunction,
};
