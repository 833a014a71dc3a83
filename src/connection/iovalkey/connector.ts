import type { Address } from "../../core/location.js";

/** Where a connector is to dial. */
export interface DialTarget extends Address {
  /** The location asks for TLS: `valkeys:` or `rediss:`. */
  readonly tls: boolean;
}

/**
 * An open connection as a pair of web streams. What `connect()` of `cloudflare:sockets` and of service bindings answers
 * is one; a Node stream becomes one by `Duplex.toWeb()`.
 */
export interface ByteStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves once it is open, where that shows: a server that can't be reached is then told from one that is lost. */
  readonly opened?: Promise<unknown>;
}

/** Dials. What it throws, or a stream that breaks, is a `ConnectionError` of the commands that wait. */
export type Connector = (target: DialTarget) => ByteStreams | Promise<ByteStreams>;

const ids = new WeakMap<Connector, number>();
let last = 0;

/** Tells connectors apart: two functions are never taken for one, however alike. 0 for none. */
export function connectorId(connector: Connector | undefined): number {
  if (!connector) return 0;
  const id = ids.get(connector) ?? ++last;
  ids.set(connector, id);
  return id;
}
