import type { Connection, ConnectionStatus } from "../core/connection.js";
import { ConnectionError, ReplyError } from "../core/errors.js";

/** How the store is. */
export interface Health {
  /**
   * `"closed"`: it answers (as an electric circuit is closed). `"idle"`: no connection is open. `"open"`: it failed, and
   * calls fail at once for a moment. `"half-open"`: it failed, and a call is let through to see whether it is back.
   */
  readonly state: ConnectionStatus["state"];
  /** What failed last; absent when the store answers. */
  readonly lastError?: Error;
  /** Of a PING, in milliseconds; absent when there was no answer, or nobody was asked. */
  readonly roundTripMs?: number;
}

/** Asks the store, unless calls are refused just now. @throws {ConnectionError} when the connection was closed */
export async function health(connection: Connection): Promise<Health> {
  const refusal = connection.status().state === "open" ? undefined : await ping(connection);
  const { state, lastError } = connection.status();
  if (typeof refusal === "number") return { state, roundTripMs: refusal };
  const error = refusal ?? lastError;
  return { state, ...(error === undefined ? {} : { lastError: error }) };
}

/** How long it took, or why there was no answer. */
async function ping(connection: Connection): Promise<number | Error> {
  const startMs = performance.now();
  try {
    const [reply] = await connection.send([["PING"]], { readOnly: true });
    return reply instanceof ReplyError ? reply : performance.now() - startMs;
  } catch (error) {
    if (error instanceof ConnectionError) return error;
    throw error;
  }
}
