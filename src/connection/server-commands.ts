import { refusedCommand } from "../core/availability.js";
import type { Argument, Command, Reply, Script, SendOptions } from "../core/connection.js";
import { ReplyError, throwIfError } from "../core/errors.js";
import { toText } from "../core/text.js";

type Send = (commands: readonly Command[], options?: SendOptions) => Promise<Reply[]>;

/** Digests by script, once they are computed. */
const digests = new WeakMap<Script, string>();

/**
 * Runs scripts over one connection. The first run sends the source, which the server keeps: that takes one round trip
 * whether or not the server has the script. Later runs send the digest, and the source again if the server has lost it.
 *
 * Each run is sent at once, so that commands reach the server in the order of the calls. A run that has to be repeated with
 * the source would be overtaken.
 */
export class ScriptRunner {
  readonly #send: Send;
  readonly #kept = new WeakSet<Script>();
  /** Not for a user whose ACL allows EVAL alone. */
  #mayUseDigests = true;

  constructor(send: Send) {
    this.#send = send;
  }

  /** @throws {ReplyError} */
  async run(script: Script, keys: readonly string[], args: readonly Argument[], options?: SendOptions): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args];
    const digest = this.#kept.has(script) ? digests.get(script) : undefined;
    if (digest !== undefined) {
      const [reply = null] = await this.#send([["EVALSHA", digest, ...rest]], options);
      // The caller may have had an error already and have written again. The script must not run after that.
      const isRefused = reply instanceof ReplyError && refusedCommand(reply) === "EVALSHA";
      const isLost = reply instanceof ReplyError && reply.code === "NOSCRIPT";
      if ((!isRefused && !isLost) || options?.waiter?.isSettled) return throwIfError(reply);
      this.#kept.delete(script);
      this.#mayUseDigests &&= !isRefused;
    }
    const [[reply = null]] = await Promise.all([
      this.#send([["EVAL", script.lua, ...rest]], options),
      computeDigest(script),
    ]);
    const isRefused = reply instanceof ReplyError && refusedCommand(reply) === "EVAL";
    if (this.#mayUseDigests && !isRefused) this.wasSent(script, () => this.#kept.add(script));
    return throwIfError(reply);
  }

  /** The server has had the source. @param keep has later runs send the digest */
  protected wasSent(_script: Script, keep: () => void): void {
    keep();
  }
}

async function computeDigest(script: Script): Promise<void> {
  if (digests.has(script)) return;
  const bytes = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(script.lua));
  digests.set(script, Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join(""));
}

/** Iterates over one server's keys by SCAN. @throws {ReplyError} */
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
      throw new ReplyError("ERR", "SCAN sent an unexpected reply");
    cursor = toText(next);
    yield keysOf(keys);
  } while (cursor !== "0");
}

/** The keys that are UTF-8. Stored keys always are, so all others belong to other applications. */
export function keysOf(keys: readonly unknown[]): string[] {
  const texts: string[] = [];
  for (const key of keys) {
    if (typeof key === "string") texts.push(key);
    else if (key instanceof Uint8Array) {
      try {
        texts.push(toText(key));
      } catch {
        // Another application's key.
      }
    }
  }
  return texts;
}
