import type { Address } from "../../core/location.js";

/** The address that a connector connects to. */
export interface DialTarget extends Address {
  /** A name or an address. In Workers an IPv6 address is in brackets, as `connect()` of `cloudflare:sockets` wants it. */
  readonly host: string;
  /** The location asks for TLS: `valkeys:` or `rediss:`. */
  readonly tls: boolean;
}

/**
 * An open connection as a pair of web streams, such as `connect()` of `cloudflare:sockets` and of service bindings returns.
 * `Duplex.toWeb()` converts a Node stream.
 */
export interface ByteStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves once it is open, so that errors distinguish an unreachable server from a lost connection. @default none */
  readonly opened?: Promise<unknown> | undefined;
}

/**
 * Opens a connection. If it throws, or a stream breaks, the waiting commands reject with a `ConnectionError`.
 * @example
 * import { connect } from "cloudflare:sockets";
 * const connector: Connector = ({ host, port }) => connect({ hostname: host, port });
 */
export type Connector = (target: DialTarget) => ByteStreams | Promise<ByteStreams>;
