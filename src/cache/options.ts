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
import type { NearCacheFactory } from "../near/port.js";

/** Where an error occurred that no caller got. */
export interface FailureContext {
  /** The cache method, such as `"get"` or `"sets.add"`. */
  readonly method: string;
  /** The stored key or the pattern; empty when there is none, or several. */
  readonly key: string;
}

/** Where warnings go: `console`, a pino logger, or anything with a method `warn`. */
export interface Logger {
  warn(message: string): void;
}

/** Options of a cache whose connection factory knows where to connect, as `rest({ url, token })` does. */
export interface LocatedCacheOptions extends Omit<CacheOptions, "location"> {
  /** The location is the connection factory's own. */
  location?: undefined;
  /** How to connect, with the location to connect to. */
  connectionFactory: ConnectionFactory & { readonly location: string };
}

/** Options of `createCache`. Durations are seconds, or strings such as `"5m"`. */
export interface CacheOptions extends ConnectionOptions {
  /**
   * Where the cache is kept: `valkey://`, `valkeys://` (TLS), `redis://`, `rediss://`, `unix://`, `memory:`, or `https://` for `rest()`. Several URLs
   * are a list, or separated by commas, with the primary first.
   */
  location: string | readonly string[];
  /** Lifetime of entries that are written without a `ttl`; `null` never expires. @default 300 */
  ttl?: Duration | null | undefined;
  /** Text before every key. @default "" */
  keyPrefix?: string | undefined;
  /** The version in every key. @default 1 */
  version?: number | undefined;
  /** Joins key, prefix and version into the stored key; for the key `""` into that of the purge log, which no entry may have. @default `prefix:version:key`, as Django does */
  keyFunction?: KeyFunction | undefined;
  /** Finds the user's key in a stored key, for `keys` and `iterKeys`; needed with `keyFunction`. @default the text after the version */
  reverseKeyFunction?: ReverseKeyFunction | undefined;
  /** Turns methods into commands: `defaultClient()`, `herd()`, or your own. @default `defaultClient()` */
  client?: ClientFactory | undefined;
  /** Keeps entries in the process, in front of the client: `nearCache()`. @default none */
  nearCache?: NearCacheFactory | undefined;
  /** Opens connections: `glide()`, `glideCluster()`, `iovalkey()`, `sentinel()`, `rest()`, `memory()`, or your own. @default by the location's scheme */
  connectionFactory?: ConnectionFactory | undefined;
  /** Turns values into bytes: `json()`, `msgpack()`, `structuredClone()`, or your own. @default `json()` */
  serializer?: Serializer | undefined;
  /** Compresses serialized values: `zlib()`, `zstd()` and others, or your own. @default `identity()`, which does not compress */
  compressor?: Compressor | undefined;
  /** In bytes: reading a compressed value that would grow larger throws a `DecodeError`. Storing a larger value with a compressor throws an `EncodeError`. @default 67108864 (64 MiB) */
  maxDecompressedSize?: number | undefined;
  /** How many keys the server looks at for each batch of a scan. @default 1000 */
  scanCount?: number | undefined;
  /** When the store fails, return what a miss returns instead of throwing. @default false */
  ignoreErrors?: boolean | undefined;
  /**
   * Called with every error that no caller gets: store errors that were ignored, and what a loader, a listener or the store
   * throws in the background. Errors that it throws itself are ignored. @default a warning to `logger`
   */
  onError?: ((error: unknown, context: FailureContext) => void) | undefined;
  /**
   * Where the cache warns of the errors that `onError` would get: of the first one, and then at most once a minute. Anything
   * with a method `warn`, such as a pino logger; `false` for no warnings. @default `console`
   */
  logger?: Logger | false | undefined;
}

export const cacheDefaults = {
  ttl: 300,
  keyPrefix: "",
  version: 1,
  maxDecompressedSize: 67_108_864,
  scanCount: 1_000,
  ignoreErrors: false,
} as const satisfies Partial<CacheOptions>;

const isTtl: Check = (value, name) => {
  if (value === null) return undefined;
  try {
    toMs(value, name);
    return undefined;
  } catch {
    return 'seconds as a number, a string such as "250ms", "90s", "5m", "2h", "1d", or null to never expire';
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
  nearCache: (value) => (typeof value === "function" ? undefined : "nearCache()"),
  connectionFactory: isImplementation("a connection factory such as glide() or memory()", "connect"),
  serializer: isImplementation("a serializer such as json()", "serialize", "deserialize"),
  compressor: isImplementation("a compressor such as zlib()", "compress", "decompress", "recognizes"),
  maxDecompressedSize: isPositiveInteger,
  scanCount: isPositiveInteger,
  ignoreErrors: isBoolean,
  onError: isFunction,
  logger: (value) =>
    value === false ? undefined : isImplementation("a logger such as console, or false", "warn")(value, "logger"),
};
