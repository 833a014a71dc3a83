import type { Connection, ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { type Check, checkOptions, isFunction } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { toText } from "../../core/text.js";
import { systemClock, toMs } from "../../core/time.js";
import { toServerName } from "../node-tls.js";
import {
  accessOf,
  areTlsOptions,
  type ConnectionOptions,
  connectionChecks,
  refuseReplicas,
  type TlsOptions,
  type TlsSettings,
} from "../options.js";
import { outsideInvocation } from "../outside-invocation.js";
import { shared } from "../registry.js";
import { Breaker } from "../resilience/circuit-breaker.js";
import { LazyConnection } from "../resilience/lazy-connection.js";
import type { IovalkeySettings } from "./client.js";
import { type Connector, connectorId } from "./connector.js";

export interface IovalkeyTlsOptions extends TlsOptions {
  /** The name that is sent to the server (SNI), and that its certificate must have; no address. @default the location's host */
  servername?: string;
}

export interface IovalkeyOptions extends ConnectionOptions {
  /** How to check the server, and what to show it, for `valkeys:` and `rediss:` locations. @default the system's authorities */
  tls?: IovalkeyTlsOptions;
  /** Dials instead of `node:net` and `node:tls`; TLS is then its own business. @default none */
  connector?: Connector;
}

/** Opens a client. */
export type OpenIovalkey = (settings: IovalkeySettings, connector: Connector | undefined) => Promise<Connection>;

/** @throws {ConfigurationError} on wrong options */
export function iovalkeyFactory(options: IovalkeyOptions, open: OpenIovalkey): ConnectionFactory {
  checkOptions<IovalkeyOptions>("iovalkey", options, {
    ...connectionChecks,
    tls: areTlsOptions({ servername: isServerName }),
    connector: isFunction,
  });
  checkReads(options);
  const shares = !keepsRequestsApart();
  // Connections that live as long as a request learn from those before them that the server is gone.
  const breakers = new Map<string, Breaker>();
  return {
    shares,
    connect(location, invocation) {
      const settings = toSettings(location, options);
      const { connector } = options;
      const key = `iovalkey ${connectorId(connector)} ${JSON.stringify(settings)}`;
      const lazy = (breaker = breakerOf(settings)) =>
        new LazyConnection(() => open(settings, connector), { ...settings, redial: true, clock: systemClock, breaker });
      if (shares) return shared(key, () => lazy());
      if (invocation.scope === "process") return outsideInvocation(settings.name);
      const breaker = breakers.get(key) ?? breakerOf(settings);
      breakers.set(key, breaker);
      return lazy(breaker);
    },
  };
}

/** An address is no server name (RFC 6066 §3). */
const isServerName: Check = (value) =>
  typeof value === "string" && value !== "" && toServerName(value) !== undefined
    ? undefined
    : "a host name, no address";

function breakerOf({ name, connectTimeoutMs, commandTimeoutMs }: IovalkeySettings): Breaker {
  return new Breaker(name, systemClock, 2 * (connectTimeoutMs + commandTimeoutMs));
}

/** What iovalkey is opened with. @throws {ConfigurationError} */
export function toSettings(location: Location, options: IovalkeyOptions): IovalkeySettings {
  const { scheme, display, addresses, path } = location;
  const [address] = addresses;
  if (scheme === "memory") {
    throw new ConfigurationError(
      `location: iovalkey() can't serve ${display}; use the connection factory memory(), or a valkey:// URL`,
    );
  }
  refuseReplicas(location, "glide() with the option readFrom");
  if (location.protocol === 3) {
    throw new ConfigurationError(
      `location: iovalkey() can't serve ${display}, as it speaks RESP2 alone; leave "protocol" out of the URL`,
    );
  }
  if (scheme === "unix" && options.connector) {
    throw new ConfigurationError(
      `iovalkey: a connector dials addresses, and ${display} is a socket; leave option "connector" out, or give a valkey:// URL`,
    );
  }
  const { username, password, tls } = accessOf("iovalkey", location, options);
  return {
    name: display,
    address: address ?? { path },
    username,
    password,
    database: location.database,
    connectTimeoutMs: toMs(options.connectTimeout ?? 1, "connectTimeout"),
    commandTimeoutMs: toMs(options.commandTimeout ?? 1, "commandTimeout"),
    maxIdleMs: options.maxIdle === null ? Infinity : toMs(options.maxIdle ?? 60, "maxIdle"),
    tls: tls && toTls(tls),
  };
}

function toTls({ insecure = false, ca, cert, key, servername }: IovalkeyTlsOptions): TlsSettings {
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigurationError(`iovalkey: option "tls" has one of cert and key alone; give both or none`);
  }
  const text = (pem: string | Uint8Array | undefined) => (pem === undefined ? undefined : toText(pem));
  return { insecure, ca: text(ca), cert: text(cert), key: text(key), servername };
}

function checkReads({ readFrom = "primary" }: IovalkeyOptions): void {
  if (readFrom === "primary") return;
  throw new ConfigurationError(
    `iovalkey: option "readFrom" is "${readFrom}", and iovalkey() reads from the primary alone; leave it out, or use glide()`,
  );
}
