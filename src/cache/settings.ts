import type { ClientFactory } from "../client/client.js";
import { defaultClient } from "../client/default-client.js";
import { Codec } from "../codec/codec.js";
import { identity } from "../compressors/identity.js";
import { type ConnectionOptions, connectionChecks } from "../connection/options.js";
import type { Connection, ConnectionFactory, Invocation } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import { Events } from "../core/events.js";
import {
  defaultKeyFunction,
  defaultReverseKeyFunction,
  type KeyFunction,
  type ReverseKeyFunction,
} from "../core/key.js";
import { type Location, parseLocation } from "../core/location.js";
import { notify } from "../core/maybe-promise.js";
import { checkOptions } from "../core/options.js";
import { toMs } from "../core/time.js";
import { json } from "../serializers/json.js";
import { type CacheOptions, cacheChecks, cacheDefaults, type FailureContext } from "./options.js";

/** Chooses a connection factory for a location, where the user has chosen none: each runtime has its own choice. */
export type ChooseFactory = (location: Location, options: ConnectionOptions) => ConnectionFactory;

/** Options with every default in place: what all views of one cache share. */
export interface Settings {
  /** Does no I/O. A function, so that printing a cache prints no password. */
  readonly connect: (invocation: Invocation) => Connection;
  /** As its factory says. */
  readonly sharesConnection: boolean;
  readonly client: ClientFactory;
  readonly codec: Codec;
  readonly ttlMs: number | null;
  readonly prefix: string;
  readonly version: number;
  readonly keyFunction: KeyFunction;
  readonly reverseKeyFunction: ReverseKeyFunction;
  readonly scanCount: number;
  readonly ignoreErrors: boolean;
  readonly events: Events;
  /** Never throws. */
  readonly onError: ReportError;
}

type ReportError = (error: unknown, context: FailureContext) => void;

/** @throws {ConfigurationError} before any I/O */
export function toSettings(options: CacheOptions, choose: ChooseFactory): Settings {
  checkOptions<CacheOptions>("createCache", options, cacheChecks);
  const location = parseLocation(options.location);
  const forFactory = connectionOptions(options);
  const factory = options.connectionFactory ?? choose(location, forFactory);
  const { ttl = cacheDefaults.ttl } = options;
  const onError = quiet(options.onError ?? (() => {}));
  return {
    connect: (invocation) => factory.connect(location, invocation),
    sharesConnection: factory.shares,
    client: options.client ?? defaultClient(),
    codec: new Codec({
      serializer: options.serializer ?? json(),
      compressor: options.compressor ?? identity(),
      maxDecompressedSize: options.maxDecompressedSize ?? cacheDefaults.maxDecompressedSize,
    }),
    ttlMs: ttl === null ? null : toMs(ttl, "ttl"),
    prefix: options.keyPrefix ?? cacheDefaults.keyPrefix,
    version: options.version ?? cacheDefaults.version,
    keyFunction: options.keyFunction ?? defaultKeyFunction,
    reverseKeyFunction: options.reverseKeyFunction ?? reverseOf(options),
    scanCount: options.scanCount ?? cacheDefaults.scanCount,
    ignoreErrors: options.ignoreErrors ?? cacheDefaults.ignoreErrors,
    events: new Events((error) => onError(error, { method: "on", key: "" })),
    onError,
  };
}

/** An `onError` of the user's whose own failures are ignored: no answer depends on it, and no other listener is left. */
function quiet(onError: ReportError): ReportError {
  return (error, context) =>
    notify(
      () => onError(error, context),
      () => {},
    );
}

/** What belongs to the connection factory. Beside a factory of the user's own it would be ignored, so it is refused. */
function connectionOptions(options: CacheOptions): ConnectionOptions {
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

function reverseOf({ keyFunction }: CacheOptions): ReverseKeyFunction {
  if (!keyFunction) return defaultReverseKeyFunction;
  return () => {
    throw new ConfigurationError(
      "keys and iterKeys need a reverseKeyFunction beside the keyFunction; give createCache one",
    );
  };
}
