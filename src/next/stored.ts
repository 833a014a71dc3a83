import type { Codec } from "../codec/codec.js";
import { type Encoded, type Envelope, isEnvelope, markOf, NO_TOKEN, readEnvelope, seal } from "../codec/envelope.js";
import { isTagged, readTagged, type Tagged } from "../codec/tagged.js";
import type { Reply } from "../core/connection.js";
import { DecodeError, show } from "../core/errors.js";
import { toBytes } from "../core/text.js";
import type { EntryTags } from "../tags/entry-tags.js";
import type { Stamp } from "../tags/purge-log.js";
import { type Fields, readFrame, toFrame } from "./frame.js";

/** An entry with its value. */
export interface OpenedEntry {
  readonly envelope: Envelope;
  readonly tagged: Tagged;
  readonly fields: Fields;
}

/** What is stored under a key: an entry, or only a lease on it. */
export type Opened = OpenedEntry | { readonly envelope: Envelope; readonly fields?: undefined };

const MARK = /* @__PURE__ */ markOf("next");
/** Before a frame that the cache's compressor has made shorter. */
const PACKED = [0x4e, 0x7a] as const;

/** @throws {DecodeError} where it is no entry of Next */
export async function openEntry(codec: Codec, reply: Reply, key: string): Promise<Opened> {
  const isText = typeof reply === "string";
  if ((!isText && !(reply instanceof Uint8Array)) || !isEnvelope(reply)) throw foreign(key);
  const envelope = readEnvelope(reply, key);
  if (envelope.payload === undefined) return { envelope };
  if (envelope.mark !== MARK || !isTagged(envelope.payload)) throw foreign(key);
  const tagged = readTagged(envelope.payload, key);
  const bytes = toBytes(tagged.payload);
  const isPacked = bytes[0] === PACKED[0] && bytes[1] === PACKED[1];
  const frame = isPacked ? await codec.decompressBytes(bytes.subarray(PACKED.length), key) : bytes;
  try {
    return { envelope, tagged, fields: readFrame(frame) };
  } catch (cause) {
    throw foreign(key, cause);
  }
}

export interface Sealing {
  readonly codec: Codec;
  readonly met: EntryTags;
  readonly fields: Fields;
  readonly tags: readonly string[];
  readonly stamp: Stamp | undefined;
  readonly ttlMs: number;
  /** How long the entry took to generate. */
  readonly durationMs: number;
}

/** An entry in its stored form. Its envelope is fresh as long as it lives: what Next says of its age is in the frame. */
export async function sealEntry({ codec, met, fields, tags, stamp, ttlMs, durationMs }: Sealing): Promise<Encoded> {
  const frame = toFrame(fields);
  const packed = await codec.compressBytes(frame);
  const payload = packed ? Buffer.concat([Buffer.from(PACKED), packed]) : frame;
  const [tagged = payload] = await met.attach([payload], [tags], stamp);
  return seal(
    { freshUntilMs: Date.now() + ttlMs, deltaMs: durationMs, token: NO_TOKEN, leaseUntilMs: 0 },
    MARK,
    tagged,
  );
}

function foreign(key: string, cause?: unknown): DecodeError {
  const remedy = "delete the key, or give the cache another keyPrefix";
  return new DecodeError(`key ${show(key)}: it holds no entry of Next; ${remedy}`, { cause });
}
