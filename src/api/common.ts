// What the entry points of all runtimes have in common.
export type { KeyOptions } from "../cache/base.js";
export type { Cache, DeletePatternOptions, InvocationOptions, LockOptions, ScanOptions } from "../cache/cache.js";
export type { Caches } from "../cache/caches.js";
export type {
  EntriesInput,
  GetOptions,
  GetOrSetOptions,
  IncrOptions,
  Many,
  SetOptions,
  TtlOptions,
} from "../cache/entry-options.js";
export type { Health } from "../cache/health.js";
export type { CacheOptions, FailureContext } from "../cache/options.js";
export type { ScanSetOptions, StoreOptions } from "../cache/sets.js";
export type {
  Client,
  ClientContext,
  ClientFactory,
  DeleteOptions,
  LoadOptions,
  WriteOptions,
} from "../client/client.js";
export { DefaultClient, defaultClient } from "../client/default-client.js";
export { HerdClient, herd } from "../client/herd/client.js";
export type { HerdOptions } from "../client/herd/options.js";
export type { Loader, LoaderContext, ManyLoader } from "../client/loader.js";
export type { Lock } from "../client/lock.js";
export type { SetPage } from "../client/sets.js";
export type { Codec } from "../codec/codec.js";
export type { Encoded } from "../codec/envelope.js";
export { identity } from "../compressors/identity.js";
export { type MemoryOptions, memory } from "../connection/memory/factory.js";
export type { ConnectionOptions, ReadFrom, TlsOptions } from "../connection/options.js";
export type {
  Argument,
  Call,
  Command,
  Connection,
  ConnectionFactory,
  ConnectionStatus,
  Invocation,
  Reply,
  ScanOptions as ConnectionScanOptions,
  Script,
  SendOptions,
} from "../core/connection.js";
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
} from "../core/errors.js";
export type { CacheEvents, EventName, Listener } from "../core/events.js";
export { defaultKeyFunction, type Key, type KeyFunction, MadeKey, type ReverseKeyFunction } from "../core/key.js";
export type { Address, Location, Scheme } from "../core/location.js";
export type { MaybePromise } from "../core/maybe-promise.js";
export type { Clock, Duration } from "../core/time.js";
export type { Compressor, Serializer } from "../core/value-format.js";
export { json } from "../serializers/json.js";
