import { Redis } from "iovalkey";
import { HOST } from "./ports.js";

export interface CommandOptions {
  password?: string;
  /** Long enough for a busy machine. @default 10000 */
  timeoutMs?: number;
}

/** Sends one command over a connection of its own. */
export async function command(
  port: number,
  [name, ...args]: readonly [string, ...string[]],
  { password, timeoutMs = 10_000 }: CommandOptions = {},
): Promise<unknown> {
  const client = new Redis({
    host: HOST,
    port,
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
  // The command rejects with the error, so the event adds nothing.
  client.on("error", () => {});
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}
