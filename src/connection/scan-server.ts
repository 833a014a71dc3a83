import type { Command, Reply } from "../core/command.js";
import { ReplyError, throwIfError } from "../core/errors.js";
import { toText } from "../core/text.js";

/** Walks one server's keyspace by SCAN. @throws {ReplyError} */
export async function* scanServer(
  single: (command: Command) => Promise<Reply[]>,
  match: string,
  count: number,
): AsyncIterable<string[]> {
  let cursor = "0";
  do {
    const [answer = null] = await single(["SCAN", cursor, "MATCH", match, "COUNT", String(count)]);
    const reply = throwIfError(answer);
    const [next, keys] = Array.isArray(reply) ? reply : [];
    if (!(next instanceof Uint8Array) || !Array.isArray(keys))
      throw new ReplyError("ERR", "SCAN answered in an unknown form");
    cursor = toText(next);
    yield keysOf(keys);
  } while (cursor !== "0");
}

/** The keys that are text. Made keys always are; what is not, is none of ours. */
export function keysOf(keys: readonly unknown[]): string[] {
  const texts: string[] = [];
  for (const key of keys) {
    if (typeof key === "string") texts.push(key);
    else if (key instanceof Uint8Array) {
      try {
        texts.push(toText(key));
      } catch {
        // Somebody else's key.
      }
    }
  }
  return texts;
}
