import type { Connection, ConnectionStatus } from "../core/connection.js";
import { ConnectionError, ReplyError } from "../core/errors.js";

/** The state of a connection, as `health` returns it. */
export interface Health {
  /**
   * The state of the circuit breaker. `"closed"`: the store replies. `"idle"`: no connection is open. `"open"`: the store
   * failed, and calls fail at once for a moment. `"half-open"`: the store failed, and one call tries whether it is back.
   */
  readonly state: ConnectionStatus["state"];
  /** The last error; absent when the store replies. */
  readonly lastError?: Error;
  /** What carries the commands: `"valkey-glide"`, `"iovalkey"` or `"memory"`; absent while no connection is open. */
  readonly transport?: string;
  /** Duration of a PING, in milliseconds; absent when there was no reply, or no PING was sent. */
  readonly roundTripMs?: number;
}

/** Sends a PING, unless the circuit breaker is open. @throws {ConnectionError} when the connection was closed */
export async function health(connection: Connection): Promise<Health> {
  const refusal = connection.status().state === "open" ? undefined : await ping(connection);
  const { lastError, ...status } = connection.status();
  if (typeof refusal === "number") return { ...status, roundTripMs: refusal };
  const error = refusal ?? lastError;
  return { ...status, ...(error === undefined ? {} : { lastError: error }) };
}

/** How long the PING took, or why there was no reply. */
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
