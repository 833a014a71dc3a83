import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { checkOptions, isOneOf } from "../../core/options.js";
import { toText } from "../../core/text.js";
import { systemClock, toMs } from "../../core/time.js";
import type { Until } from "../endings.js";
import { toSettings as toIovalkeySettings } from "../iovalkey/factory.js";
import { accessOf, type ConnectionOptions, connectionChecks, refuseReplicas } from "../options.js";
import { shared } from "../registry.js";
import type { DialConnection } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import { type GlideLogLevel, type GlideSettings, openGlide } from "./client.js";
import { GlideMissingError } from "./module.js";

export interface GlideOptions extends ConnectionOptions {
  /** What GLIDE's native side logs to standard output, for the whole process. @default "off" */
  logLevel?: GlideLogLevel;
}

/**
 * Connections over valkey-glide to one server, or to a primary and its replicas. All caches of a process with equal
 * settings share one connection, which ends with the last of them.
 * @throws {ConfigurationError} on wrong options
 */
export function glide(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glide", options, openGlide);
}

/** As `glide`, to a Valkey cluster; the location names one node or several. @throws {ConfigurationError} on wrong options */
export function glideCluster(options: GlideOptions = {}): ConnectionFactory {
  return glideFactory("glideCluster", options, openGlide);
}

type FactoryName = "glide" | "glideCluster" | "glideElseIovalkey" | "sentinel";

/** @param open dials; it may open something else than GLIDE in its place */
export function glideFactory(
  name: FactoryName,
  options: GlideOptions,
  open: (settings: GlideSettings, until: Until, location: Location) => Promise<Connection>,
): ConnectionFactory {
  checkOptions<GlideOptions>(name, options, {
    ...connectionChecks,
    logLevel: isOneOf("off", "error", "warn", "info", "debug"),
  });
  return {
    shares: true,
    connect(location) {
      const settings = toSettings(name, location, options);
      const maxIdleMs = options.maxIdle === null ? Infinity : toMs(options.maxIdle ?? 60, "maxIdle");
      const key = `${name} ${maxIdleMs} ${JSON.stringify(settings)}`;
      return shared(key, () => connection((until) => open(settings, until, location), settings, maxIdleMs));
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
    // One lost node is not the cluster: GLIDE keeps the rest, and finds what took its place.
    redial: !cluster,
    clock: systemClock,
  });
}

/** What GLIDE is opened with. @throws {ConfigurationError} */
export function toSettings(factory: FactoryName, location: Location, options: GlideOptions): GlideSettings {
  const { scheme, display, addresses } = location;
  if (scheme === "memory" || scheme === "unix") {
    const instead = scheme === "memory" ? "memory()" : "iovalkey()";
    throw new ConfigurationError(
      `location: ${factory}() can't serve ${display}; use the connection factory ${instead}, or a valkey:// URL`,
    );
  }
  refuseReplicas(location, "the option readFrom");
  const { username, password, tls } = accessOf(factory, location, options);
  if (tls?.cert !== undefined || tls?.key !== undefined) {
    throw new ConfigurationError(
      `${factory}: option "tls" has a client certificate, which GLIDE can't show; use the connection factory iovalkey()`,
    );
  }
  return {
    cluster: factory === "glideCluster",
    name: display,
    addresses,
    username,
    password,
    database: location.database,
    // RESP2 opens with one round trip less, and this library needs nothing that RESP3 adds.
    protocol: location.protocol ?? 2,
    connectTimeoutMs: toMs(options.connectTimeout ?? 1, "connectTimeout"),
    commandTimeoutMs: toMs(options.commandTimeout ?? 1, "commandTimeout"),
    readFrom: options.readFrom ?? "primary",
    clientAz: options.clientAz,
    tls: tls && { insecure: tls.insecure ?? false, ca: tls.ca === undefined ? undefined : toText(tls.ca) },
    logLevel: options.logLevel ?? "off",
  };
}

/** Found out by the first dial, for the whole process. */
let glideIsMissing = false;

/**
 * As `glide`; and where GLIDE has no build for the platform, iovalkey in its place, which reads from the primary alone.
 * @throws {ConfigurationError} on wrong options
 */
export function glideElseIovalkey(options: ConnectionOptions): ConnectionFactory {
  return glideFactory("glideElseIovalkey", options, async (settings, until, location) => {
    if (!glideIsMissing) {
      const opened = await tryGlide(settings, until);
      if (opened) return opened;
      glideIsMissing = true;
    }
    return openInstead(location, options);
  });
}

async function tryGlide(settings: GlideSettings, until: Until): Promise<Connection | undefined> {
  try {
    return await openGlide(settings, until);
  } catch (error) {
    if (error instanceof GlideMissingError) return undefined;
    throw error;
  }
}

async function openInstead(location: Location, options: ConnectionOptions): Promise<Connection> {
  const { openIovalkey } = await import("../iovalkey/client.js");
  // RESP3 is a wish that changes no reply.
  return openIovalkey(toIovalkeySettings({ ...location, protocol: undefined }, options), undefined);
}
