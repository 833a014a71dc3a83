/// <reference lib="es2024.string" />
import type { Argument } from "../../core/connection.js";

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * An immutable byte string. It is kept as text when it was given as text, so reading it as text copies nothing.
 * No other object shares its bytes.
 */
export class Bulk {
  #form: string | Uint8Array;
  #byteLength: number | undefined;
  /** Known not to be UTF-8, so decoding is not tried again. */
  #binary = false;

  private constructor(form: string | Uint8Array, byteLength?: number) {
    this.#form = form;
    this.#byteLength = byteLength;
  }

  static from(argument: Argument): Bulk {
    if (typeof argument !== "string") return new Bulk(new Uint8Array(argument));
    const byteLength = utf8Length(argument);
    const ascii = byteLength === argument.length;
    return new Bulk(ascii ? argument : argument.toWellFormed(), byteLength);
  }

  static fromName(name: string): Bulk {
    return new Bulk(isBinaryName(name) ? nameBytes(name) : name);
  }

  get byteLength(): number {
    this.#byteLength ??= typeof this.#form === "string" ? utf8Length(this.#form) : this.#form.byteLength;
    return this.#byteLength;
  }

  /** A copy. */
  bytes(): Uint8Array {
    return typeof this.#form === "string" ? encoder.encode(this.#form) : this.#form.slice();
  }

  /** Text where the bytes are valid UTF-8, else a copy of them. */
  text(): string | Uint8Array {
    if (typeof this.#form === "string") return this.#form;
    if (this.#binary) return this.#form.slice();
    const text = decode(this.#form);
    if (text === undefined) {
      this.#binary = true;
      return this.#form.slice();
    }
    this.#form = text;
    return text;
  }

  concat(other: Bulk): Bulk {
    if (typeof this.#form === "string" && typeof other.#form === "string") {
      return new Bulk(this.#form + other.#form, this.byteLength + other.byteLength);
    }
    return this.patch(this.byteLength, other);
  }

  /** The bytes from `start` to before `end`. */
  slice(start: number, end: number): Bulk {
    if (typeof this.#form === "string" && this.#form.length === this.byteLength) {
      return new Bulk(this.#form.slice(start, end));
    }
    return new Bulk(this.bytes().subarray(start, end));
  }

  /** A copy with `other` written at `offset`; zero bytes fill a gap. */
  patch(offset: number, other: Bulk): Bulk {
    const bytes = new Uint8Array(Math.max(this.byteLength, offset + other.byteLength));
    bytes.set(this.bytes());
    bytes.set(other.bytes(), offset);
    return new Bulk(bytes);
  }
}

/** The prefix of a name that is not UTF-8, before one character for each byte. No well-formed text begins with it. */
const BINARY_MARK = "\udc00";

/** The map key of a key, member or field. Two names are equal exactly when their bytes are. */
export function toName(argument: Argument): string {
  if (typeof argument === "string") return argument.toWellFormed();
  const text = decode(argument);
  if (text !== undefined) return text;
  let name = BINARY_MARK;
  for (const byte of argument) name += String.fromCharCode(byte);
  return name;
}

export function nameLength(name: string): number {
  return isBinaryName(name) ? name.length - 1 : utf8Length(name);
}

/** Text, or bytes when the name is not UTF-8. */
export function nameForm(name: string): string | Uint8Array {
  return isBinaryName(name) ? nameBytes(name) : name;
}

/** Text, with replacement characters when the name is not UTF-8, as other transports return keys. */
export function nameText(name: string): string {
  return isBinaryName(name) ? lenientDecoder.decode(nameBytes(name)) : name;
}

export function argumentText(argument: Argument): string {
  return typeof argument === "string" ? argument : lenientDecoder.decode(argument);
}

function isBinaryName(name: string): boolean {
  return name.startsWith(BINARY_MARK);
}

function nameBytes(name: string): Uint8Array {
  return Uint8Array.from({ length: name.length - 1 }, (_, index) => name.charCodeAt(index + 1));
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined; // not UTF-8, which is a valid result here
  }
}

/** `Buffer.byteLength` counts without encoding, where there is a Buffer. */
function utf8Length(text: string): number {
  return typeof Buffer === "undefined" ? encoder.encode(text).byteLength : Buffer.byteLength(text);
}
