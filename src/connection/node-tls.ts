import type { ConnectionOptions as NodeTlsOptions } from "node:tls";
import type { TlsSettings } from "./options.js";

/** The name to send to a server (SNI), without the dot of the DNS root; none for an address (RFC 6066 §3). */
export function toServerName(host: string): string | undefined {
  return /^[\d.]*$|:/.test(host) ? undefined : host.replace(/\.$/, "");
}

/** What `node:tls` is given to reach a host: every TLS socket of this library is opened with it. */
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
