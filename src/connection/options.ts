import type { ConnectionAbout } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import type { Location } from "../core/location.js";
import { type Check, type Checks, isBoolean, isFunction, isOneOf, isText, isWait, orNull } from "../core/options.js";
import { type Duration, toMs } from "../core/time.js";
import { type AddressMap, type AddressResolver, isAddressMap, toResolver } from "./address-map.js";
import { CredentialSource, descriptionOf, type GetCredentials, type Login } from "./credentials.js";
import { identityOf } from "./registry.js";

/** Which servers answer reads, in GLIDE's terms. Writes always go to the primary. */
export type ReadFrom = "primary" | "preferReplica" | "AZAffinity" | "AZAffinityReplicasAndPrimary" | "allNodes";

/** How a connection checks the server's certificate, and which one it shows. */
export interface TlsOptions {
  /** Accept any certificate, for tests. @default false */
  insecure?: boolean | undefined;
  /** Certificates of the authorities to trust, in PEM form. @default the system's */
  ca?: string | Uint8Array | undefined;
  /** This client's certificate in PEM form, for servers that ask for one. Needs `key`. Only `iovalkey()` supports it. @default none */
  cert?: string | Uint8Array | undefined;
  /** The private key of `cert`, in PEM form. @default none */
  key?: string | Uint8Array | undefined;
}

/** TLS options as plain data, with certificates as text. */
export interface TlsSettings {
  readonly insecure: boolean;
  readonly ca: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly servername?: string | undefined;
}

/** Options of every transport over a network. */
export interface ConnectionOptions {
  /** Name of an ACL user. One in the location takes precedence. @default the server's default user */
  username?: string | undefined;
  /** Password. One in the location takes precedence. @default none */
  password?: string | undefined;
  /**
   * Gives the credentials in place of `username` and `password`, for passwords and tokens that change. Called for each
   * connection that is opened, within `connectTimeout`, and ahead of `expiresAt` to log open connections in again.
   * @default none
   */
  credentials?: GetCredentials | undefined;
  /** Identifies `credentials`: caches with equal settings share a connection, also after a hot reload. @default the function itself */
  credentialsId?: string | undefined;
  /**
   * Addresses to connect to in place of those that the location, a sentinel or a cluster names, for NAT and tunnels:
   * `{ "10.0.0.5:6379": "127.0.0.1:7001" }`, or a function of `{ host, port }`. TLS checks the certificate for the host that
   * is connected to. @default none
   */
  addressMap?: AddressMap | undefined;
  /** Name of the connections in CLIENT LIST, in visible ASCII characters without spaces. Servers that refuse it are used without. @default none */
  clientName?: string | undefined;
  /** How long opening a connection may take, as seconds or a duration string. @default "1s" */
  connectTimeout?: Duration | undefined;
  /** How long one round trip may take, as seconds or a duration string. @default "1s" */
  commandTimeout?: Duration | undefined;
  /** Open a new connection after this long without a reply, as the network may have dropped an idle one; `null` never. @default "60s" */
  maxIdle?: Duration | null | undefined;
  /** Which servers answer reads. @default "primary" */
  readFrom?: ReadFrom | undefined;
  /** The availability zone of this process, for the `AZ…` choices of `readFrom`. @default none */
  clientAz?: string | undefined;
  /** How to check the server, for `valkeys:` and `rediss:` locations. @default the system's authorities */
  tls?: TlsOptions | undefined;
}

const isPem: Check = (value) =>
  (typeof value === "string" && value !== "") || value instanceof Uint8Array ? undefined : "PEM as text or bytes";

const isClientName: Check = (value) =>
  typeof value === "string" && /^[!-~]+$/.test(value) ? undefined : "visible ASCII characters without spaces";

/** Checks TLS options. @param more the options that a transport has in addition */
export function areTlsOptions(more: Readonly<Record<string, Check>> = {}): Check {
  const tlsChecks: Checks<TlsOptions> = { insecure: isBoolean, ca: isPem, cert: isPem, key: isPem };
  const checks: Readonly<Record<string, Check | null>> = { ...tlsChecks, ...more };
  return (value) => {
    // GLIDE always sends the host that it connects to, even with an `addressResolver`.
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "servername") && !checks.servername)
      return 'one without "servername", as the host of the location is always sent here; or use the connection factory iovalkey()';
    const isRight = ([name, one]: [string, unknown]): boolean =>
      Object.hasOwn(checks, name) && (one === undefined || checks[name]?.(one, name) === undefined);
    if (typeof value === "object" && value !== null && Object.entries(value).every(isRight)) return undefined;
    return `an object such as { ca: "…PEM…" }, with any of ${Object.keys(checks).join(", ")}`;
  };
}

export const connectionChecks: Checks<ConnectionOptions> = {
  username: isText,
  password: isText,
  credentials: isFunction,
  credentialsId: isText,
  addressMap: isAddressMap,
  clientName: isClientName,
  connectTimeout: isWait,
  commandTimeout: isWait,
  maxIdle: orNull(isWait),
  readFrom: isOneOf("primary", "preferReplica", "AZAffinity", "AZAffinityReplicasAndPrimary", "allNodes"),
  clientAz: isText,
  tls: areTlsOptions(),
};

/** The times of a connection in milliseconds, with the defaults of all transports. */
export interface Timing {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** `Infinity` never. */
  readonly maxIdleMs: number;
}

export function toTiming({ connectTimeout = 1, commandTimeout = 1, maxIdle = 60 }: ConnectionOptions): Timing {
  return {
    connectTimeoutMs: toMs(connectTimeout, "connectTimeout"),
    commandTimeoutMs: toMs(commandTimeout, "commandTimeout"),
    maxIdleMs: maxIdle === null ? Infinity : toMs(maxIdle, "maxIdle"),
  };
}

/** How a factory connects. @param factory its name */
export function aboutOf(factory: string, options: ConnectionOptions): ConnectionAbout {
  const { readFrom = "primary", clientName } = options;
  return { factory, readFrom, clientName, ...toTiming(options) };
}

/** The credentials, TLS options and address map that a location and the options give together. */
export interface Access extends Login {
  readonly addressMap: AddressResolver | undefined;
  readonly credentials: CredentialSource | undefined;
  readonly tls: TlsOptions | undefined;
}

/**
 * Combines a location and the options. Every transport uses this, so that none connects as the wrong user or in plain text.
 * @param factory for messages
 * @throws {ConfigurationError} on an HTTP endpoint, a username without a password, and TLS options beside a scheme without TLS
 */
export function accessOf(factory: string, location: Location, options: ConnectionOptions): Access {
  if (location.scheme === "https" || location.scheme === "http") {
    throw new ConfigurationError(
      `location: ${location.display} is an HTTP endpoint; give connectionFactory: rest({ token }) of valkey-edge-cache/rest`,
    );
  }
  const login = {
    username: location.username ?? options.username,
    password: location.password ?? options.password,
  };
  const { tls, credentials, credentialsId } = options;
  if (credentials && (login.username ?? login.password) !== undefined) {
    throw new ConfigurationError(
      `${factory}: option "credentials" is given beside a username or a password for ${location.display}; give one or the other`,
    );
  }
  checkLogin(factory, login, { username: "username", password: "password", place: location.display });
  const known = credentials && descriptionOf(credentials);
  known?.check(factory, location);
  if (tls && !location.tls) {
    const secure =
      location.scheme === "unix"
        ? "leave the option out"
        : "give a valkeys:// or rediss:// URL, or leave the option out";
    throw new ConfigurationError(
      `${factory}: option "tls" is given for ${location.display}, which is plain text; ${secure}`,
    );
  }
  return {
    ...login,
    addressMap: toResolver(options.addressMap),
    credentials:
      credentials && new CredentialSource(credentials, credentialsId ?? known?.id ?? identityOf(credentials)),
    tls: location.tls ? (tls ?? {}) : undefined,
  };
}

/** @throws {ConfigurationError} on a username without a password, which would log in as the server's default user */
export function checkLogin(
  factory: string,
  { username, password }: Login,
  names: { readonly username: string; readonly password: string; readonly place: string },
): void {
  if (username === undefined || password !== undefined) return;
  throw new ConfigurationError(
    `${factory}: ${names.place} has a username and no password, so the server's default user would be used; give option "${names.password}" (any text for a user with nopass), or leave "${names.username}" out`,
  );
}

/** @throws {ConfigurationError} when the URL asks for replicas, which only sentinels can name */
export function refuseReplicas({ replicas, display }: Location, instead: string): void {
  if (!replicas) return;
  throw new ConfigurationError(
    `location: ${display} asks for replicas by is_master, which sentinel() finds; leave it out, or use ${instead}`,
  );
}
