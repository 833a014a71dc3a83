import { ConfigurationError } from "../core/errors.js";
import type { Target } from "./rfc/target.js";

/** The parts of the target that a trusted proxy may name. */
export type ForwardedPart = "proto" | "host";

/** Which fields of proxies are believed. */
export interface TrustForwarded {
  /** `"proto"` for `X-Forwarded-Proto`, `"host"` for `X-Forwarded-Host`. */
  readonly fields: readonly ForwardedPart[];
  /** The number of proxies in front that append to these fields. Values that clients have sent stand before theirs. @default 1 */
  readonly hops?: number | undefined;
}

/** Fields to believe, by name, and the number of proxies that append to them. */
export interface Trust {
  readonly names: readonly string[];
  readonly hops: number;
}

const PROTO = "x-forwarded-proto";
const HOST = "x-forwarded-host";
const URL_PARTS = /^(https?):\/\/([^/?#]*)(.*)$/is;
/** A host name, an IPv4 address or an IPv6 address in brackets, with a port. */
const AUTHORITY = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** @throws {ConfigurationError} when forwarded hosts are trusted and no hosts are listed */
export function toTrust(
  given: TrustForwarded | readonly ForwardedPart[] | undefined,
  hosts: readonly string[] | null,
): Trust | undefined {
  if (given === undefined) return undefined;
  const { fields, hops = 1 }: TrustForwarded = "fields" in given ? given : { fields: given };
  if (fields.includes("host") && hosts === null) {
    throw new ConfigurationError(
      'httpCache: option "trustForwarded" has "host", so option "hosts" must list the hosts of this service; else clients could fill the store with hosts of their own',
    );
  }
  const names = [...(fields.includes("proto") ? [PROTO] : []), ...(fields.includes("host") ? [HOST] : [])];
  return names.length > 0 ? { names, hops } : undefined;
}

/**
 * The URL that the client asked for, by what trusted proxies say.
 * @param fieldOf the value of a field, with its lines joined
 * @returns `undefined` when a trusted field has no valid value
 */
export function forwardedUrl(
  url: string,
  fieldOf: (name: string) => string | undefined,
  { names, hops }: Trust,
): string | undefined {
  const [, scheme = "", host = "", rest = ""] = URL_PARTS.exec(url) ?? [];
  const said = (name: string, own: string): string => {
    const value = names.includes(name) ? fieldOf(name) : undefined;
    return value === undefined ? own : lastOf(value, hops);
  };
  const proto = said(PROTO, scheme).toLowerCase();
  const authority = said(HOST, host);
  if ((proto !== "http" && proto !== "https") || !AUTHORITY.test(authority)) return undefined;
  return `${proto}://${authority}${rest}`;
}

/** What handlers see of a trusted field: the target's own part. */
export function forwardedValue(name: string, { scheme, host }: Target): string {
  return name === PROTO ? scheme : host;
}

/** What the outermost trusted proxy has appended; the first value where fewer proxies have. */
function lastOf(value: string, hops: number): string {
  const values = value.split(",").map((one) => one.trim());
  return values[Math.max(0, values.length - hops)] ?? "";
}
