import type { Fields } from "./rfc/message.js";
import type { RouteOptions } from "./routes.js";

/** The request that the origin gets. */
export interface OriginRequest {
  readonly url: string;
  readonly fields: Fields;
  /** Fires when the response is not wanted any more. */
  readonly signal: AbortSignal;
}

/** The origin's response to a request. */
export interface Forwarded {
  readonly response: Response;
  /** The origin failed, and the response is the host's error response. */
  readonly failed: boolean;
  /** The preset fields of this response, as `Host.preset` returns them. @default none */
  readonly preset?: Fields | undefined;
  /** Options for this response alone, which go before those of its route and of the cache. @default none */
  readonly storage?: RouteOptions | undefined;
  /** The origin has sent the response over the host's own connection, so there is nothing to store or to answer with. @default false */
  readonly isSent?: boolean | undefined;
}

/** A background refresh did not reach the origin, as something before the cache has answered it. */
export class UnreachedError extends Error {
  override readonly name = "UnreachedError";
}

/** The port to the origin: the rest of a framework's middleware chain, or a fetch. */
export interface Host {
  /**
   * Sends the client's request to the origin, in the form of `request`; unchanged where that is `undefined`. Called at most
   * once. The origin must see the same request until the response's body has ended.
   * @throws the host's error, where it has no response for a failure
   */
  forward(request: OriginRequest | undefined): Promise<Forwarded>;
  /**
   * Sends a GET to the origin that does not belong to a client, at any time; `undefined` where the host can't. Rejects
   * with `UnreachedError` when something before the cache answers it.
   * @param sent the header fields that outer middleware gets
   */
  readonly refetch: ((request: OriginRequest, sent: Fields) => Promise<Forwarded>) | undefined;
  /** Preset fields: those that outer middleware has set on the response before the origin is asked. */
  preset(): Fields;
  /** Keeps the host running until `work` settles; it never rejects. */
  waitUntil(work: Promise<void>): void;
  /** Fires when the client has left. */
  signal(): AbortSignal | undefined;
}
