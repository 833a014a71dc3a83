import type { Socket } from "node:net";
import type { ConnectionOptions as NodeTlsOptions, SecureContext, TLSSocket } from "node:tls";
import type { Address } from "../core/location.js";
import { toNodeTls } from "./node-tls.js";
import type { TlsSettings } from "./options.js";

/** Begins to connect, with the server's name where TLS is spoken. */
export async function dialSocket(
  { host, port }: Address,
  settings: TlsSettings | undefined,
  more: NodeTlsOptions = {},
): Promise<Socket | TLSSocket> {
  if (!settings) return (await import("node:net")).connect({ host, port });
  const tls = await import("node:tls");
  const authorities = settings.ca === undefined ? { secureContext: systemContext(tls) } : {};
  return tls.connect({ host, port, ...toNodeTls(settings, host), ...authorities, ...more });
}

let context: SecureContext | undefined;

/** Trusts the system's authorities, too, where Node can read them: GLIDE trusts no others. */
function systemContext({ createSecureContext, getCACertificates }: typeof import("node:tls")): SecureContext {
  // Node 20 has no such function, whatever its types say.
  const known: typeof getCACertificates | undefined = getCACertificates;
  context ??= createSecureContext(known ? { ca: [...known("default"), ...known("system")] } : {});
  return context;
}
