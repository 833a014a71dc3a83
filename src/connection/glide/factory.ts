import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError, ConnectionError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isOneOf } from "../../core/options.js";
import { toText } from "../../core/text.js";
import { systemClock } from "../../core/time.js";
import { warnOnce } from "../copies.js";
import { currentLogin } from "../credentials.js";
import { iamOf } from "../elasticache-iam.js";
import { toSettings as toIovalkeySettings } from "../iovalkey/factory.js";
import { openOnNode } from "../iovalkey/node.js";
import { accessOf, type ConnectionOptions, connectionChecks, refuseReplicas, toTiming } from "../options.js";
import { sharedConnection } from "../registry.js";
import type { DialConnection } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { type GlideLogLevel, type GlideSettings, openGlide } from "./client.js";
import { GlideRefusedError } from "./dial.js";
import { findPrimary } from "./find-primary.js";
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
  return glideFactory("glide", options, opensGlide);
}

/**
 * Like `glide`, for a Valkey cluster. The location names one or more of its nodes.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({ location: "valkey://node-1:6379,valkey://node-2:6379", connectionFactory: glideCluster() });
 */
export function glideCluster(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glideCluster", options, opensGlide);
}

/** Makes what opens a connection for a location. */
type MakeDial = (settings: GlideSettings, location: Location) => DialConnection;

const opensGlide: MakeDial = (settings) => (track, retire) => openGlide(settings, track, retire);

type FactoryName = "glide" | "glideCluster" | "glideElseIovalkey" | "sentinel";

/** @param makeDial makes what opens a connection, by GLIDE or a substitute */
function glideFactory(name: FactoryName, options: GlideOptions, makeDial: MakeDial): ConnectionFactory {
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
      const make = () => connection(makeDial(settings, location), settings, maxIdleMs);
      return sharedConnection(key, make, settings.credentials);
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
  const iam = iamOf(options.credentials);
  if (tls?.cert !== undefined || tls?.key !== undefined) {
    throw new ConfigurationError(
      `${factory}: option "tls" has a client certificate, which GLIDE doesn't support; use the connection factory iovalkey()`,
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

/** Why GLIDE can't be used in this process; known with the first dial. */
let missing: GlideMissingError | undefined;

/**
 * Like `glide`. Where GLIDE can't be used though the server can be reached, it uses iovalkey, and says so in a warning.
 * @throws {ConfigurationError} on wrong options
 */
export function glideElseIovalkey(options: ConnectionOptions): ConnectionFactory {
  return glideFactory("glideElseIovalkey", options, (settings, location) => {
    let refused: GlideRefusedError | undefined;
    return async (track, retire) => {
      try {
        if (missing ?? refused) throw missing ?? refused;
        return await openGlide(settings, track, retire);
      } catch (error) {
        if (error instanceof GlideMissingError) missing = error;
        else if (error instanceof GlideRefusedError) refused = error;
        else throw error;
        refuseSubstitute(location, options, error);
        const connection = await openSubstitute(settings, location, options, retire);
        warnOnce(`${settings.name} is reached over iovalkey instead of valkey-glide: ${error.message}`);
        return connection;
      }
    };
  });
}

async function openSubstitute(
  settings: GlideSettings,
  location: Location,
  options: ConnectionOptions,
  retire: () => void,
): Promise<Connection> {
  let [address] = location.addresses;
  if (location.addresses.length > 1) {
    address = (await findPrimary({ ...settings, ...(await currentLogin(settings)) })).primary;
  }
  const single = toIovalkeySettings({ ...location, addresses: address ? [address] : [] }, options);
  return openOnNode({ ...single, credentials: settings.credentials }, undefined, retire);
}

/** Refuses options that iovalkey can't honour in the place of GLIDE. @throws {ConfigurationError} @throws {ConnectionError} */
export function refuseSubstitute(location: Location, options: ConnectionOptions, reason: Error): void {
  const { readFrom = "primary", clientAz } = options;
  const what =
    readFrom !== "primary"
      ? `option "readFrom" (${readFrom})`
      : clientAz !== undefined
        ? `option "clientAz"`
        : location.protocol === 3
          ? `"protocol=3" in the location`
          : undefined;
  if (what === undefined) return;
  const message = `${what} needs valkey-glide, which can't be used here (${reason.message}); leave it out, and iovalkey is used`;
  if (reason instanceof ConfigurationError) throw new ConfigurationError(message, { cause: reason });
  throw new ConnectionError(message, { cause: reason });
}
