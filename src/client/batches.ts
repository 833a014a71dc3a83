import type { Command, Connection, Reply, SendOptions } from "../core/connection.js";
import { nextTurn } from "../core/time.js";

/**
 * The most commands or keys of one round trip. Each round trip has a deadline of its own, so any number of keys can be
 * given; and none of them holds the event loop or the server for long.
 */
export const BATCH_SIZE = 1_000;

/** Sends commands in batches, one after another. @returns the replies in order @throws {ConnectionError} */
export async function sendInBatches(
  connection: Connection,
  commands: readonly Command[],
  options?: SendOptions,
): Promise<Reply[]> {
  if (commands.length <= BATCH_SIZE) return connection.send(commands, options);
  const replies: Reply[] = [];
  for (let start = 0; start < commands.length; start += BATCH_SIZE) {
    for (const reply of await connection.send(commands.slice(start, start + BATCH_SIZE), options)) replies.push(reply);
    await nextTurn();
  }
  return replies;
}

/** Lets other work of the process run between two passes over many items. */
export async function pauseIfMany(count: number): Promise<void> {
  if (count > BATCH_SIZE) await nextTurn();
}
