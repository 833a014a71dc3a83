import { Availability } from "../../core/availability.js";
import type { ConnectionFactory } from "../../core/connection.js";
import { ConfigurationError } from "../../core/errors.js";
import type { Address, Location } from "../../core/location.js";
import { type Check, checkOptions, isText } from "../../core/options.js";
import { keepsRequestsApart } from "../../core/runtime.js";
import { toText } from "../../core/text.js";
import { systemClock } from "../../core/time.js";
import type { CredentialSource } from "../credentials.js";
import { DeferredConnection, outsideInvocation } from "../deferred.js";
import { type OpenIovalkey, toSettings as toIovalkeySettings } from "../iovalkey/factory.js";
import {
  aboutOf,
  accessOf,
  areTlsOptions,
  type ConnectionOptions,
  checkLogin,
  connectionChecks,
  type TlsOptions,
  toTiming,
} from "../options.js";
import { sharedConnection } from "../registry.js";
import type { SentinelSettings, SentinelTransport } from "./connection.js";

/** The address of a sentinel. */
export interface SentinelAddress {
  /** A name or an IP address. */
  host: string;
  /** The TCP port. @default 26379 */
  port?: number | undefined;
}

/** Options of `sentinel()`. */
export interface SentinelOptions extends ConnectionOptions {
  /** Some or all of the sentinels. One that answers is enough. */
  sentinels: readonly SentinelAddress[];
  /** The name of the service at the sentinels. @default the location's host, as in `valkey://service/0` */
  service?: string | undefined;
  /** Name of an ACL user of the sentinels. @default the sentinels' default user */
  sentinelUsername?: string | undefined;
  /** Password for the sentinels. @default none */
  sentinelPassword?: string | undefined;
  /** Whether to connect to sentinels over TLS, and how to check them. @default false */
  sentinelTls?: boolean | TlsOptions | undefined;
}

/** How to reach sentinels. It is independent of the settings for servers. */
export interface SentinelAccess {
  /** Half of the connect timeout, so that a dial can ask several sentinels, one shortly after the other. */
  readonly connectTimeoutMs: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly credentials: undefined;
  readonly tls: { readonly insecure: boolean; readonly ca: string | undefined } | undefined;
}

/** Where servers and their sentinels are. */
export interface Place {
  readonly location: Location;
  readonly access: SentinelAccess;
  /** What logs in to the servers, where that changes. */
  readonly credentials: CredentialSource | undefined;
}

/** Makes the transport for a location. @throws {ConfigurationError} when it doesn't support the location */
export type MakeTransport = (place: Place, options: SentinelOptions) => SentinelTransport;

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
  // Connections that live as long as a request share what is known of their servers with those before them.
  const known = new Map<string, Availability>();
  return {
    shares,
    about: aboutOf("sentinel", options),
    connect({ replicas, ...place }, invocation) {
      const location = { ...place, replicas: false };
      const own = { ...options, readFrom: options.readFrom ?? (replicas ? "preferReplica" : "primary") };
      const settings = toSettings(location, own, access, shares);
      const { credentials, addressMap } = accessOf("sentinel", location, own);
      const transport = make({ location, access, credentials }, own);
      if (!shares && invocation.scope === "process") return outsideInvocation(settings.name);
      const deferred = (own: Pick<SentinelSettings, "availability"> = {}) =>
        new DeferredConnection(async () => {
          const { SentinelConnection } = await import("./connection.js");
          return new SentinelConnection({ ...settings, ...own }, transport);
        });
      if (!shares) {
        const availability = known.get(settings.name) ?? new Availability(settings.name, systemClock);
        known.set(settings.name, availability);
        return deferred({ availability });
      }
      const key = `sentinel ${JSON.stringify([settings, access, location, { ...own, credentials, addressMap, tls: tlsKey(own.tls) }])}`;
      return sharedConnection(key, () => deferred(), credentials);
    },
  };
}

/** @throws {ConfigurationError} */
export function toSettings(
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
    ...toTiming(options),
    sentinelTimeoutMs,
    clock: systemClock,
  };
}

/** @throws {ConfigurationError} */
export function toAccess(options: SentinelOptions): SentinelAccess {
  const { sentinelUsername, sentinelPassword, sentinelTls } = options;
  const login = { username: sentinelUsername, password: sentinelPassword };
  const names = { username: "sentinelUsername", password: "sentinelPassword", place: 'option "sentinelUsername"' };
  checkLogin("sentinel", login, names);
  const { insecure = false, ca }: TlsOptions = typeof sentinelTls === "object" ? sentinelTls : {};
  return {
    ...login,
    credentials: undefined,
    connectTimeoutMs: Math.ceil(toTiming(options).connectTimeoutMs / 2),
    tls: sentinelTls ? { insecure, ca: ca === undefined ? undefined : toText(ca) } : undefined,
  };
}

/** TLS options with certificates as text, so that equal options have equal keys. */
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

/** Reaches sentinels and their primary over iovalkey, without a subscription: a failed command makes it ask again. */
export function overIovalkey(open: OpenIovalkey): MakeTransport {
  return ({ location, access, credentials }, options) => {
    const { sentinels: _1, service: _2, sentinelUsername: _3, sentinelPassword: _4, sentinelTls: _5, ...own } = options;
    const servers = { ...toIovalkeySettings(location, own), credentials };
    const tls = access.tls && { ...access.tls, cert: undefined, key: undefined, servername: undefined };
    const sentinels = { ...servers, ...access, tls, database: 0 };
    return {
      openSentinel: ({ host, port }) =>
        open({ ...sentinels, name: `the sentinel at ${host}:${port}`, address: { host, port } }, undefined, () => {}),
      openServers: ({ primary }, { retire }) => open({ ...servers, address: primary }, undefined, retire),
      prepare: async () => {},
    };
  };
}
