import type { Socket } from "node:net";
import type { ConnectionOptions as NodeTlsOptions, SecureContext, TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
import type { AddressResolver } from "./address-map.js";
import type { TlsSettings } from "./options.js";

/** The server name for SNI, without the dot of the DNS root; `undefined` for an IP address (RFC 6066 §3). */
export function toServerName(host: string): string | undefined {
  return /^[\d.]*$|:/.test(host) ? undefined : host.replace(/\.$/, "");
}

/** The options of `node:tls` for a host. Every TLS socket of this library is opened with them. */
export function toNodeTls({ insecure, ca, cert, key, servername }: TlsSettings, host: string): NodeTlsOptions {
  const name = servername ?? toServerName(host);
  return {
    rejectUnauthorized: !insecure,
    ...(name === undefined ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Begins to connect, over TLS where `settings` are given. Bundlers for browsers would fail at imports of Node's modules. */
export async function dialSocket(
  address: Address,
  {
    tls: given,
    addressMap,
  }: { readonly tls: TlsSettings | undefined; readonly addressMap: AddressResolver | undefined },
  more: NodeTlsOptions = {},
): Promise<Socket | TLSSocket> {
  const { host, port } = addressMap?.resolve(address) ?? address;
  if (!given) return process.getBuiltinModule("node:net").connect({ host, port });
  const tls = process.getBuiltinModule("node:tls");
  const settings = await withAuthorities(given);
  const authorities = settings.ca === undefined ? { secureContext: systemContext(tls) } : {};
  return tls.connect({ host, port, ...toNodeTls(settings, host), ...authorities, ...more });
}

/**
 * TLS settings that trust the authorities of NODE_EXTRA_CA_CERTS, SSL_CERT_FILE and SSL_CERT_DIR as well, unless they have
 * authorities of their own. GLIDE ignores the first variable, and `node:tls` the others. GLIDE trusts either the system's
 * authorities or those that it is given, so it is given all.
 */
export async function withAuthorities<T extends TlsSettings | undefined>(settings: T): Promise<T> {
  if (!settings || settings.ca !== undefined || settings.insecure) return settings;
  authorities ??= readAuthorities();
  const ca = await authorities;
  return ca === undefined ? settings : { ...settings, ca };
}

let authorities: Promise<string | undefined> | undefined;

/** All authorities that are trusted, if a variable names some of them. Files that can't be read count as empty, as in Node. */
async function readAuthorities(): Promise<string | undefined> {
  const { NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  const files = [NODE_EXTRA_CA_CERTS, SSL_CERT_FILE].flatMap((file) => file || []);
  const folders = SSL_CERT_DIR?.split(process.platform === "win32" ? ";" : ":").filter((folder) => folder !== "") ?? [];
  if (files.length + folders.length === 0) return undefined;
  const { readFile, readdir } = process.getBuiltinModule("node:fs/promises");
  const tls = process.getBuiltinModule("node:tls");
  const listed = folders.map((folder) =>
    readdir(folder).then(
      (names) => names.map((name) => `${folder}/${name}`),
      () => [],
    ),
  );
  const all = [...files, ...(await Promise.all(listed)).flat()];
  const texts = await Promise.all(all.map((file) => readFile(file, "latin1").catch(() => "")));
  // Node 20 lacks this function, although its types declare it.
  const known: typeof tls.getCACertificates | undefined = tls.getCACertificates;
  const others = known ? [...known("default"), ...known("system")] : tls.rootCertificates;
  const found = [...others, ...texts].flatMap((text) => text.match(CERTIFICATE) ?? []);
  return [...new Set(found)].join("\n");
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

let context: SecureContext | undefined;

/** Trusts the system's authorities as well, where Node can read them, because GLIDE trusts no others. */
function systemContext({ createSecureContext, getCACertificates }: typeof import("node:tls")): SecureContext {
  // Node 20 lacks this function, although its types declare it.
  const known: typeof getCACertificates | undefined = getCACertificates;
  context ??= createSecureContext(known ? { ca: [...known("default"), ...known("system")] } : {});
  return context;
}
