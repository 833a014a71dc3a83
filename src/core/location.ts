import { ConfigurationError } from "./errors.js";

/** The address of a server. */
export interface Address {
  /** A name or an IP address. */
  readonly host: string;
  /** The TCP port. */
  readonly port: number;
}

/** Where a cache is stored, parsed from its URL. */
export interface Location {
  /** The scheme of its URL. */
  readonly scheme: Scheme;
  /** The servers; the first is the primary, or any node of a cluster. Empty for `memory:` and `unix:`. */
  readonly addresses: readonly Address[];
  /** Whether connections use TLS. */
  readonly tls: boolean;
  /** The ACL user in the URL. */
  readonly username: string | undefined;
  /** The password in the URL. */
  readonly password: string | undefined;
  /** The number of the database; 0 where the URL has none. */
  readonly database: number;
  /** The protocol version that the URL asks for. */
  readonly protocol: 2 | 3 | undefined;
  /** Whether the URL asks for reads from replicas by `?is_master=0`, which sentinels support. */
  readonly replicas: boolean;
  /** The path of the socket for `unix:`, the name of the store for `memory:`, path and query for `http:`, otherwise empty. */
  readonly path: string;
  /** The URLs without credentials, for messages. */
  readonly display: string;
}

/** The scheme of a location's URL: `valkeys`, `rediss` and `https` use TLS. */
export type Scheme = "valkey" | "valkeys" | "redis" | "rediss" | "unix" | "memory" | "https" | "http";

const SCHEMES: readonly Scheme[] = ["valkey", "valkeys", "redis", "rediss", "unix", "memory", "https", "http"];

/** For URLs in lower case. */
const SCHEME = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:valkeys?|rediss?|unix|memory|https?):)/;
const EXAMPLE = 'give a URL such as "valkey://localhost:6379/0" or "memory:"';
/** Where it is not 6379. */
const DEFAULT_PORTS: { readonly [S in Scheme]?: number } = { https: 443, http: 80 };

/**
 * Parses one URL, several URLs separated by commas, or a list of URLs: the primary and its replicas, or nodes of a cluster.
 * @throws {ConfigurationError} without any password in its message
 */
export function parseLocation(location: unknown): Location {
  const texts = typeof location === "string" ? split(location) : location;
  const areTexts = Array.isArray(texts) && texts.every((text) => typeof text === "string");
  const [first, ...rest] = areTexts ? texts.map((text) => parseUrl(text.trim())) : [];
  if (!first) throw new ConfigurationError(`location: not a URL or a list of URLs; ${EXAMPLE}`);
  for (const other of rest) checkAlike(first, other);
  return {
    ...first,
    addresses: [first, ...rest].flatMap((one) => one.addresses),
    display: [first, ...rest].map((one) => one.display).join(","),
  };
}

/** Splits at commas that are followed by a scheme, as passwords may contain commas. */
function split(location: string): string[] {
  // A single URL skips the pattern, as compiling it would slow down each cold start.
  return location.includes(",") ? location.split(/,(?=\s*(?:valkeys?|rediss?|unix|memory|https?):)/i) : [location];
}

function parseUrl(text: string): Location {
  const scheme = SCHEMES.find((known) => text.toLowerCase().startsWith(`${known}:`));
  if (!scheme) {
    const known = SCHEMES.map((name) => `${name}:`).join(", ");
    throw new ConfigurationError(`location: ${redact(text)} has none of the schemes ${known}; ${EXAMPLE}`);
  }
  if (scheme === "memory") return plain(scheme, text.slice("memory:".length), text.includes("@") ? redact(text) : text);
  const url = toUrl(text);
  checkPlaces(url, text);
  // A valid URL without credentials or parameters can be shown unchanged.
  const shown = /@|\?/.test(text) || !text.includes("://") ? redact(text) : text;
  if (scheme === "unix") {
    if (url.pathname.length < 2)
      throw new ConfigurationError(`location: ${shown} names no socket; give "unix:///path"`);
    return {
      ...plain(scheme, decode(url.pathname, shown), shown),
      ...credentials(url, shown),
      ...settings(url, shown),
    };
  }
  if (!url.hostname) throw new ConfigurationError(`location: ${shown} names no host; ${EXAMPLE}`);
  const port = url.port === "" ? (DEFAULT_PORTS[scheme] ?? 6379) : Number(url.port);
  if (port === 0) throw new ConfigurationError(`location: ${shown} has port 0; ports are 1 to 65535`);
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
  const isHttp = scheme === "https" || scheme === "http";
  return {
    ...plain(scheme, isHttp ? url.pathname + url.search : "", shown),
    ...credentials(url, shown),
    ...(!isHttp && settings(url, shown)),
    addresses: [{ host, port }],
    tls: scheme === "valkeys" || scheme === "rediss" || scheme === "https",
  };
}

function plain(scheme: Scheme, path: string, display: string): Location {
  const none = { username: undefined, password: undefined, protocol: undefined, replicas: false };
  return { ...none, scheme, addresses: [], tls: false, database: 0, path, display };
}

function toUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    // The URL parser's error contains the whole input, password included, so it must not become the cause.
    throw new ConfigurationError(
      `location: ${redact(text)} is not a valid URL (ports are 1 to 65535; percent-encode special characters in a password); ${EXAMPLE}`,
    );
  }
}

/** Rejects unencoded special characters in a password. The rest of the password would count as a path or be dropped. */
function checkPlaces({ protocol, pathname, search, hash }: URL, text: string): void {
  const path = protocol === "unix:" ? "" : pathname;
  if (hash === "" && !`${path}${search}`.includes("@") && !/[\t\r\n]/.test(text)) return;
  throw new ConfigurationError(
    `location: ${redact(text)} contains a # or a line break, or an @ after the host; percent-encode special characters in a password`,
  );
}

function credentials(url: URL, shown: string): Pick<Location, "username" | "password"> {
  return {
    username: url.username === "" ? undefined : decode(url.username, shown),
    password: url.password === "" ? undefined : decode(url.password, shown),
  };
}

function settings(url: URL, shown: string): Pick<Location, "database" | "protocol" | "replicas"> {
  if (url.search === "") return { database: database(url, "", shown), protocol: undefined, replicas: false };
  const known = ["db", "protocol", "is_master"];
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name)) {
      throw new ConfigurationError(
        `location: ${shown} has an unknown parameter "${name}"; known are ${known.join(", ")}`,
      );
    }
  }
  const protocol = url.searchParams.get("protocol");
  if (protocol !== null && protocol !== "2" && protocol !== "3") {
    throw new ConfigurationError(`location: ${shown} asks for protocol "${protocol}"; give 2 or 3`);
  }
  const primary = url.searchParams.get("is_master") ?? "1";
  if (primary !== "0" && primary !== "1") {
    throw new ConfigurationError(`location: ${shown} has is_master "${primary}"; give 0 to read from replicas, or 1`);
  }
  return {
    database: database(url, url.searchParams.get("db") ?? "", shown),
    protocol: protocol === null ? undefined : protocol === "2" ? 2 : 3,
    replicas: primary === "0",
  };
}

function database(url: URL, byQuery: string, shown: string): number {
  const byPath = url.protocol === "unix:" ? "" : url.pathname.slice(1);
  if (byPath !== "" && byQuery !== "" && byPath !== byQuery) {
    throw new ConfigurationError(`location: ${shown} names two databases, ${byPath} and ${byQuery}; give one`);
  }
  const text = byPath || byQuery || "0";
  if (!/^\d{1,9}$/.test(text)) {
    throw new ConfigurationError(`location: ${shown} names the database "${text}"; databases are whole numbers from 0`);
  }
  return Number(text);
}

function checkAlike(first: Location, other: Location): void {
  if (first.addresses.length === 0 || other.addresses.length === 0) {
    throw new ConfigurationError(`location: ${first.display} and ${other.display} can't be combined; only servers can`);
  }
  for (const part of ["tls", "username", "password", "database", "protocol", "replicas"] as const) {
    if (first[part] !== other[part]) {
      throw new ConfigurationError(
        `location: ${first.display} and ${other.display} differ in ${part}; the servers of one cache share all but the address`,
      );
    }
  }
}

function decode(text: string, shown: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigurationError(`location: ${shown} has a percent sign that encodes nothing; write it as %25`);
  }
}

/**
 * Keeps only parts that can't be a password: the scheme, the host, a numeric port and the path. An unencoded password may
 * contain any character, and without a host it stands where a port would.
 */
function redact(text: string): string {
  const [{ length } = ""] = SCHEME.exec(text.toLowerCase()) ?? [];
  const [scheme, rest] = [text.slice(0, length), text.slice(length)];
  const at = rest.lastIndexOf("@") + 1;
  if (/[?#]/.test(rest.slice(0, at))) return `${scheme}(hidden)`;
  const [place = ""] = rest.slice(at).split(/[?#]/, 1);
  const [, host = "", port = "", path = ""] = /^(\[[^\]]*\]|[^:/]*)(:[^/]*)?(.*)$/s.exec(place) ?? [];
  return `${scheme}${host}${/^(?::\d{1,6})?$/.test(port) ? port : ":(hidden)"}${path}`;
}
