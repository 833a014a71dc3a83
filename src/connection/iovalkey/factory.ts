import { Availability } from "../../core/availability.js";
import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { type Check, checkOptions, isFunction } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { toText } from "../../core/text.js";
import { systemClock } from "../../core/time.js";
import { outsideInvocation } from "../deferred.js";
import { toServerName } from "../node-socket.js";
import {
  aboutOf,
  accessOf,
  areTlsOptions,
  type ConnectionOptions,
  connectionChecks,
  refuseReplicas,
  type TlsOptions,
  type TlsSettings,
  toTiming,
} from "../options.js";
import { identityOf, sharedConnection } from "../registry.js";
import { CircuitBreaker } from "../resilience/circuit-breaker.js";
import type { DialerOptions } from "../resilience/dialer.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import type { IovalkeySettings } from "./client.js";
import type { Connector } from "./connector.js";

/** How `iovalkey()` checks the server's certificate, and which one it shows. */
export interface IovalkeyTlsOptions extends TlsOptions {
  /** The server name for SNI, which the certificate must match. It can't be an IP address. @default the location's host */
  servername?: string | undefined;
}

/** Options of `iovalkey()`. */
export interface IovalkeyOptions extends ConnectionOptions {
  /** How to check the server, and the client certificate, for `valkeys:` and `rediss:` locations. @default the system's authorities */
  tls?: IovalkeyTlsOptions | undefined;
  /** Opens connections instead of `node:net` and `node:tls`. It is then responsible for TLS. @default none */
  connector?: Connector | undefined;
}

/** Opens a client. @param retire replaces the connection at its next use */
export type OpenIovalkey = (
  settings: IovalkeySettings,
  connector: Connector | undefined,
  retire: () => void,
) => Promise<Connection>;

/** @throws {ConfigurationError} on wrong options */
export function iovalkeyFactory(
  options: IovalkeyOptions,
  open: OpenIovalkey,
  own: Pick<DialerOptions, "explain" | "prepare"> = {},
): ConnectionFactory {
  checkOptions<IovalkeyOptions>("iovalkey", options, {
    ...connectionChecks,
    tls: areTlsOptions({ servername: isServerName }),
    connector: isFunction,
  });
  checkReads(options);
  const shares = !keepsRequestsApart();
  // Connections that live as long as a request share what is known of their server with those before them.
  const servers = new Map<string, KnownServer>();
  return {
    shares,
    about: aboutOf("iovalkey", options),
    connect(location, invocation) {
      const settings = toSettings(location, options);
      const { connector } = options;
      const key = `iovalkey ${identityOf(connector)} ${JSON.stringify(settings)}`;
      const lazy = (known = newlyKnown(settings)) =>
        new LazyConnection((_, retire) => open(settings, connector, retire), {
          ...settings,
          ...known,
          ...own,
          redial: true,
          clock: systemClock,
        });
      if (shares) return sharedConnection(key, () => lazy(), settings.credentials);
      if (invocation.scope === "process") return outsideInvocation(settings.name);
      const known = servers.get(key) ?? newlyKnown(settings);
      servers.set(key, known);
      return lazy(known);
    },
  };
}

/** An address is no server name (RFC 6066 §3). */
const isServerName: Check = (value) =>
  typeof value === "string" && value !== "" && toServerName(value) !== undefined
    ? undefined
    : "a host name, not an address";

/** What connections have found out about a server. */
interface KnownServer {
  readonly breaker: CircuitBreaker;
  readonly availability: Availability;
}

function newlyKnown({ name, connectTimeoutMs, commandTimeoutMs }: IovalkeySettings): KnownServer {
  return {
    breaker: new CircuitBreaker(name, systemClock, 2 * (connectTimeoutMs + commandTimeoutMs)),
    availability: new Availability(name, systemClock),
  };
}

/** The settings of iovalkey for a location. @throws {ConfigurationError} */
export function toSettings(location: Location, options: IovalkeyOptions): IovalkeySettings {
  const { scheme, display, addresses, path } = location;
  const [address] = addresses;
  checkReads(options);
  if (addresses.length > 1) {
    throw new ConfigurationError(
      `location: iovalkey() can't serve ${display}, as it supports one server only; give one URL, or use glide()`,
    );
  }
  if (scheme === "memory") {
    throw new ConfigurationError(
      `location: iovalkey() can't serve ${display}; use the connection factory memory(), or a valkey:// URL`,
    );
  }
  refuseReplicas(location, "glide() with the option readFrom");
  if (location.protocol === 3) {
    throw new ConfigurationError(
      `location: iovalkey() can't serve ${display}, as it supports RESP2 only; leave "protocol" out of the URL`,
    );
  }
  const forAddresses = options.connector ? "connector" : options.addressMap && "addressMap";
  if (scheme === "unix" && forAddresses) {
    throw new ConfigurationError(
      `iovalkey: ${display} is a socket, and not an address; leave option "${forAddresses}" out, or give a valkey:// URL`,
    );
  }
  const { tls, ...login } = accessOf("iovalkey", location, options);
  return {
    name: display,
    address: address ?? { path },
    ...login,
    database: location.database,
    clientName: options.clientName,
    ...toTiming(options),
    tls: tls && toTls(tls),
  };
}

function toTls({ insecure = false, ca, cert, key, servername }: IovalkeyTlsOptions): TlsSettings {
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigurationError(`iovalkey: option "tls" has only one of cert and key; give both or none`);
  }
  const text = (pem: string | Uint8Array | undefined) => (pem === undefined ? undefined : toText(pem));
  return { insecure, ca: text(ca), cert: text(cert), key: text(key), servername };
}

function checkReads({ readFrom = "primary", clientAz }: IovalkeyOptions): void {
  if (readFrom === "primary" && clientAz === undefined) return;
  const option = readFrom === "primary" ? "clientAz" : "readFrom";
  throw new ConfigurationError(
    `iovalkey: option "${option}" is for replicas, and iovalkey() reads from the primary; leave it out, or use glide()`,
  );
}
