import type { ClientFactory } from "../client/client.js";
import { defaultClient } from "../client/default-client.js";
import { Codec, type CodecOptions } from "../codec/codec.js";
import { identity } from "../compressors/identity.js";
import { ObservedConnection } from "../connection/observed.js";
import { type ConnectionOptions, connectionChecks } from "../connection/options.js";
import { notify } from "../core/async.js";
import { UnavailableError } from "../core/availability.js";
import type { Connection, ConnectionAbout, ConnectionFactory, Invocation } from "../core/connection.js";
import { ConfigurationError, show } from "../core/errors.js";
import type { Channels } from "../core/event-types.js";
import { type EventSource, Events, emitError } from "../core/events.js";
import {
  ambiguousPrefix,
  defaultKeyFunction,
  defaultReverseKeyFunction,
  type KeyFunction,
  type ReverseKeyFunction,
} from "../core/key.js";
import { type Location, parseLocation } from "../core/location.js";
import { checkOptions } from "../core/options.js";
import { type Clock, systemClock, toMs } from "../core/time.js";
import type { NearCache } from "../near/port.js";
import { json } from "../serializers/json.js";
import type { LogPlace } from "../tags/purge-log.js";
import { Tags } from "../tags/tags.js";
import {
  type CacheOptions,
  cacheChecks,
  cacheDefaults,
  type FailureContext,
  type LocatedCacheOptions,
  type Logger,
} from "./options.js";

/** Chooses the connection factory for a location when the user gives none. Each runtime has its own. */
export type ChooseFactory = (location: Location, options: ConnectionOptions) => ConnectionFactory;

/** Options with every default in place. All views of one cache share them. */
export interface Settings {
  /** Does no I/O. A function, so that the settings hold no password. */
  readonly connect: (invocation: Invocation) => Connection;
  /** Where it is kept, without the password. */
  readonly place: Place;
  /** How it is connected; `undefined` where the factory doesn't say. */
  readonly about: ConnectionAbout | undefined;
  /** Whether all invocations may share one connection, as the factory says. */
  readonly sharesConnection: boolean;
  readonly client: ClientFactory;
  readonly codec: Codec;
  readonly codecOptions: CodecOptions;
  readonly ttlMs: number | null;
  readonly prefix: string;
  /** What keys begin with, after prefix and version; empty outside of namespaces. */
  readonly namespace: string;
  /** The tags of that namespace, and of those that it is in. */
  readonly namespaces: readonly string[];
  readonly version: number;
  readonly keyFunction: KeyFunction;
  readonly reverseKeyFunction: ReverseKeyFunction;
  readonly scanCount: number;
  readonly ignoreErrors: boolean;
  readonly events: Events;
  readonly near: NearCache | undefined;
  /** Where the inspector logs changes. */
  readonly logger: Logger | false;
  /** The purge log, which the HTTP cache shares. */
  readonly purges: LogPlace;
  /** Tags of entries. */
  readonly tags: Tags;
  /** Never throws. */
  readonly onError: ReportError;
}

/** A location without its password. */
export type Place = Omit<Location, "password">;

type ReportError = (error: unknown, context: FailureContext) => void;

/** @throws {ConfigurationError} before any I/O */
export function toSettings(
  options: CacheOptions | LocatedCacheOptions,
  choose: ChooseFactory,
  channels?: Channels,
): Settings {
  checkOptions<CacheOptions>("createCache", options, cacheChecks);
  const own = options.connectionFactory?.location;
  if (own !== undefined && options.location !== undefined) {
    throw new ConfigurationError(
      'createCache: option "location" is given beside a connection factory that has its own; leave one of them out',
    );
  }
  const location = parseLocation(own ?? options.location);
  const { password: _, ...place } = location;
  const forFactory = connectionOptions(options);
  const factory = options.connectionFactory ?? choose(location, forFactory);
  const { ttl = cacheDefaults.ttl, keyPrefix = cacheDefaults.keyPrefix, version = cacheDefaults.version } = options;
  const { keyFunction = defaultKeyFunction } = options;
  const allowed = options.keyFunction ? undefined : ambiguousPrefix(keyPrefix);
  if (allowed !== undefined) {
    throw new ConfigurationError(`createCache: option "keyPrefix" is ${show(keyPrefix)}; give ${allowed}`);
  }
  const { logger = console } = options;
  const report = options.onError ?? (logger === false ? () => {} : warnOfErrors(logger, systemClock));
  const onError = quiet(refusalsOnce(report, options.onError ?? logger));
  const events = new Events((error) => onError(error, { method: "on", key: "" }), channels, {
    cache: keyPrefix,
    server: serverOf(location),
  });
  const purges: LogPlace = { key: () => keyFunction("", keyPrefix, version), log: undefined };
  const tags = new Tags(purges);
  // What is kept in the process needs no second copy there.
  const near =
    location.scheme === "memory"
      ? undefined
      : options.nearCache?.({
          prefix: options.keyFunction ? undefined : defaultKeyFunction("", keyPrefix, version),
          server: location.addresses.map(({ host, port }) => `${host}:${port}`).join() || location.path,
          listener: factory.listener?.(location),
          events,
          tags,
          report(error) {
            const place = { method: "nearCache", key: "" };
            emitError(events, error, place);
            onError(error, place);
          },
        });
  const codecOptions: CodecOptions = {
    serializer: options.serializer ?? json(),
    compressor: options.compressor ?? identity(),
    maxDecompressedSize: options.maxDecompressedSize ?? cacheDefaults.maxDecompressedSize,
  };
  return {
    connect: (invocation) => {
      const connection = new ObservedConnection(factory.connect(location, invocation), events);
      return near ? near.wrap(connection) : connection;
    },
    place,
    about: factory.about,
    sharesConnection: factory.shares,
    client: options.client ?? defaultClient(),
    codec: new Codec(codecOptions),
    codecOptions,
    purges,
    tags,
    ttlMs: ttl === null ? null : toMs(ttl, "ttl"),
    prefix: keyPrefix,
    namespace: "",
    namespaces: [],
    version,
    keyFunction,
    reverseKeyFunction: options.reverseKeyFunction ?? reverseOf(options),
    scanCount: options.scanCount ?? cacheDefaults.scanCount,
    ignoreErrors: options.ignoreErrors ?? cacheDefaults.ignoreErrors,
    events,
    near,
    logger,
    onError,
  };
}

function serverOf({ scheme, addresses: [first], path, database, display }: Location): EventSource["server"] {
  if (first) return { address: first.host, port: first.port, database };
  // A path that messages don't show may be a part of a password that was written wrong.
  return scheme === "unix" && display.includes(path) ? { address: path, database } : undefined;
}

/** The user's `onError`, with its own errors ignored. */
function quiet(onError: ReportError): ReportError {
  return (error, context) =>
    notify(
      () => onError(error, context),
      () => {},
    );
}

/** The options of the connection factory. They are refused beside a factory of the user's own, which would ignore them. */
function connectionOptions(options: CacheOptions | LocatedCacheOptions): ConnectionOptions {
  const given = Object.entries(options).filter(
    ([name, value]) => Object.hasOwn(connectionChecks, name) && value !== undefined,
  );
  const [first] = given;
  if (options.connectionFactory && first) {
    throw new ConfigurationError(
      `createCache: option "${first[0]}" belongs to the connection factory; give it there, such as glide({ ${first[0]}: … })`,
    );
  }
  return Object.fromEntries(given);
}

/** What was said of commands that are not available, for each `onError` and each logger. */
const said = new WeakMap<object, Set<string>>();

/** Reports each command that a server refuses once, however many calls and caches go on without it. */
function refusalsOnce(report: ReportError, to: object | false): ReportError {
  return (error, context) => {
    if (error instanceof UnavailableError && to) {
      const texts = said.get(to) ?? new Set();
      if (texts.has(error.message)) return;
      said.set(to, texts.add(error.message));
    }
    report(error, context);
  };
}

function reverseOf({ keyFunction }: Pick<CacheOptions, "keyFunction">): ReverseKeyFunction {
  if (!keyFunction) return defaultReverseKeyFunction;
  return () => {
    throw new ConfigurationError(
      "keys, iterKeys, and clear() of a namespace, need a reverseKeyFunction beside the keyFunction; give createCache one",
    );
  };
}

/** The shortest time between two warnings of one cache. */
const PAUSE_MS = 60_000;

/**
 * Says that the store fails, in the place of `onError`: the first error that no caller gets, and then at most one line a
 * minute, with the number of errors since. Without this a cache whose store is gone would go unnoticed, as loaders answer.
 */
export function warnOfErrors(
  logger: Logger,
  clock: Pick<Clock, "now">,
): (error: unknown, context: FailureContext) => void {
  let warnedMs = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  const warn = (text: string): void =>
    notify(
      () => logger.warn(`valkey-edge-cache: ${text}.`),
      () => {},
    );
  return (error, { method, key }) => {
    if (error instanceof UnavailableError) return warn(error.message);
    unsaid++;
    const nowMs = clock.now();
    if (Math.abs(nowMs - warnedMs) < PAUSE_MS) return;
    const others = unsaid > 1 ? ` (${unsaid} errors since the last warning)` : "";
    warnedMs = nowMs;
    unsaid = 0;
    const where = key === "" ? method : `${method} ${show(key)}`;
    const what = error instanceof Error ? error.message : show(error);
    warn(
      `${where}: ${what}${others}. Calls go on without the cache, and loaders answer. Give createCache the option onError, or logger: false, to handle this yourself`,
    );
  };
}
