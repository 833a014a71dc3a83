import type { Cache } from "../../../src/cache/cache.js";
import { HEADER_LENGTH, isEnvelope } from "../../../src/codec/envelope.js";
import type { Argument, Command, Reply } from "../../../src/core/connection.js";
import { throwIfError } from "../../../src/core/errors.js";
import { toText } from "../../../src/core/text.js";

/** What the server has under a stored key, as text; of an envelope, what is in it. */
export async function stored(cache: Cache, storedKey: unknown): Promise<string | null> {
  const reply = await raw(cache, "GET", String(storedKey));
  if (!(reply instanceof Uint8Array)) return null;
  return toText(isEnvelope(reply) ? reply.subarray(HEADER_LENGTH) : reply);
}

/** The reply to a command sent past the cache. @throws {ReplyError} */
export async function raw(cache: Cache, ...command: Command): Promise<Reply> {
  const [reply = null] = await cache.connection.send([command]);
  return throwIfError(reply);
}

/** Puts under a key what the cache would not write itself. */
export async function plant(cache: Cache, key: string, value: Argument): Promise<void> {
  await raw(cache, "SET", String(cache.makeKey(key)), value);
}

/** The start of the prefixes of this test file. Made when first needed, as workerd has no randomness while modules load. */
let ofThisFile: string | undefined;
let prefixes = 0;

/** A prefix that nobody else has. */
export function ownPrefix(): string {
  ofThisFile ??= `t${crypto.randomUUID().slice(0, 8)}`;
  return `${ofThisFile}-${(++prefixes).toString(36).padStart(4, "0")}`;
}

/** Deletes what this test file has stored: each scan of another file would examine it. */
export async function deleteOwn({ connection }: Cache): Promise<void> {
  if (ofThisFile === undefined) return;
  for await (const keys of connection.scan({ match: `*${ofThisFile}-*`, count: 5_000, removes: true })) {
    if (keys.length > 0) await connection.send([["UNLINK", ...keys]]);
  }
}
