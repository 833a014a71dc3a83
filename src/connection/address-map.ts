import { ConnectionError } from "../core/errors.js";
import type { Address } from "../core/location.js";
import type { Check } from "../core/options.js";
import { identityOf } from "./registry.js";

/** Addresses to connect to in place of others: `{ "10.0.0.5:6379": "127.0.0.1:7001" }`, or a function. IPv6 addresses are in brackets. */
export type AddressMap = Readonly<Record<string, string>> | ((address: Address) => Address);

/** An address map in a form that connections use. */
export interface AddressResolver {
  /** The address to dial. @throws {ConnectionError} when the application's function gives none */
  resolve(address: Address): Address;
  /** The identity of the map, for keys: the content of a record, or the number of a function. */
  toJSON(): unknown;
}

/** Each transport asks it for each address that it dials. */
export function toResolver(map: AddressMap | undefined): AddressResolver | undefined {
  if (map === undefined) return undefined;
  if (typeof map === "function") return { resolve: (from) => ask(map, from), toJSON: () => identityOf(map) };
  const entries = Object.entries(map).map(([from, to]) => [normalize(from), parseAddress(to)] as const);
  const known = new Map(entries);
  return {
    resolve: (from) => known.get(normalize(toText(from))) ?? from,
    toJSON: () => entries.sort(([one], [other]) => (one < other ? -1 : 1)),
  };
}

export const isAddressMap: Check = (value) => {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === "function" || (isRecord && Object.entries(value).flat().every(parseAddress))
    ? undefined
    : 'a function, or addresses with ports such as { "10.0.0.5:6379": "127.0.0.1:7001", "[::1]:6379": "[::1]:7001" }';
};

function ask(map: (address: Address) => Address, { host, port }: Address): Address {
  let to: Partial<Address> | undefined;
  let cause: unknown;
  try {
    to = map({ host, port });
  } catch (error) {
    cause = error;
  }
  // It is parsed as text, as a function may return anything.
  const address = parseAddress(toText({ host: String(to?.host), port: Number(to?.port) }));
  if (address && typeof to?.host === "string") return address;
  throw new ConnectionError(
    `option "addressMap" gave no address for ${toText({ host, port })}; return { host, port }, or what it was given`,
    { cause },
  );
}

/** A host, or an IPv6 address in brackets, and a port. */
const ADDRESS = /^(?:\[([\da-f.:]+)\]|([^\s:[\]/@?#]+)):(\d{1,5})$/i;

function parseAddress(text: unknown): Address | undefined {
  const [, six, host = six, digits] = ADDRESS.exec(String(text)) ?? [];
  const port = Number(digits);
  const isValid = host && port > 0 && port < 65_536 && URL.canParse(`http://${text}`);
  return isValid ? { host, port } : undefined;
}

function toText({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Equal addresses as equal text, in whatever way they are written. */
function normalize(text: string): string {
  return URL.canParse(`http://${text}`) ? new URL(`http://${text}`).host : text.toLowerCase();
}
