import type { Fields } from "../fields.js";

/** What the origin made of a request. */
export interface Forwarded {
  readonly response: Response;
  /** The origin failed instead of answering, and the response is what the host says of that. */
  readonly failed: boolean;
}

/** What stands between the cache and its origin: the rest of a framework's chain, or a fetch. */
export interface Host {
  /**
   * Has the origin answer the client's request, with `fields` in the place of its own; `undefined` for the request as it
   * came. Called once at most. @throws what the host throws where it has no response for a failure
   */
  forward(fields: Fields | undefined): Promise<Forwarded>;
  /** Has the origin answer a GET for the same URL that is no client's, at any time; `undefined` where the host can't. */
  readonly again: ((fields: Fields) => Promise<Response>) | undefined;
  /** Keeps the host running until `work` settles; it never rejects. */
  waitUntil(work: Promise<void>): void;
  /** Fires when the client is gone. Asked for only by who waits for another's response. */
  signal(): AbortSignal | undefined;
}
