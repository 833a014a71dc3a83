import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isOneOf } from "../../core/options.js";
import { toText } from "../../core/text.js";
import { systemClock } from "../../core/time.js";
import { iamOf } from "../elasticache-iam.js";
import { listenerAccess, NO_TOKEN, toTlsSettings } from "../listener.js";
import { aboutOf, accessOf, type ConnectionOptions, connectionChecks, refuseReplicas, toTiming } from "../options.js";
import { sharedConnection } from "../registry.js";
import type { DialConnection } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { nameFactory } from "../topology.js";
import { type GlideLogLevel, type GlideSettings, openGlide } from "./client.js";
import { DefaultTransport } from "./default-transport.js";
import { loadGlide } from "./module.js";

/** Options of `glide()` and `glideCluster()`. */
export interface GlideOptions extends ConnectionOptions {
  /** Log level of GLIDE's native side, which logs to standard output for the whole process. @default "off" */
  logLevel?: GlideLogLevel | undefined;
}

/**
 * Connections over valkey-glide to one server, or to a primary and its replicas. All caches of a process with equal
 * settings share one connection. It closes with the last of these caches.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "valkey://localhost:6379/0", connectionFactory: glide({ commandTimeout: "250ms" }) });
 */
export function glide(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glide", options, onlyGlide);
}

/**
 * Like `glide`, for a Valkey cluster. The location names one or more of its nodes.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "valkey://node-1:6379,valkey://node-2:6379", connectionFactory: glideCluster() });
 */
export function glideCluster(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glideCluster", options, onlyGlide);
}

/** How to connect to a location. */
interface Transport {
  readonly dial: DialConnection;
  readonly prepare: () => Promise<unknown>;
  readonly isCluster: () => boolean;
  readonly findsCluster: () => boolean;
}

type MakeTransport = (settings: GlideSettings, location: Location) => Transport;

const onlyGlide: MakeTransport = (settings) => ({
  dial: (track, retire) => openGlide(settings, { track, retire, endMs: performance.now() + settings.connectTimeoutMs }),
  prepare: () => loadGlide(settings.logLevel),
  isCluster: () => settings.cluster,
  findsCluster: () => false,
});

type FactoryName = "glide" | "glideCluster" | "glideElseIovalkey" | "sentinel";

function glideFactory(name: FactoryName, options: GlideOptions, make: MakeTransport): ConnectionFactory {
  checkOptions<GlideOptions>(name, options, {
    ...connectionChecks,
    logLevel: isOneOf("off", "error", "warn", "info", "debug"),
  });
  return {
    shares: true,
    about: aboutOf(name, options),
    connect(location) {
      const settings = toSettings(name, location, options);
      const { maxIdleMs } = toTiming(options);
      const key = `${name} ${maxIdleMs} ${JSON.stringify(settings)}`;
      const open = () => connection(make(settings, location), settings, maxIdleMs);
      return sharedConnection(key, open, settings.credentials);
    },
    listener(location) {
      const settings = toSettings(name, location, options);
      if (settings.iam) return NO_TOKEN;
      const key = settings.addresses.map(({ host, port }) => `${host}:${port}`).join();
      return listenerAccess(
        key,
        { ...settings, tls: settings.tls && toTlsSettings(settings.tls) },
        async () => settings.addresses,
      );
    },
  };
}

function connection(transport: Transport, settings: GlideSettings, maxIdleMs: number): Connection {
  const { name, connectTimeoutMs, commandTimeoutMs } = settings;
  return new LazyConnection(transport.dial, {
    name,
    connectTimeoutMs,
    commandTimeoutMs,
    maxIdleMs,
    // A cluster can lose one node. GLIDE keeps the others and finds its replacement.
    get redial() {
      return !transport.isCluster();
    },
    findsCluster: transport.findsCluster,
    prepare: transport.prepare,
    explain: nameFactory,
    clock: systemClock,
  });
}

/** The settings of GLIDE for a location. @throws {ConfigurationError} */
export function toSettings(factory: FactoryName, location: Location, options: GlideOptions): GlideSettings {
  const { scheme, display, addresses } = location;
  if (scheme === "memory" || scheme === "unix") {
    const instead = scheme === "memory" ? "memory()" : "iovalkey()";
    throw new ConfigurationError(
      `location: ${factory}() can't serve ${display}; use the connection factory ${instead}, or a valkey:// URL`,
    );
  }
  refuseReplicas(location, "the option readFrom");
  // Where no factory was given, the options are those of the cache.
  const where = factory === "glideElseIovalkey" ? "createCache" : factory;
  const { tls, ...login } = accessOf(where, location, options);
  const iam = iamOf(options.credentials);
  if (tls?.cert !== undefined || tls?.key !== undefined) {
    throw new ConfigurationError(
      `${where}: option "tls" has a client certificate, which GLIDE doesn't support; use the connection factory iovalkey()`,
    );
  }
  const { connectTimeoutMs, commandTimeoutMs } = toTiming(options);
  return {
    cluster: factory === "glideCluster",
    name: display,
    hasSubstitute: factory === "glideElseIovalkey",
    addresses,
    ...login,
    ...(iam && { username: iam.user, credentials: undefined }),
    iam,
    database: location.database,
    // RESP2 saves a round trip when it connects, and this library uses nothing that RESP3 adds.
    protocol: location.protocol ?? 2,
    connectTimeoutMs,
    commandTimeoutMs,
    readFrom: options.readFrom ?? "primary",
    clientAz: options.clientAz,
    clientName: options.clientName,
    tls: tls && { insecure: tls.insecure ?? false, ca: tls.ca === undefined ? undefined : toText(tls.ca) },
    logLevel: options.logLevel ?? "off",
  };
}

/**
 * Like `glide`, and like `glideCluster` where the server turns out to be a node of a cluster. Where GLIDE can't be used though
 * the server can be reached, it uses iovalkey, and says so in a warning.
 * @throws {ConfigurationError} on wrong options
 */
export function glideElseIovalkey(options: ConnectionOptions): ConnectionFactory {
  return glideFactory("glideElseIovalkey", options, (settings, location) => {
    const transport = new DefaultTransport(settings, location, options);
    return {
      dial: (track, retire) => transport.open(track, retire),
      prepare: () => transport.prepare(),
      isCluster: () => transport.isCluster,
      findsCluster: () => transport.findsCluster(),
    };
  });
}
