import { show } from "../core/errors.js";
import { isOfHiddenKind, isOpaque, kindOf, remedyFor, where } from "./parts.js";

/** The one extension that MessagePack itself defines. Source: the MessagePack specification, "Extension types". */
const TIMESTAMP = 0xff;

/** The extension that msgpackr has for bigints: an integer in two's complement, the most significant byte first. */
export const BIGINT = 0x42;

/** Integers up to here are read as numbers. */
const MAX_NUMBER = 2n ** 53n;

/**
 * A bigint that would come back as a number if it were written as an integer. Numbers keep the integers, which other
 * languages write, so that bigints of this size need an extension.
 */
export class SmallBigint {
  constructor(readonly value: bigint) {}

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, this.value);
    return bytes;
  }
}

/** The bigint in an extension's bytes, of whatever length, in time that grows little more than the length. */
export function toBigint(bytes: Uint8Array): bigint {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
}

/**
 * Validates the bytes before they are decoded. It refuses lengths that exceed the bytes, and msgpackr's own extensions
 * beside bigints of 64 bits, which would create errors, regular expressions or shared references.
 * @throws Error unless `bytes` are exactly one value
 */
export function checkPlain(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let pending = 1;
  while (pending > 0) {
    const token = bytes[at];
    if (token === undefined) throw new Error("MessagePack data ends too early");
    const header = HEADER[token] ?? 1;
    if (at + header > bytes.length) throw new Error("MessagePack data ends too early");
    pending += inside(token, view, at) - 1;
    at += header + payload(token, view, at);
  }
  if (at > bytes.length) throw new Error("MessagePack data ends too early");
  if (at < bytes.length) throw new Error(`MessagePack data ends ${bytes.length - at} bytes before the stored bytes do`);
}

/** The header length of each token: the token itself, length and extension type, or a whole number. */
const HEADER = Uint8Array.from({ length: 256 }, (_, token) => headerLength(token));

function headerLength(token: number): number {
  if (token < 0xc0 || token >= 0xe0 || token <= 0xc3) return 1;
  const lengths = [2, 3, 5, 3, 4, 6, 5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5];
  return lengths[token - 0xc4] ?? 1;
}

/** The number of values that follow as parts of this one. */
function inside(token: number, view: DataView, at: number): number {
  if (token < 0x80 || token >= 0xe0) return 0;
  if (token < 0x90) return 2 * (token & 0x0f);
  if (token < 0xa0) return token & 0x0f;
  if (token === 0xdc) return view.getUint16(at + 1);
  if (token === 0xdd) return view.getUint32(at + 1);
  if (token === 0xde) return 2 * view.getUint16(at + 1);
  if (token === 0xdf) return 2 * view.getUint32(at + 1);
  return 0;
}

/** The number of bytes of text, binary data or extension that follow. */
function payload(token: number, view: DataView, at: number): number {
  if (token >= 0xa0 && token < 0xc0) return token & 0x1f;
  if (token < 0xc1 || token > 0xdb) return 0;
  if (token === 0xc4 || token === 0xd9) return view.getUint8(at + 1);
  if (token === 0xc5 || token === 0xda) return view.getUint16(at + 1);
  if (token === 0xc6 || token === 0xdb) return view.getUint32(at + 1);
  if (token === 0xc7) return extension(view.getUint8(at + 2), view.getUint8(at + 1));
  if (token === 0xd6) return extension(view.getUint8(at + 1), 4);
  if (token === 0xd7) return extension(view.getUint8(at + 1), 8);
  if (token >= 0xca && token <= 0xd3) return 0;
  if (token === 0xc2 || token === 0xc3) return 0;
  throw new Error(
    `MessagePack data has ${token === 0xc1 ? "the reserved byte 0xc1" : "an extension"}; only plain values are read`,
  );
}

function extension(type: number, length: number): number {
  if (type === BIGINT && length === 8) return length;
  if (type !== TIMESTAMP || (length !== 4 && length !== 8 && length !== 12)) {
    throw new Error(
      `MessagePack data has an extension of type ${type}; timestamps and bigints are the only extensions that are read`,
    );
  }
  return length;
}

/** The keys that lead to a value inside the stored one. */
type Path = readonly (string | number)[];

/**
 * Converts a value to types that MessagePack itself has. Integers beyond 32 bits become bigints, so that they are written
 * as integers and not as floats, small bigints become a `SmallBigint`, and `toJSON()` is applied. Values without such parts
 * are returned unchanged.
 * @throws TypeError naming the path of a part that the format can't hold
 */
export function toPlain(value: unknown): unknown {
  try {
    return plain(value, []);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TypeError(`${show(value)} refers to itself, or is too deep; store plain data without cycles`, { cause });
  }
}

function plain(value: unknown, path: Path): unknown {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x8000_0000) ? BigInt(value) : value;
    case "string":
      if (value.isWellFormed()) return value;
      throw refused(value, path, HALF);
    case "bigint":
      if (value >= -MAX_NUMBER && value <= MAX_NUMBER) return new SmallBigint(value);
      if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return value;
      throw refused(value, path, "has integers of up to 64 bits; store it as a string");
    case "object":
      return value === null ? value : plainObject(value, path);
    case "function":
    case "symbol":
      throw refused(value, path, "holds only data; leave it out");
    default:
      return value;
  }
}

const HALF =
  "is written as UTF-8, which has no form for half of a surrogate pair; cut text between characters, or use json()";

const ONLY = "has only maps with string keys, arrays and plain values";

const BOXES = [String, Number, Boolean, BigInt];

function plainObject(value: object, path: Path): unknown {
  if (Array.isArray(value)) return plainArray(value, path);
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) {
    if (Number.isFinite(value.getTime())) return value;
    throw refused(value, path, "has no invalid dates; leave it out");
  }
  const toJSON: unknown = Reflect.get(value, "toJSON");
  if (typeof toJSON === "function") return plain(toJSON.call(value, String(path.at(-1) ?? "")), path);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw refused(value, path, "has only plain bytes; give a Uint8Array, or use structuredClone()");
  }
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain && (isOfHiddenKind(value) || BOXES.some((kind) => value instanceof kind))) {
    throw refused(value, path, `${ONLY}; ${remedyFor(value)}`);
  }
  return plainRecord(value, path);
}

/** Copies the array only when an element changes. */
function plainArray(value: readonly unknown[], path: Path): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < value.length; index++) {
    const element = value[index];
    const next = isScalar(element) ? element : plain(element, [...path, index]);
    if (next !== element) copy ??= value.slice();
    if (copy) copy[index] = next;
  }
  return copy ?? value;
}

function plainRecord(value: object, path: Path): object {
  let copy: Record<string, unknown> | undefined;
  const entries = Object.entries(value);
  if (entries.length === 0 && isOpaque(value)) throw refused(value, path, `${ONLY}; ${remedyFor(value)}`);
  for (const [key, element] of entries) {
    if (key === "__proto__")
      throw refused(value, path, 'has readers that refuse or rename the key "__proto__"; rename it');
    if (!key.isWellFormed()) throw refused(key, path, HALF);
    const next = isScalar(element) ? element : plain(element, [...path, key]);
    if (next !== element) copy ??= { ...value };
    if (copy) copy[key] = next;
  }
  return copy ?? value;
}

/** The common cases, which need no path. */
function isScalar(value: unknown): boolean {
  if (typeof value === "number") return (value | 0) === value;
  if (typeof value === "string") return value.isWellFormed();
  return typeof value === "boolean" || value === null;
}

function refused(value: unknown, path: Path, why: string): TypeError {
  return new TypeError(`MessagePack has no form for ${kindOf(value)}${where(path)}: it ${why}`);
}
