import type { ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Address, Location } from "../../core/location.js";
import { type Check, checkOptions, isText } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { toText } from "../../core/text.js";
import { systemClock, toMs } from "../../core/time.js";
import { LateConnection } from "../deferred.js";
import { areTlsOptions, type ConnectionOptions, checkLogin, connectionChecks, type TlsOptions } from "../options.js";
import { outsideInvocation } from "../outside-invocation.js";
import { shared } from "../registry.js";
import type { SentinelSettings, SentinelTransport } from "./connection.js";

/** Where one sentinel is. */
export interface SentinelAddress {
  host: string;
  /** @default 26379 */
  port?: number;
}

export interface SentinelOptions extends ConnectionOptions {
  /** Some of the sentinels, or all; any one that answers will do. */
  sentinels: readonly SentinelAddress[];
  /** What the sentinels call the primary. @default the location's host, as in `valkey://service/0` */
  service?: string;
  /** Name of the sentinels' own ACL user. @default the sentinels' default user */
  sentinelUsername?: string;
  /** The sentinels' own password. @default none */
  sentinelPassword?: string;
  /** Whether sentinels are spoken to over TLS, and how they are checked. @default false */
  sentinelTls?: boolean | TlsOptions;
}

/** How sentinels are reached: nothing of it is taken from what the servers want. */
export interface SentinelAccess {
  /** All sentinels have been asked when a dial is over, each a little later than the one before. */
  readonly connectTimeoutMs: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: { readonly insecure: boolean; readonly ca: string | undefined } | undefined;
}

/** Makes the transport for a location. @throws {ConfigurationError} when it can't serve it */
export type MakeTransport = (location: Location, options: SentinelOptions, access: SentinelAccess) => SentinelTransport;

const DEFAULT_PORT = 26_379;

/** @throws {ConfigurationError} on wrong options */
export function sentinelFactory(options: SentinelOptions, make: MakeTransport): ConnectionFactory {
  checkOptions<SentinelOptions>("sentinel", options, {
    ...connectionChecks,
    sentinels: areSentinels,
    service: isText,
    sentinelUsername: isText,
    sentinelPassword: isText,
    sentinelTls: (value, name) => (typeof value === "boolean" ? undefined : orFlag(areTlsOptions()(value, name))),
  });
  if (options.sentinels === undefined) {
    throw new ConfigurationError(`sentinel: option "sentinels" is missing; give ${EXAMPLE}`);
  }
  const shares = !keepsRequestsApart();
  const access = toAccess(options);
  return {
    shares,
    connect({ replicas, ...place }, invocation) {
      const location = { ...place, replicas: false };
      const own = { ...options, readFrom: options.readFrom ?? (replicas ? "preferReplica" : "primary") };
      const settings = toSettings(location, own, access, shares);
      const transport = make(location, own, access);
      if (!shares && invocation.scope === "process") return outsideInvocation(settings.name);
      const late = () =>
        new LateConnection(async () => {
          const { SentinelConnection } = await import("./connection.js");
          return new SentinelConnection(settings, transport);
        });
      if (!shares) return late();
      const key = `sentinel ${JSON.stringify([settings, access, location, { ...own, tls: tlsKey(own.tls) }])}`;
      return shared(key, late);
    },
  };
}

function toSettings(
  location: Location,
  options: SentinelOptions,
  { connectTimeoutMs: sentinelTimeoutMs }: SentinelAccess,
  watches: boolean,
): SentinelSettings {
  const [first, ...more] = location.addresses;
  if (!first || more.length > 0) {
    throw new ConfigurationError(
      `location: sentinel() can't serve ${location.display}; give one URL whose host is the service's name, such as "valkey://service/0"`,
    );
  }
  return {
    name: location.display,
    service: options.service ?? first.host,
    sentinels: options.sentinels.map(({ host, port = DEFAULT_PORT }): Address => ({ host, port })),
    replicas: options.readFrom !== "primary",
    watches,
    connectTimeoutMs: toMs(options.connectTimeout ?? 1, "connectTimeout"),
    sentinelTimeoutMs,
    commandTimeoutMs: toMs(options.commandTimeout ?? 1, "commandTimeout"),
    maxIdleMs: options.maxIdle === null ? Infinity : toMs(options.maxIdle ?? 60, "maxIdle"),
    clock: systemClock,
  };
}

function toAccess(options: SentinelOptions): SentinelAccess {
  const { sentinelUsername, sentinelPassword, sentinelTls, connectTimeout = 1 } = options;
  const login = { username: sentinelUsername, password: sentinelPassword };
  const names = { username: "sentinelUsername", password: "sentinelPassword", place: 'option "sentinelUsername"' };
  checkLogin("sentinel", login, names);
  const { insecure = false, ca }: TlsOptions = typeof sentinelTls === "object" ? sentinelTls : {};
  return {
    ...login,
    connectTimeoutMs: Math.ceil(toMs(connectTimeout, "connectTimeout") / 2),
    tls: sentinelTls ? { insecure, ca: ca === undefined ? undefined : toText(ca) } : undefined,
  };
}

/** Certificates as text, so that equal ones are equal. */
function tlsKey(tls: TlsOptions | undefined): object | undefined {
  return tls && { ...tls, ca: tls.ca === undefined ? undefined : toText(tls.ca) };
}

function orFlag(allowed: string | undefined): string | undefined {
  return allowed && `true, false, or ${allowed}`;
}

const EXAMPLE = 'a list such as [{ host: "10.0.0.1", port: 26379 }]';

const areSentinels: Check = (value) => {
  const isPort = (port: unknown) =>
    port === undefined || (Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536);
  const isAddress = (one: unknown) =>
    typeof one === "object" &&
    one !== null &&
    typeof Reflect.get(one, "host") === "string" &&
    Reflect.get(one, "host") !== "" &&
    isPort(Reflect.get(one, "port"));
  return Array.isArray(value) && value.length > 0 && value.every(isAddress) ? undefined : EXAMPLE;
};
