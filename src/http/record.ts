import { type Envelope, HEADER_LENGTH, isEnvelope, markOf, NO_TOKEN, readEnvelope, seal } from "../codec/envelope.js";
import { DecodeError, show } from "../core/errors.js";
import { toBytes } from "../core/text.js";
import type { Stamp } from "../tags/purge-log.js";
import type { StoredResponse, Template } from "./rfc/stored-response.js";

/*
 * The value under a key of the HTTP cache is an envelope (codec/envelope.ts; its "fresh until" is when the key expires).
 * The first byte of the payload is its kind:
 *
 *   R  a response: "." or, when it was softly purged, "!"; the length of the head in 8 digits; the head in JSON; the body
 *   I  an index, for a URL whose responses have Vary: the generation, lists of field names, the variants
 *   U  a mark: the last response could not be stored, so requests need not wait for each other; UL, if it was too large
 *
 * An envelope without payload is a lease.
 */
const MARK = markOf("http");
const DIGITS = 8;
const HEAD_START = 2 + DIGITS;
const EMPTY = new Uint8Array();
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A response as it is stored, beside its body. */
export interface Head extends StoredResponse {
  /** Hashes of the labels that it can be purged by. */
  readonly labels: readonly string[];
  /** The position of the purge log when its request began; absent without labels. */
  readonly stamp: Stamp | undefined;
  /** The body went through the cache's compressor. */
  readonly packed: boolean;
}

/** A stored response. */
export interface Entry {
  readonly key: string;
  readonly head: Head;
  readonly body: Uint8Array;
  /** Softly purged: to be validated before any use. */
  readonly invalid: boolean;
  /** When its key expires, in milliseconds since the epoch; identifies this response when its lease is claimed. */
  readonly expiresMs: number;
  /** When the lease on it ends, or the pause after a failed refresh, by the server's clock. */
  readonly leaseUntilMs: number;
  /** The token of the lease on it; `NO_TOKEN` without a lease, and in the pause after a failed refresh. */
  readonly holder: string;
  /** What plain hits have made of it, for the next one. */
  template?: Template | undefined;
}

/** The variants of one URL. */
export interface Index {
  /** Part of the key of each variant; a purge ends it. */
  readonly generation: string;
  /** The lists of field names that responses gave in Vary, the newest first. */
  readonly names: readonly (readonly string[])[];
  /** Hashes of the selectors, the newest first. */
  readonly variants: readonly string[];
}

export type Stored =
  | { readonly kind: "response"; readonly entry: Entry }
  | { readonly kind: "index"; readonly index: Index; readonly bytes: Uint8Array }
  /** The holder of the token may replace it. */
  | { readonly kind: "uncacheable"; readonly token: string; readonly isLarge: boolean }
  | { readonly kind: "lease"; readonly token: string };

/** @throws {DecodeError} when the value is of no known kind */
export function readRecord(stored: Uint8Array, key: string): Stored {
  if (!isEnvelope(stored)) throw broken(key);
  const envelope = readEnvelope(stored, key);
  const payload = stored.subarray(HEADER_LENGTH);
  const kind = payload[0];
  if (kind === undefined) return { kind: "lease", token: envelope.token };
  if (envelope.mark !== MARK) throw broken(key);
  if (kind === 0x52) return { kind: "response", entry: readEntry(envelope, payload, key) };
  if (kind === 0x49) return { kind: "index", index: readIndex(decoder.decode(payload), key), bytes: stored };
  if (kind === 0x55) return { kind: "uncacheable", token: envelope.token, isLarge: payload[1] === 0x4c };
  throw broken(key);
}

/** How many bytes a record has before the body of its response, by its first bytes; 0 where it is no response. */
export function recordHeadLength(record: Uint8Array): number {
  const payload = record.subarray(HEADER_LENGTH);
  const isResponse = payload[0] === 0x52 && String.fromCharCode(record[3] ?? 0) === MARK;
  return isResponse ? HEADER_LENGTH + HEAD_START + decimal(payload.subarray(2, HEAD_START)) : 0;
}

function readEntry(envelope: Envelope, payload: Uint8Array, key: string): Entry {
  const bodyStart = HEAD_START + decimal(payload.subarray(2, HEAD_START));
  if (!(bodyStart <= payload.length)) throw broken(key);
  let head: Head;
  try {
    head = JSON.parse(decoder.decode(payload.subarray(HEAD_START, bodyStart)));
  } catch (cause) {
    throw broken(key, cause);
  }
  return {
    key,
    head,
    body: payload.subarray(bodyStart),
    invalid: payload[1] === 0x21,
    expiresMs: envelope.freshUntilMs,
    leaseUntilMs: envelope.leaseUntilMs,
    holder: envelope.token,
  };
}

function readIndex(text: string, key: string): Index {
  const [names, variants] = text.slice(14).split("\n\n");
  if (names === undefined || variants === undefined) throw broken(key);
  return {
    generation: text.slice(1, 13),
    names: names.split("\n").map((line) => line.split(",")),
    variants: variants.split("\n"),
  };
}

/** @param expiresMs milliseconds since the epoch */
export function responseRecord(head: Head, body: Uint8Array, expiresMs: number): Uint8Array {
  const json = encoder.encode(JSON.stringify(head));
  const start = envelopeOf(`R.${String(json.length).padStart(DIGITS, "0")}`, expiresMs);
  const record = new Uint8Array(start.length + json.length + body.length);
  record.set(start);
  record.set(json, start.length);
  record.set(body, start.length + json.length);
  return record;
}

export function indexRecord({ generation, names, variants }: Index, expiresMs: number): Uint8Array {
  const lines = names.map((list) => list.join(",")).join("\n");
  return envelopeOf(`I${generation}\n${lines}\n\n${variants.join("\n")}`, expiresMs);
}

/** @param token the proof with which a response may replace it @param isLarge whether the last response was too large */
export function uncacheableRecord(token: string, expiresMs: number, isLarge: boolean): Uint8Array {
  return envelopeOf(isLarge ? "UL" : "U", expiresMs, token);
}

function envelopeOf(payload: string, expiresMs: number, token: string = NO_TOKEN): Uint8Array {
  return toBytes(seal({ freshUntilMs: expiresMs, deltaMs: 0, token, leaseUntilMs: 0 }, MARK, payload));
}

function broken(key: string, cause?: unknown): DecodeError {
  return new DecodeError(
    `key ${show(key)}: what is stored there is no response of the HTTP cache; delete the key`,
    cause === undefined ? undefined : { cause },
  );
}

/** `NaN` where a byte is no digit. */
function decimal(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = byte >= 0x30 && byte <= 0x39 ? value * 10 + byte - 0x30 : Number.NaN;
  return value;
}

/** The body of a response that has none. */
export const NO_BODY: Uint8Array = EMPTY;
