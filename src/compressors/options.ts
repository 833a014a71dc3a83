import { type Check, type Checks, checkOptions } from "../core/options.js";

/** What every compressor takes. */
export interface CompressorOptions {
  /** In bytes: what is no longer than this is stored as it is. @default 15 */
  minLength?: number;
}

const MIN_LENGTH = 15;

/**
 * Checks a compressor's options and fills in what is not given.
 * @param factory the function that takes them, for messages
 * @throws {ConfigurationError} naming the option, its value and what is allowed
 */
export function compressorOptions<T extends CompressorOptions>(
  factory: string,
  given: T,
  checks: Checks<Omit<T, keyof CompressorOptions>>,
  defaults: Required<Omit<T, keyof CompressorOptions>>,
): Required<T> {
  checkOptions<CompressorOptions>(factory, given, { ...checks, minLength: isLength });
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { minLength: MIN_LENGTH, ...defaults, ...set } as Required<T>;
}

export function isWhole(from: number, to: number): Check {
  return (value) =>
    Number.isInteger(value) && Number(value) >= from && Number(value) <= to
      ? undefined
      : `a whole number from ${from} to ${to}`;
}

const isLength: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "a number of bytes, from 0";

/** The limit was reached: what follows in the stored bytes is not even looked at. */
export function tooLong(maxLength: number): RangeError {
  return new RangeError(
    `decompressed it is longer than ${maxLength} bytes; raise maxDecompressedSize if such values are meant to be there`,
  );
}

export function damaged(format: string, reason: string, cause?: unknown): Error {
  return new Error(`not ${format} data, or damaged: ${reason}`, cause === undefined ? undefined : { cause });
}

/** A stream ends where the stored bytes do, unless those were cut, added to, or are of another kind. */
export function checkEnd(format: string, end: number, length: number): void {
  if (end > length) throw damaged(format, "it ends too early");
  if (end < length) throw damaged(format, `it ends ${length - end} bytes before the stored bytes do`);
}

/** Bytes that grow as they are made, up to a limit. */
export class BoundedBytes {
  readonly #maxLength: number;
  readonly #exceeded: () => Error;
  #bytes: Uint8Array;
  #length = 0;

  /** @param exceeded what is thrown by whatever would make it longer than `maxLength` */
  constructor(maxLength: number, exceeded: () => Error = () => tooLong(maxLength)) {
    this.#maxLength = maxLength;
    this.#exceeded = exceeded;
    this.#bytes = new Uint8Array(Math.min(maxLength, 1024));
  }

  push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = byte;
  }

  append(chunk: Uint8Array): void {
    if (chunk.length > this.#bytes.length - this.#length) this.#grow(chunk.length);
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  fill(byte: number, count: number): void {
    if (count > this.#bytes.length - this.#length) this.#grow(count);
    this.#bytes.fill(byte, this.#length, this.#length + count);
    this.#length += count;
  }

  /** In memory of just that size. */
  toBytes(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): void {
    const needed = this.#length + count;
    if (needed > this.#maxLength) throw this.#exceeded();
    const grown = new Uint8Array(Math.min(Math.max(needed, 2 * this.#bytes.length), this.#maxLength));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
