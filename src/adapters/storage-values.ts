import { decodeNumber, encodeNumber, mayBeNumber } from "../codec/codec.js";
import { show } from "../core/errors.js";
import { toBytes, toText } from "../core/text.js";
import type { Serializer } from "../core/value-format.js";
import { json } from "../serializers/json.js";

/** How unstorage itself writes bytes into stores of text. */
const BASE64 = "base64:";
/** What envelopes and tags begin with, and no other encoded value: codec/envelope.ts. */
const ENVELOPE_CODE = 0x11;
/** Keys that unstorage leaves out of objects, also in escapes: it is to see their text itself. */
const SUSPECT = /"(?:__proto__|constructor|prototype)"|\\u/;

/**
 * Text as it is, so that any client reads it, and what other unstorage drivers have written can be read. Text that a reader
 * would take for something else is a JSON string: the empty text, text in quotes, half a surrogate pair, and decimals that are
 * not written as a number's own form is, such as "007".
 */
export function plain(): Serializer {
  return {
    name: "plain text",
    text: true,
    serialize(value) {
      if (typeof value !== "string") throw new TypeError("only text is stored as it is");
      return isPlain(value) ? value : JSON.stringify(value);
    },
    deserialize(stored) {
      const text = toText(stored);
      return text.startsWith('"') ? (stringIn(text) ?? text) : text;
    },
  };
}

function isPlain(text: string): boolean {
  if (text === "" || text.startsWith('"') || text.charCodeAt(0) === ENVELOPE_CODE || !text.isWellFormed()) return false;
  return !mayBeNumber(text) || decodeNumber(text) === undefined;
}

/** The value that a cache stores for a text. */
export type Writing = (text: string) => unknown;

/** For `plain()`. Numbers stay numbers, which codecs store as decimals. */
export const asText: Writing = (text) => {
  const number = mayBeNumber(text) ? decodeNumber(text) : undefined;
  return number !== undefined && encodeNumber(number) === text ? number : text;
};

/**
 * For the serializer of a cache that the application uses as well: JSON text is the value that it says, where that makes the very
 * same text again, so that `cache.get` and `getOrSet` have the same values as `getItem`.
 */
export const asValue: Writing = (text) => {
  if (mayBeNumber(text)) return text === "null" ? null : asText(text);
  if (!/^[[{tf]/.test(text) || SUSPECT.test(text)) return text;
  const value = parsed(text);
  return JSON.stringify(value) === text ? value : text;
};

/** The text of bytes: UTF-8 as it is, and all others as unstorage 1 writes them. */
export function textOf(bytes: Uint8Array): string {
  try {
    const text = toText(bytes);
    return text.startsWith(BASE64) ? toBase64(bytes) : text;
  } catch {
    return toBase64(bytes);
  }
}

/** What `getItem` answers: a value, or text of which unstorage makes one. */
export function toItem(value: unknown): StorageValue {
  const item = textOrValue(value);
  // Faster here than by unstorage, which looks at any text in several ways.
  if (typeof item === "string" && /^[[{]/.test(item) && !SUSPECT.test(item)) return parsed(item) ?? item;
  // Nitro writes into what it reads, and a near cache may share one frozen value.
  return Object.isFrozen(item) && typeof item === "object" ? structuredClone(item) : item;
}

type StorageValue = string | boolean | object | null;

function textOrValue(value: unknown): StorageValue {
  if (typeof value === "number" || typeof value === "bigint") return encodeNumber(value) ?? String(value);
  return typeof value === "string" || typeof value === "boolean" || typeof value === "object" ? value : null;
}

/** What `getItemRaw` answers: the bytes. A `Buffer` where the runtime has it, as other drivers answer. */
export function toRaw(value: unknown): Uint8Array | null {
  if (value === undefined) return null;
  const item = textOrValue(value);
  // A copy, as the caller owns it.
  if (item instanceof Uint8Array) return asBuffer(new Uint8Array(item));
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

function parsed(text: string): object | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function stringIn(text: string): string | undefined {
  const value: unknown = parsed(text);
  return typeof value === "string" ? value : undefined;
}

function toBase64(bytes: Uint8Array): string {
  if (globalThis.Buffer) {
    return BASE64 + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  }
  return BASE64 + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
