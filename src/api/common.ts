// What the entry points of all runtimes have in common.
export type { Cache, Namespace } from "../cache/cache.js";
export type { Caches } from "../cache/caches.js";
export type { CacheHashes } from "../cache/hashes.js";
export type { Health } from "../cache/health.js";
export type { LoadMany, LoadRecord } from "../cache/many-entries.js";
export type {
  AddOptions,
  DeletePatternOptions,
  EntriesInput,
  GetOptions,
  GetOrSetManyOptions,
  GetOrSetOptions,
  IncrOptions,
  InvocationOptions,
  KeyOptions,
  LoadingOptions,
  LockOptions,
  Many,
  ManyTags,
  PurgeTagsOptions,
  RecordInput,
  ScanOptions,
  ScanSetOptions,
  SetManyOptions,
  SetOptions,
  StoreOptions,
  TtlOptions,
  ValueTags,
} from "../cache/method-options.js";
export type { CacheOptions, FailureContext, LocatedCacheOptions, Logger } from "../cache/options.js";
export type { CacheSets, SetPage } from "../cache/sets.js";
export type { ValueCodec } from "../cache/value-codec.js";
export type {
  Client,
  ClientContext,
  ClientFactory,
  DeleteOptions,
  Loader,
  LoaderContext,
  LoadOptions,
  ManyLoader,
  TagsOf,
  WriteEntriesOptions,
  WriteOptions,
} from "../client/client.js";
export {
  DefaultClient,
  type DefaultClientOptions,
  defaultClient,
} from "../client/default-client.js";
export { HerdClient, herd } from "../client/herd/client.js";
export type { HerdOptions, HerdSettings } from "../client/herd/options.js";
export type { DecodeOptions, KeyCommands, Stored } from "../client/key-commands.js";
export type { Load, Loaded } from "../client/loading.js";
export type { Lock } from "../client/lock.js";
export type { Answer, Coalesced, RecentlyFresh, Shared, Sharing } from "../client/single-flight.js";
export type { Codec, CodecOptions } from "../codec/codec.js";
export type { Encoded } from "../codec/envelope.js";
export { identity } from "../compressors/identity.js";
export type { CompressorOptions } from "../compressors/options.js";
export type { AddressMap } from "../connection/address-map.js";
export type { Credentials, GetCredentials } from "../connection/credentials.js";
export { type ElastiCacheIamOptions, elasticacheIam, type SigningRequest } from "../connection/elasticache-iam.js";
export type { MemoryOptions } from "../connection/memory/factory.js";
export type { ConnectionOptions, ReadFrom, TlsOptions } from "../connection/options.js";
export type { MaybePromise } from "../core/async.js";
export type {
  Argument,
  Call,
  Command,
  Connection,
  ConnectionEvent,
  ConnectionFactory,
  ConnectionStatus,
  Invocation,
  OrderedConnection,
  Reply,
  ScanOptions as ConnectionScanOptions,
  Script,
  SendOptions,
  Twin,
} from "../core/connection.js";
export {
  CacheError,
  ConfigurationError,
  ConnectionError,
  DecodeError,
  EncodeError,
  KeyNotFoundError,
  LoaderCycleError,
  LoaderTimeoutError,
  NotAnIntegerError,
  ReplyError,
  SchemaError,
  type SchemaIssue,
  TimeoutError,
} from "../core/errors.js";
export type {
  CacheEvents,
  CallEvent,
  Channels,
  ErrorKind,
  EventName,
  HttpOutcome,
  KeysEvent,
  Listener,
  MethodEvent,
  Operation,
  Recorded,
  Run,
  Tracer,
} from "../core/event-types.js";
export type { CacheCall, EventSource, Events } from "../core/events.js";
export { escapeGlob as escapePattern } from "../core/glob.js";
export { defaultKeyFunction, type Key, type KeyFunction, type ReverseKeyFunction, StoredKey } from "../core/key.js";
export type { Address, Location, Scheme } from "../core/location.js";
export type {
  Changes,
  IsUnchanged,
  Known,
  ListenerAccess,
  ListenerAddress,
  ListenerHandlers,
  ListenerSocket,
  LogReader,
  NearReads,
  Passes,
  ValueReader,
} from "../core/near.js";
export type { Clock, Duration } from "../core/time.js";
export type { Compressor, Serializer } from "../core/value-format.js";
export { type Definition, define } from "../definitions/define.js";
export type {
  DefinitionCallOptions,
  DefinitionOptions,
  DefinitionSettings,
  LoadManyById,
  ValuesById,
} from "../definitions/options.js";
export type { SchemaInput, SchemaOutput, SchemaResult, StandardSchema } from "../definitions/schema.js";
export { type WrapOptions, type Wrapped, wrap } from "../definitions/wrap.js";
export type { NearCacheOptions } from "../near/options.js";
export type { NearCache, NearCacheFactory, NearContext, NearHealth } from "../near/port.js";
export type { CallCounts, Counts, Period, Periods } from "../observability/counts.js";
export type { LatencyStatistics } from "../observability/histogram.js";
export { mergeStatistics, type StatisticsSnapshot } from "../observability/snapshot.js";
export { type Statistics, type StatisticsOptions, statistics } from "../observability/statistics.js";
export { json } from "../serializers/json.js";
export type { LogRead } from "../tags/entry-tags.js";
export { memory } from "./memory.js";
