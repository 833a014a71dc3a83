/** What to check when a server can't be reached, and no better cause is known. */
export const REACHABLE = "check that it is running, and the location";

const CERTIFICATE = 'check option "tls" (ca, or cert and key), and that the certificate names the host';

/** What to do about a failure to connect. Node and OpenSSL name certificates in codes or in messages. */
export function remedyOf(reason: string): string {
  return /certificate|CERT_|_CERT|LEAF_SIGNATURE/.test(reason) ? CERTIFICATE : REACHABLE;
}
