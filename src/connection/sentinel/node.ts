import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { warnOnce } from "../copies.js";
import { openGlide } from "../glide/client.js";
import { refuseSubstitute } from "../glide/default-transport.js";
import { toSettings as toGlideSettings } from "../glide/factory.js";
import { GlideMissingError, loadGlide } from "../glide/module.js";
import { openOnNode } from "../iovalkey/node.js";
import type { SentinelTransport } from "./connection.js";
import { type MakeTransport, overIovalkey, type SentinelOptions, sentinelFactory } from "./factory.js";
import { sentinelListener } from "./listener.js";
import { WatchedSentinel } from "./watch.js";

/**
 * Connections to the primary that sentinels name, and with `readFrom` to its replicas. They follow failovers. They use
 * valkey-glide, or iovalkey on platforms without a build of GLIDE. The location's host is the name of the service.
 * @throws {ConfigurationError} on wrong options
 * @example
 * createCache({
 *   location: "valkey://my-service/0",
 *   connectionFactory: sentinel({ sentinels: [{ host: "10.0.0.1" }, { host: "10.0.0.2" }] }),
 * });
 */
export function sentinel(options: SentinelOptions): ConnectionFactory {
  const factory = sentinelFactory(options, overGlide);
  return {
    ...factory,
    listener: (location) => (factory.shares ? sentinelListener(location, options, overGlide) : undefined),
  };
}

const overGlide: MakeTransport = (place, options) => {
  const { location, access, credentials } = place;
  const own = toGlideSettings("sentinel", location, options);
  const servers = { ...own, credentials: own.credentials && credentials };
  const sentinels = {
    ...servers,
    iam: undefined,
    ...access,
    database: 0,
    readFrom: "primary" as const,
    clientAz: undefined,
  };
  const instead = (reason: GlideMissingError): SentinelTransport => {
    refuseSubstitute(location, options, reason);
    warnOnce(`${location.display} is reached over iovalkey instead of valkey-glide: ${reason.message}`);
    return overIovalkey(openOnNode)(place, options);
  };
  return {
    openSentinel: (address, onSwitch, track) => {
      const { host, port } = address;
      const settings = { ...sentinels, name: `the sentinel at ${host}:${port}`, addresses: [address] };
      const scope = { track, retire: () => {}, endMs: performance.now() + settings.connectTimeoutMs };
      return orElse(
        async () => new WatchedSentinel(await openGlide(settings, scope), { address, settings, onSwitch }),
        (reason) => instead(reason).openSentinel(address, onSwitch, track),
      );
    },
    openServers: (found, scope) =>
      orElse(
        () => openGlide({ ...servers, addresses: [found.primary, ...found.replicas] }, scope),
        (reason) => instead(reason).openServers(found, scope),
      ),
    prepare: () => loadGlide(own.logLevel),
  };
};

async function orElse(
  open: () => Promise<Connection>,
  otherwise: (reason: GlideMissingError) => Promise<Connection>,
): Promise<Connection> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof GlideMissingError) return otherwise(error);
    throw error;
  }
}
