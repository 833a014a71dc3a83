import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../fixtures/tls", import.meta.url));

export type Certificate = "ca.pem" | "server.pem" | "server.key" | "client.pem" | "client.key";

/** The path of a certificate or key, for servers that read files. */
export function certificateFile(name: Certificate): string {
  return `${folder}/${name}`;
}

export function certificate(name: Certificate): string {
  return readFileSync(certificateFile(name), "utf8");
}

/** Arguments of valkey-server for TLS on a separate port, for clients with or without a certificate. */
export function tlsArguments(port: number, clients: "yes" | "optional" = "optional"): string[] {
  const files = { cert: "server.pem", key: "server.key", "ca-cert": "ca.pem" } as const;
  return [
    ...["--tls-port", String(port), "--tls-auth-clients", clients],
    ...Object.entries(files).flatMap(([name, file]) => [`--tls-${name}-file`, certificateFile(file)]),
  ];
}
