import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isOneOf } from "../../core/options.js";
import { toText } from "../../core/text.js";
import { systemClock } from "../../core/time.js";
import { toSettings as toIovalkeySettings } from "../iovalkey/factory.js";
import { openOnNode } from "../iovalkey/node.js";
import { accessOf, type ConnectionOptions, connectionChecks, refuseReplicas, toTiming } from "../options.js";
import { sharedConnection } from "../registry.js";
import type { TrackWork } from "../resilience/background-work.js";
import type { DialConnection } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { type GlideLogLevel, type GlideSettings, openGlide } from "./client.js";
import { GlideMissingError } from "./module.js";

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
  return glideFactory("glide", options, openGlide);
}

/**
 * Like `glide`, for a Valkey cluster. The location names one or more of its nodes.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "valkey://node-1:6379,valkey://node-2:6379", connectionFactory: glideCluster() });
 */
export function glideCluster(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glideCluster", options, openGlide);
}

type FactoryName = "glide" | "glideCluster" | "glideElseIovalkey" | "sentinel";

/** Opens a connection, by GLIDE or a substitute. */
type OpenGlide = (
  settings: GlideSettings,
  track: TrackWork,
  retire: () => void,
  location: Location,
) => Promise<Connection>;

export function glideFactory(name: FactoryName, options: GlideOptions, open: OpenGlide): ConnectionFactory {
  checkOptions<GlideOptions>(name, options, {
    ...connectionChecks,
    logLevel: isOneOf("off", "error", "warn", "info", "debug"),
  });
  return {
    shares: true,
    connect(location) {
      const settings = toSettings(name, location, options);
      const { maxIdleMs } = toTiming(options);
      const key = `${name} ${maxIdleMs} ${JSON.stringify(settings)}`;
      const dial: DialConnection = (track, retire) => open(settings, track, retire, location);
      return sharedConnection(key, () => connection(dial, settings, maxIdleMs), settings.credentials);
    },
  };
}

function connection(dial: DialConnection, settings: GlideSettings, maxIdleMs: number): Connection {
  const { name, connectTimeoutMs, commandTimeoutMs, cluster } = settings;
  return new LazyConnection(dial, {
    name,
    connectTimeoutMs,
    commandTimeoutMs,
    maxIdleMs,
    // A cluster can lose one node. GLIDE keeps the others and finds its replacement.
    redial: !cluster,
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
  const { tls, ...login } = accessOf(factory, location, options);
  if (tls?.cert !== undefined || tls?.key !== undefined) {
    throw new ConfigurationError(
      `${factory}: option "tls" has a client certificate, which GLIDE doesn't support; use the connection factory iovalkey()`,
    );
  }
  const { connectTimeoutMs, commandTimeoutMs } = toTiming(options);
  return {
    cluster: factory === "glideCluster",
    name: display,
    addresses,
    ...login,
    database: location.database,
    // RESP2 saves a round trip when it connects, and this library uses nothing that RESP3 adds.
    protocol: location.protocol ?? 2,
    connectTimeoutMs,
    commandTimeoutMs,
    readFrom: options.readFrom ?? "primary",
    clientAz: options.clientAz,
    tls: tls && { insecure: tls.insecure ?? false, ca: tls.ca === undefined ? undefined : toText(tls.ca) },
    logLevel: options.logLevel ?? "off",
  };
}

/** Set by the first dial, for the whole process. */
let glideIsMissing = false;

/**
 * Like `glide`. On platforms without a build of GLIDE it uses iovalkey, which reads from the primary only.
 * @throws {ConfigurationError} on wrong options
 */
export function glideElseIovalkey(options: ConnectionOptions): ConnectionFactory {
  return glideFactory("glideElseIovalkey", options, async (settings, track, retire, location) => {
    if (!glideIsMissing) {
      const opened = await tryGlide(settings, track, retire);
      if (opened) return opened;
      glideIsMissing = true;
    }
    // RESP3 changes no reply, so the location's choice is ignored.
    const { credentials } = settings;
    const substitute = { ...toIovalkeySettings({ ...location, protocol: undefined }, options), credentials };
    return openOnNode(substitute, undefined, retire);
  });
}

async function tryGlide(
  settings: GlideSettings,
  track: TrackWork,
  retire: () => void,
): Promise<Connection | undefined> {
  try {
    return await openGlide(settings, track, retire);
  } catch (error) {
    if (error instanceof GlideMissingError) return undefined;
    throw error;
  }
}
