import type { Encoded } from "../codec/encoded.js";
import { Coalesced } from "./coalesce.js";
import { Seen } from "./seen.js";

/** A value and, where it is stored, its encoded form, from which each further caller gets a copy of its own. */
export interface Answer {
  readonly value: unknown;
  readonly encoded: Encoded | undefined;
}

/** What callers of one key share: those of the whole process, or of one invocation where the host keeps those apart. */
export class Sharing {
  readonly flights = new Coalesced<Answer>();
  readonly seen = new Seen();
  /** Keys that are refreshed in the background. */
  readonly refreshing = new Set<string>();

  /** An entry was written or deleted: what is known of it, and what is in flight for it, may be older. */
  forget(key: string): void {
    this.flights.forget(key);
    this.seen.delete(key);
  }

  /** As `forget`, for every entry. */
  forgetAll(): void {
    this.flights.forgetAll();
    this.seen.clear();
  }
}
