import { type Cache, makeCache } from "./cache/cache.js";
import { type Caches, makeCaches } from "./cache/caches.js";
import type { CacheOptions } from "./cache/options.js";
import type { ChooseFactory } from "./cache/settings.js";
import { glide } from "./connection/glide.js";
import { memory } from "./connection/memory/memory.js";
import type { ConnectionFactory } from "./core/connection.js";

export type { KeyOptions } from "./cache/base.js";
export type { Cache, DeletePatternOptions, InvocationOptions, LockOptions, ScanOptions } from "./cache/cache.js";
export type { Caches } from "./cache/caches.js";
export type {
  EntriesInput,
  GetOptions,
  GetOrSetOptions,
  IncrOptions,
  Many,
  SetOptions,
  TtlOptions,
} from "./cache/entries.js";
export type { CacheOptions, FailureContext } from "./cache/options.js";
export type { ScanSetOptions, StoreOptions } from "./cache/sets.js";
export type {
  Client,
  ClientContext,
  ClientFactory,
  DeleteOptions,
  LoadOptions,
  WriteOptions,
} from "./client/client.js";
export { DefaultClient, defaultClient } from "./client/default-client.js";
export { HerdClient, herd } from "./client/herd/herd-client.js";
export type { HerdOptions } from "./client/herd/options.js";
export type { Loader, LoaderContext, ManyLoader } from "./client/loader.js";
export type { Lock } from "./client/lock.js";
export type { SetPage } from "./client/sets.js";
export type { Codec } from "./codec/codec.js";
export type { Encoded } from "./codec/encoded.js";
export { identity } from "./compressors/identity.js";
export { type GlideOptions, glide, glideCluster } from "./connection/glide.js";
export type { GlideLogLevel } from "./connection/glide-client.js";
export { type MemoryOptions, memory } from "./connection/memory/memory.js";
export type { ConnectionOptions, ReadFrom, TlsOptions } from "./connection/options.js";
export type { Clock } from "./core/clock.js";
export type { Compressor } from "./core/compressor.js";
export type {
  Argument,
  Command,
  Connection,
  ConnectionFactory,
  Reply,
  ScanOptions as ConnectionScanOptions,
  SendOptions,
} from "./core/connection.js";
export type { Duration } from "./core/duration.js";
export {
  CacheError,
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  KeyNotFoundError,
  LoaderTimeoutError,
  NotAnIntegerError,
  ReplyError,
  TimeoutError,
} from "./core/errors.js";
export type { CacheEvents, EventName, Listener } from "./core/events.js";
export type { Invocation } from "./core/invocation.js";
export { defaultKeyFunction, type Key, type KeyFunction, MadeKey, type ReverseKeyFunction } from "./core/key.js";
export type { Address, Location, Scheme } from "./core/location.js";
export type { MaybePromise } from "./core/maybe-promise.js";
export type { Call, Script } from "./core/script.js";
export type { Serializer } from "./core/serializer.js";
export { json } from "./serializers/json.js";

/**
 * Makes a cache; nothing is dialled before its first command.
 *
 * `memory:` is a store of its own for each cache, `memory:name` one that the process shares by name.
 * @throws {ConfigurationError} on wrong options
 */
export function createCache(options: CacheOptions): Cache {
  return makeCache(options, chooseFactory);
}

/**
 * Makes several caches, each when first used.
 * @param options the options of each cache, by alias
 * @param defaults what holds for every cache that does not say otherwise
 * @throws {ConfigurationError} on wrong options
 */
export function createCaches<Alias extends string>(
  options: Readonly<Record<Alias, CacheOptions>>,
  defaults: Partial<CacheOptions> = {},
): Caches<Alias> {
  return makeCaches(options, defaults, chooseFactory);
}

let named: ConnectionFactory | undefined;

const chooseFactory: ChooseFactory = (location, options) => {
  if (location.scheme !== "memory") return glide(options);
  if (location.path === "") return memory();
  named ??= memory();
  return named;
};
