import type { Fields } from "./rfc/message.js";

/** A request as the origin is to see it, and all that it is to see of it. */
export interface OriginRequest {
  readonly url: string;
  readonly fields: Fields;
  /** Fires when the response is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What the origin made of a request. */
export interface Forwarded {
  readonly response: Response;
  /** The origin failed instead of answering, and the response is what the host says of that. */
  readonly failed: boolean;
  /** What `Host.preset` gives for this response. @default nothing */
  readonly preset?: Fields | undefined;
}

/** What stands between the cache and its origin: the rest of a framework's chain, or a fetch. */
export interface Host {
  /**
   * Has the origin answer the client's request, as `request` has it; `undefined` for the request as it came. Called once at
   * most. What the origin sees must stay what `request` has until the response's body has ended.
   * @throws what the host throws where it has no response for a failure
   */
  forward(request: OriginRequest | undefined): Promise<Forwarded>;
  /**
   * Has the origin answer a GET that is no client's, at any time; `undefined` where the host can't.
   * @param sent the fields that what comes before the cache is to see, as it saw the client's
   */
  readonly again: ((request: OriginRequest, sent: Fields) => Promise<Forwarded>) | undefined;
  /** Header fields that the response to the client has before the origin is asked: what they say of caching counts. */
  preset(): Fields;
  /** Keeps the host running until `work` settles; it never rejects. */
  waitUntil(work: Promise<void>): void;
  /** Fires when the client is gone. Asked for only by who waits for another's response, or stores this one. */
  signal(): AbortSignal | undefined;
}
