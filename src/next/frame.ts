import { toText } from "../core/text.js";

/** What is stored of an entry: JSON, and binary data and long texts beside it. */
export type Fields = Readonly<Record<string, unknown>>;

/*
 * The stored form of an entry of Next. Bytes and long texts stand as they are after a head of JSON, as Base64 would make them
 * a third longer, and JSON slower to read:
 *
 *   0–1  "N1": begins no number, no envelope and no tags
 *   2–5  the length of the head in bytes, the most significant first
 *   6–   the head: the other fields, and the name, type and length of each part
 *   …    the parts
 */
const MAGIC = [0x4e, 0x31] as const;
const HEAD_AT = 6;
/** Shorter texts are left in the head. */
const MIN_TEXT = 256;

/** Name, type and length of a part: bytes, text, or one entry of a map with its key. A map without entries has no length. */
type Part = readonly [name: string, type: "bytes" | "text" | "entry" | "map", length: number, key?: string];

/** @throws TypeError on what JSON doesn't have */
export function toFrame(fields: Fields): Uint8Array {
  const plain: Record<string, unknown> = {};
  const parts: Part[] = [];
  const chunks: Uint8Array[] = [];
  const add = (name: string, type: Part[1], bytes: Uint8Array, key?: string): void => {
    parts.push(key === undefined ? [name, type, bytes.length] : [name, type, bytes.length, key]);
    chunks.push(bytes);
  };
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Uint8Array) add(name, "bytes", value);
    else if (typeof value === "string" && value.length >= MIN_TEXT && value.isWellFormed()) {
      add(name, "text", Buffer.from(value));
    } else if (value instanceof Map) {
      parts.push([name, "map", 0]);
      for (const [key, bytes] of value) add(name, "entry", bytes, key);
    } else plain[name] = value;
  }
  const head = Buffer.from(JSON.stringify([plain, parts]));
  const start = Buffer.alloc(HEAD_AT);
  start.set(MAGIC);
  start.writeUInt32BE(head.length, MAGIC.length);
  return Buffer.concat([start, head, ...chunks]);
}

/** The fields of a stored entry. Binary data are views of `stored`. @throws on bytes of another form */
export function readFrame(stored: Uint8Array): Record<string, unknown> {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) throw new TypeError("it is no entry of Next");
  let at = HEAD_AT + bytes.readUInt32BE(MAGIC.length);
  const [fields, parts]: [Record<string, unknown>, Part[]] = JSON.parse(toText(bytes.subarray(HEAD_AT, at)));
  for (const [name, type, length, key = ""] of parts) {
    const part = bytes.subarray(at, at + length);
    if (part.length < length) throw new TypeError("its end is missing");
    at += length;
    if (type === "bytes") fields[name] = part;
    else if (type === "text") fields[name] = part.toString();
    else if (type === "map") fields[name] = new Map();
    else (fields[name] as Map<string, Uint8Array>).set(key, part);
  }
  return fields;
}
