import type { Socket } from "node:net";
import type { ConnectionOptions as NodeTlsOptions, SecureContext, TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
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
  { host, port }: Address,
  settings: TlsSettings | undefined,
  more: NodeTlsOptions = {},
): Promise<Socket | TLSSocket> {
  if (!settings) return process.getBuiltinModule("node:net").connect({ host, port });
  const tls = process.getBuiltinModule("node:tls");
  const authorities = settings.ca === undefined ? { secureContext: systemContext(tls) } : {};
  return tls.connect({ host, port, ...toNodeTls(settings, host), ...authorities, ...more });
}

let context: SecureContext | undefined;

/** Trusts the system's authorities as well, where Node can read them, because GLIDE trusts no others. */
function systemContext({ createSecureContext, getCACertificates }: typeof import("node:tls")): SecureContext {
  // Node 20 lacks this function, although its types declare it.
  const known: typeof getCACertificates | undefined = getCACertificates;
  context ??= createSecureContext(known ? { ca: [...known("default"), ...known("system")] } : {});
  return context;
}
