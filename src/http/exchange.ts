import type { Fields } from "./fields.js";

/** What the policy looks at in a request. */
export interface RequestHead {
  /** As sent: methods are case-sensitive. */
  readonly method: string;
  /** The target URI, absolute. */
  readonly url: string;
  readonly fields: Fields;
}

/** What the policy looks at in a response. */
export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /**
   * What middleware outside of the cache had set before the origin was asked. What it says of caching counts like the
   * response's own fields; none of it is stored.
   */
  readonly preset?: Fields | undefined;
}

/** When a response was asked for and when its header arrived, in milliseconds since the epoch. */
export interface Timing {
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}
