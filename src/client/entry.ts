import type { Codec } from "../codec/codec.js";
import type { Encoded } from "../codec/encoded.js";
import { Envelope, FOREVER, isEnvelope } from "../codec/envelope.js";
import type { Reply } from "../core/command.js";
import { DecodeError, ReplyError, show } from "../core/errors.js";

/** The stored form in a reply to a read; `undefined` when there is none. @throws {ReplyError} */
export function toStored(reply: Reply, key: string): Encoded | undefined {
  if (reply === null) return undefined;
  if (typeof reply === "string" || reply instanceof Uint8Array) return reply;
  if (reply instanceof ReplyError) throw reply;
  throw new DecodeError(`key ${show(key)}: the server answered with no value; see what is stored there`);
}

/** The encoded value in a stored entry while it is fresh: placeholders and stale entries hold none. @throws {DecodeError} */
export function freshPayload(codec: Codec, stored: Encoded, key: string, nowMs: number): Encoded | undefined {
  if (!isEnvelope(stored)) return stored;
  const envelope = new Envelope(stored, key);
  return envelope.freshUntilMs > nowMs ? payloadOf(codec, envelope, key) : undefined;
}

/** The encoded value in an envelope, `undefined` in a placeholder. @throws {DecodeError} when another serializer wrote it */
export function payloadOf(codec: Codec, envelope: Envelope, key: string): Encoded | undefined {
  const { payload } = envelope;
  if (payload !== undefined && envelope.mark !== codec.mark) {
    throw new DecodeError(
      `key ${show(key)}: what is stored there was written by another serializer than ${codec.name}; delete the key, or use that serializer`,
    );
  }
  return payload;
}

/** Whether there is an entry, by the reply to a peek at its beginning. @throws {DecodeError} @throws {ReplyError} */
export function isThere(peek: Reply, key: string, nowMs: number): boolean {
  // A set or a hash has no beginning, and is there.
  if (peek instanceof ReplyError && peek.code === "WRONGTYPE") return true;
  const stored = toStored(peek, key);
  if (stored === undefined || stored.length === 0) return false;
  if (!isEnvelope(stored)) return true;
  const envelope = new Envelope(stored, key);
  return envelope.payload !== undefined && envelope.freshUntilMs > nowMs;
}

/** Milliseconds until the logical expiry that an entry's beginning tells, `null` for ever; `undefined` when it has none. */
export function logicalTtl(peek: Reply, key: string, nowMs: number): number | null | undefined {
  const stored = peek instanceof ReplyError ? undefined : toStored(peek, key);
  if (stored === undefined || !isEnvelope(stored)) return undefined;
  const { freshUntilMs } = new Envelope(stored, key);
  return freshUntilMs === FOREVER ? null : freshUntilMs - nowMs;
}
