import { KEPT_MS } from "../client/lock.js";
import type { Codec } from "../codec/codec.js";
import {
  type Envelope,
  HEADER_LENGTH,
  isEnvelope,
  markOf,
  NewerFormatError,
  NO_TOKEN,
  readEnvelope,
} from "../codec/envelope.js";
import { isTagged, readTagged, type Tagged, taggedHeadLength } from "../codec/tagged.js";
import { DecodeError, type ReplyError } from "../core/errors.js";
import { type Head, type Index, readRecord, recordHeadLength } from "../http/record.js";
import type { Stamped } from "../tags/purge-log.js";
import type { Reader } from "../tags/records.js";
import type { ParsedKey } from "./keys.js";
import type { RawEntry } from "./read.js";

/** What a stored key holds, as far as its first bytes say. */
export type Form =
  | { readonly is: "none" }
  /** A string that this user may not read, or that has more before its value than was read. */
  | { readonly is: "unread"; readonly refusal: ReplyError | undefined }
  | { readonly is: "set" | "hash" | "other" | "log" }
  | { readonly is: "lock"; readonly holder: string | undefined }
  | { readonly is: "plain"; readonly payload: Uint8Array }
  /** A value in an envelope, with or without tags before it. */
  | {
      readonly is: "value";
      readonly envelope: Envelope;
      readonly payload: Uint8Array;
      readonly tagged: Tagged | undefined;
      readonly by: "cache" | "next" | "other";
    }
  /** An envelope without a value. */
  | { readonly is: "lease"; readonly envelope: Envelope }
  | {
      readonly is: "response";
      readonly envelope: Envelope;
      readonly head: Head;
      readonly body: Uint8Array;
      readonly isInvalid: boolean;
    }
  | { readonly is: "variants"; readonly envelope: Envelope; readonly index: Index }
  | { readonly is: "uncacheable"; readonly envelope: Envelope; readonly isLarge: boolean }
  /** An envelope that can't be read. */
  | { readonly is: "broken"; readonly error: DecodeError; readonly isNewer: boolean };

const HTTP = markOf("http");
const NEXT = markOf("next");
const LOCK = /^\d+ (.*)$/s;

/** What a key holds. @param codec the cache's own */
export function formOf(raw: RawEntry, key: ParsedKey, codec: Pick<Codec, "mark">): Form {
  const { type, bytes } = raw;
  if (type === "none") return { is: "none" };
  if (type === "set" || type === "hash") return { is: type };
  if (type === "zset" && key.of === "log") return { is: "log" };
  if (type !== "string") return { is: "other" };
  if (bytes === undefined) return { is: "unread", refusal: raw.refusal };
  if (key.of === "lock") return { is: "lock", holder: LOCK.exec(latin1(bytes))?.[1] };
  if (!isEnvelope(bytes)) return { is: "plain", payload: bytes };
  if (!raw.isWhole && headLength(bytes) > bytes.length) return { is: "unread", refusal: undefined };
  try {
    return envelopeForm(bytes, raw, codec);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { is: "broken", error, isNewer: error instanceof NewerFormatError };
  }
}

/** @throws {DecodeError} */
function envelopeForm(bytes: Uint8Array, { storedKey }: RawEntry, codec: Pick<Codec, "mark">): Form {
  const envelope = readEnvelope(bytes, storedKey);
  const { payload, mark } = envelope;
  if (!(payload instanceof Uint8Array)) return { is: "lease", envelope };
  if (mark === HTTP && codec.mark !== HTTP) {
    const record = readRecord(bytes, storedKey);
    if (record.kind === "response") {
      const { head, body, invalid } = record.entry;
      return { is: "response", envelope, head, body, isInvalid: invalid };
    }
    if (record.kind === "index") return { is: "variants", envelope, index: record.index };
    return { is: "uncacheable", envelope, isLarge: record.kind === "uncacheable" && record.isLarge };
  }
  const by = mark === codec.mark ? "cache" : mark === NEXT ? "next" : "other";
  const tagged = isTagged(payload) ? readTagged(payload, storedKey) : undefined;
  const value = tagged?.payload ?? payload;
  return { is: "value", envelope, tagged, by, payload: value instanceof Uint8Array ? value : new Uint8Array() };
}

/** The shortest head that says how long the whole of it is. */
const LEAST_HEAD = HEADER_LENGTH + 32;

/** How many bytes of an envelope are before its value, with tags and what the HTTP cache keeps of a response. */
export function headLength(bytes: Uint8Array): number {
  if (bytes.length < LEAST_HEAD) return LEAST_HEAD;
  const payload = bytes.subarray(HEADER_LENGTH);
  const length = isTagged(payload) ? HEADER_LENGTH + taggedHeadLength(payload) : recordHeadLength(bytes);
  // A malformed length is seen when it is read.
  return Number.isFinite(length) ? Math.max(length, LEAST_HEAD) : LEAST_HEAD;
}

/** By what an entry is purged: its labels and its stamp; `undefined` where it has none. */
export function stampedOf(form: Form): (Stamped & { readonly reader: Reader }) | undefined {
  if (form.is === "value" && form.tagged) {
    return { labels: form.tagged.labels, stamp: form.tagged.stamp, reader: "data" };
  }
  if (form.is === "response" && form.head.labels.length > 0) {
    return { labels: form.head.labels, stamp: form.head.stamp, reader: "http" };
  }
  return undefined;
}

/** The envelope of an entry; `undefined` where it has none. */
export function envelopeOf(form: Form): Envelope | undefined {
  return "envelope" in form ? form.envelope : undefined;
}

/** The lease on an entry, or the pause after a failed load. */
export function leaseOf(
  form: Form,
  { atMs, leftMs }: Pick<RawEntry, "atMs" | "leftMs">,
): { readonly holder: string | undefined; readonly untilMs: number } | undefined {
  if (form.is === "lock") {
    const heldMs = (leftMs ?? Infinity) - KEPT_MS;
    return heldMs > 0 ? { holder: form.holder, untilMs: atMs + heldMs } : undefined;
  }
  const envelope = envelopeOf(form);
  if (!envelope || form.is === "uncacheable") return undefined;
  const { token, leaseUntilMs } = envelope;
  if (form.is !== "lease" && leaseUntilMs <= atMs) return undefined;
  return { holder: token === NO_TOKEN ? undefined : token, untilMs: leaseUntilMs };
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes.subarray(0, 256)) text += String.fromCharCode(byte);
  return text;
}
