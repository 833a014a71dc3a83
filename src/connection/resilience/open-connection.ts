import type { Connection } from "../../core/connection.js";

/** An open connection with its record of replies and failures. */
export interface OpenConnection {
  readonly connection: Connection;
  readonly openedMs: number;
  lastReplyMs: number;
  /** Round trips in progress. */
  pending: number;
  /** Round trips in a row that timed out. */
  timeouts: number;
  /** Timeouts that follow each other closely, although other round trips between them may have been answered. */
  timeoutSeries: { readonly firstMs: number; lastMs: number } | undefined;
  isRetired: boolean;
  /** It was closed here and not by the server, which may still carry out commands in progress. */
  isAbandoned: boolean;
  /** Why it has ended. */
  error: unknown;
}

export function newlyOpen(connection: Connection, nowMs: number): OpenConnection {
  return {
    connection,
    openedMs: nowMs,
    lastReplyMs: nowMs,
    pending: 0,
    timeouts: 0,
    timeoutSeries: undefined,
    isRetired: false,
    isAbandoned: false,
    error: undefined,
  };
}
