import { decodeNumber, encodeNumber, mayBeNumber } from "../codec/codec.js";
import { show } from "../core/errors.js";
import { toBytes, toText } from "../core/text.js";
import type { Serializer } from "../core/value-format.js";
import { json } from "../serializers/json.js";

/** How unstorage itself writes bytes into stores of text. */
const BASE64 = "base64:";
/** What envelopes and tags begin with, and no other encoded value: codec/envelope.ts. */
const ENVELOPE_CODE = 0x11;

/**
 * Text as it is, and bytes as they are, so that any client reads them, and what other unstorage drivers have written can be
 * read. Text that a reader would take for something else is a JSON string: the empty text, text in quotes, half a surrogate
 * pair, and decimals that are not written as a number's own form is, such as "007".
 */
export function plain(): Serializer {
  return {
    name: "plain text",
    // Bytes that are no text would not come back from a transport that reads text.
    text: false,
    serialize(value) {
      if (value instanceof Uint8Array) return value;
      if (typeof value !== "string") throw new TypeError("only text and bytes are stored as they are");
      return isPlain(value) ? value : JSON.stringify(value);
    },
    deserialize(stored) {
      const text = textIn(stored);
      // A copy, as the caller owns what it gets.
      if (text === undefined) return new Uint8Array(toBytes(stored));
      return text.startsWith('"') ? (stringIn(text) ?? text) : text;
    },
  };
}

function isPlain(text: string): boolean {
  if (text === "" || text.startsWith('"') || text.charCodeAt(0) === ENVELOPE_CODE || !text.isWellFormed()) return false;
  return !mayBeNumber(text) || decodeNumber(text) === undefined;
}

/** What a driver hands to the cache for what unstorage hands to it. */
export interface Writing {
  readonly text: (text: string) => unknown;
  readonly bytes: (bytes: Uint8Array) => unknown;
}

/** For `plain()`. Numbers stay numbers, which codecs store as decimals. */
export const asText: Writing = {
  text: numberOrText,
  bytes(bytes) {
    const text = textIn(bytes);
    if (text !== undefined && !text.startsWith(BASE64)) return numberOrText(text);
    return text !== undefined || bytes[0] === ENVELOPE_CODE ? toBase64(bytes) : bytes;
  },
};

/** The number whose stored form the text is. */
function numberOrText(text: string): unknown {
  const number = mayBeNumber(text) ? decodeNumber(text) : undefined;
  return number !== undefined && encodeNumber(number) === text ? number : text;
}

/**
 * For the serializer of a cache that the application uses as well: text that is JSON is the value that it says, so that
 * `cache.get` and `getOrSet` have the same values as `getItem`. Bytes are text, as most serializers can't hold them.
 */
export const asValues: Writing = {
  text: valueOrText,
  bytes(bytes) {
    const text = textIn(bytes);
    return text === undefined || text.startsWith(BASE64) ? toBase64(bytes) : valueOrText(text);
  },
};

/** The value of JSON text from which the very same text is made again. Keys that unstorage leaves out stay text, for it to see. */
function valueOrText(text: string): unknown {
  if (mayBeNumber(text)) return text === "null" ? null : numberOrText(text);
  if (!/^[[{tf]/.test(text) || /"(?:__proto__|constructor|prototype)"/.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? value : text;
  } catch {
    return text;
  }
}

/** What `getItem` answers: text, or a value that an application has stored. */
export function toItem(value: unknown): string | number | boolean | object | null {
  if (typeof value === "number" || typeof value === "bigint") return encodeNumber(value) ?? String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value !== "object") return null;
  // Nitro writes into what it reads, and a near cache may share one frozen value.
  return Object.isFrozen(value) ? structuredClone(value) : value;
}

/** What `getItemRaw` answers: the bytes. A `Buffer` where the runtime has it, as other drivers answer. */
export function toRaw(value: unknown): Uint8Array | null {
  if (value === undefined) return null;
  const item = toItem(value);
  if (item instanceof Uint8Array) return asBuffer(item);
  if (typeof item !== "string") return asBuffer(toBytes(JSON.stringify(item)));
  const bytes = item.startsWith(BASE64) ? fromBase64(item.slice(BASE64.length)) : undefined;
  return asBuffer(bytes ?? toBytes(item));
}

/** The bytes of what `setItemRaw` takes: binary data and text, and JSON of everything else. @throws TypeError naming the key */
export async function bytesOf(value: unknown, key: string): Promise<Uint8Array> {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (typeof value === "string") return toBytes(value);
  try {
    return toBytes(await json().serialize(value));
  } catch (cause) {
    throw new TypeError(`key ${show(key)}: ${show(value)} has no bytes; give setItemRaw a Uint8Array, text or JSON`, {
      cause,
    });
  }
}

function asBuffer(bytes: Uint8Array): Uint8Array {
  return globalThis.Buffer ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes;
}

function textIn(stored: string | Uint8Array): string | undefined {
  try {
    return toText(stored);
  } catch {
    return undefined;
  }
}

function stringIn(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return BASE64 + btoa(text);
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
