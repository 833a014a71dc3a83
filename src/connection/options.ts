import type { Duration } from "../core/duration.js";
import { ConfigurationError } from "../core/errors.js";
import type { Location } from "../core/location.js";
import { type Check, type Checks, isBoolean, isOneOf, isText, isWait, orNull } from "../core/options.js";

/** Which servers reads go to, as GLIDE names it. Writes always go to the primary. */
export type ReadFrom = "primary" | "preferReplica" | "AZAffinity" | "AZAffinityReplicasAndPrimary" | "allNodes";

export interface TlsOptions {
  /** Accept any certificate, for tests. @default false */
  insecure?: boolean;
  /** Certificates of the authorities to trust, in PEM form. @default the system's */
  ca?: string | Uint8Array;
  /** This client's certificate, in PEM form, for servers that ask for one. Wants `key`; over `iovalkey()` alone. @default none */
  cert?: string | Uint8Array;
  /** The private key of `cert`, in PEM form. @default none */
  key?: string | Uint8Array;
}

/** What every transport over a network takes. */
export interface ConnectionOptions {
  /** Name of an ACL user; one in the location goes first. @default the server's default user */
  username?: string;
  /** Password; one in the location goes first. @default none */
  password?: string;
  /** How long opening a connection may take. @default "1s" */
  connectTimeout?: Duration;
  /** How long one flight may take. @default "1s" */
  commandTimeout?: Duration;
  /** Open a new connection after this long without a reply, as a silent network may have dropped the old one; `null` never. @default "60s" */
  maxIdle?: Duration | null;
  /** Which servers reads go to. @default "primary" */
  readFrom?: ReadFrom;
  /** The availability zone of this process, for the `AZ…` choices of `readFrom`. @default none */
  clientAz?: string;
  /** How to check the server, for `valkeys:` and `rediss:` locations. @default the system's authorities */
  tls?: TlsOptions;
}

const isPem: Check = (value) =>
  (typeof value === "string" && value !== "") || value instanceof Uint8Array ? undefined : "PEM as text or bytes";

/** TLS options, with what a transport takes beyond them. */
export function areTlsOptions(more: Readonly<Record<string, Check>> = {}): Check {
  const tlsChecks: Checks<TlsOptions> = { insecure: isBoolean, ca: isPem, cert: isPem, key: isPem };
  const checks: Readonly<Record<string, Check>> = { ...tlsChecks, ...more };
  return (value) => {
    const isRight = ([name, one]: [string, unknown]): boolean =>
      Object.hasOwn(checks, name) && (one === undefined || checks[name]?.(one, name) === undefined);
    if (typeof value === "object" && value !== null && Object.entries(value).every(isRight)) return undefined;
    return `an object such as { ca: "…PEM…" }, with any of ${Object.keys(checks).join(", ")}`;
  };
}

export const connectionChecks: Checks<ConnectionOptions> = {
  username: isText,
  password: isText,
  connectTimeout: isWait,
  commandTimeout: isWait,
  maxIdle: orNull(isWait),
  readFrom: isOneOf("primary", "preferReplica", "AZAffinity", "AZAffinityReplicasAndPrimary", "allNodes"),
  clientAz: isText,
  tls: areTlsOptions(),
};

/** @throws {ConfigurationError} when the URL asks for what sentinels alone can tell */
export function refuseReplicas({ replicas, display }: Location, instead: string): void {
  if (!replicas) return;
  throw new ConfigurationError(
    `location: ${display} asks for replicas by is_master, which sentinel() finds; leave it out, or use ${instead}`,
  );
}
