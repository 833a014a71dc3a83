import { chain, inTurns, type MaybePromise } from "../core/async.js";
import { type CacheError, ConfigurationError, DecodeError, EncodeError, show } from "../core/errors.js";
import { toBytes } from "../core/text.js";
import type { Compressor, Serializer } from "../core/value-format.js";
import { type Encoded, isEnvelope, markOf } from "./envelope.js";
import { isTagged } from "./tagged.js";

/** Longer decimals are not read as numbers, as converting them takes quadratic time. Python has the same limit. */
const MAX_DIGITS = 4_300;
const INTEGER = /^-?\d+$/;
const DECIMAL = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
/** Python's `repr` of floats that have no digits. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["nan", Number.NaN],
  ["inf", Infinity],
  ["-inf", -Infinity],
]);

/**
 * The decimal form of a number, which INCR and other languages read; `undefined` for other values. A bigint that would
 * come back as a number has none.
 */
export function encodeNumber(value: unknown): string | undefined {
  if (typeof value === "bigint") {
    if (Number.isSafeInteger(Number(value))) return undefined;
    const text = value.toString();
    return text.length > MAX_DIGITS ? undefined : text;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  if (Object.is(value, -0)) return "-0.0";
  // Without an exponent, a large float would read as an integer and come back as a bigint.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}

/** The number in `text`: a `bigint` for integers that a double can't hold exactly; `undefined` for other text. */
export function decodeNumber(text: string): number | bigint | undefined {
  if (text.length > MAX_DIGITS) return undefined;
  if (INTEGER.test(text)) {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : BigInt(text);
  }
  return DECIMAL.test(text) ? Number(text) : WORDS.get(text);
}

/** Whether stored text or bytes may begin a number: a cheap check that is true for few other values. */
export function mayBeNumber(stored: string | Uint8Array): boolean {
  const first = typeof stored === "string" ? stored.charCodeAt(0) : stored[0];
  if (first === undefined) return false;
  return (first >= 0x30 && first <= 0x39) || first === 0x2d || first === 0x6e || first === 0x69;
}

/** How values become stored bytes. */
export interface CodecOptions {
  /** Turns values into text or bytes. */
  readonly serializer: Serializer;
  /** Makes those bytes shorter, where that pays. */
  readonly compressor: Compressor;
  /** In bytes. A value that would decompress to more is an error, when it is read and when it is written. */
  readonly maxDecompressedSize: number;
}

/**
 * Converts values to their stored form and back, as Django's caches do. Integers and finite floats are stored in plain
 * decimal, so that INCR works on them, and so are bigints beyond ±2^53. Other values are serialized, and compressed above
 * the compressor's `minLength`.
 */
export class Codec {
  /** Whether stored values are text, so that transports are asked for text. */
  readonly text: boolean;
  /** The serializer and compressor, for messages. */
  readonly name: string;
  /** The serializer's mark in envelopes. */
  readonly mark: string;
  readonly #serializer: Serializer;
  readonly #compressor: Compressor;
  readonly #maxLength: number;

  constructor({ serializer, compressor, maxDecompressedSize }: CodecOptions) {
    this.#serializer = serializer;
    this.#compressor = compressor;
    this.#maxLength = maxDecompressedSize;
    const compresses = compressor.minLength !== Infinity;
    this.text = serializer.text && !compresses;
    this.name = compresses ? `${serializer.name} with ${compressor.name}` : serializer.name;
    this.mark = markOf(serializer.name);
  }

  /** @throws {EncodeError} naming `key` (rejects with it, when the serializer or compressor is asynchronous) */
  encode(value: unknown, key: string): MaybePromise<Encoded> {
    const number = encodeNumber(value);
    if (number !== undefined) return number;
    try {
      const encoded = chain(this.#serializer.serialize(value), (serialized) => this.#compress(serialized));
      if (!(encoded instanceof Promise)) return encoded;
      return encoded.catch((cause: unknown) => {
        throw this.#unstorable(value, key, cause);
      });
    } catch (cause) {
      throw this.#unstorable(value, key, cause);
    }
  }

  /** Encodes the values of pairs, in order. Many take several turns of the event loop. @throws {EncodeError} as `encode` */
  encodeAll(pairs: readonly (readonly [key: string, value: unknown])[]): MaybePromise<Encoded[]> {
    const all: Encoded[] = [];
    const waiting: Promise<void>[] = [];
    const pass = inTurns(pairs, (pair, i) => {
      const encoded = this.encode(pair[1], pair[0]);
      if (!(encoded instanceof Promise)) {
        all[i] = encoded;
        return;
      }
      const one = encoded.then((bytes): void => {
        all[i] = bytes;
      });
      waiting.push(one);
      // It may fail before all have begun, and is awaited only then.
      one.catch(() => {});
    });
    if (!pass && waiting.length === 0) return all;
    return Promise.resolve(pass)
      .then(() => Promise.all(waiting))
      .then(() => all);
  }

  /** @throws {DecodeError} naming `key` (rejects with it, when the serializer or compressor is asynchronous) */
  decode(stored: Encoded, key: string): MaybePromise<unknown> {
    if (mayBeNumber(stored)) {
      const number = decodeNumber(toLatin1(stored));
      if (number !== undefined) return number;
    }
    try {
      const value = this.#unpack(stored);
      if (!(value instanceof Promise)) return value;
      return value.catch((cause: unknown) => {
        throw this.#unreadable(key, cause);
      });
    } catch (cause) {
      throw this.#unreadable(key, cause);
    }
  }

  /** Compresses raw bytes, such as a file; `undefined` where that would not make them shorter, or not readable again. */
  compressBytes(bytes: Uint8Array): MaybePromise<Uint8Array | undefined> {
    if (bytes.length <= this.#compressor.minLength || bytes.length > this.#maxLength) return undefined;
    return chain(this.#compressor.compress(bytes), (packed) => (packed.length < bytes.length ? packed : undefined));
  }

  /** Reverses `compressBytes`. @throws {DecodeError} naming `key` (rejects with it, when the compressor is asynchronous) */
  async decompressBytes(packed: Uint8Array, key: string): Promise<Uint8Array> {
    try {
      return await this.#compressor.decompress(packed, this.#maxLength);
    } catch (cause) {
      throw this.#unreadable(key, cause);
    }
  }

  #compress(serialized: Encoded): MaybePromise<Encoded> {
    if (mayBeNumber(serialized) && decodeNumber(toLatin1(serialized)) !== undefined) {
      throw new TypeError("its serialized form would read as a number");
    }
    if (serialized.length === 0) throw new TypeError("its serialized form is empty, as a missing entry is");
    if (isEnvelope(serialized) || isTagged(serialized))
      throw new TypeError("its serialized form would read as an envelope");
    const compressor = this.#compressor;
    if (compressor.minLength === Infinity) return serialized;
    const bytes = toBytes(serialized);
    // Short values are stored uncompressed, unless a reader would take them for compressed ones.
    if (bytes.length <= compressor.minLength && compressor.recognizes(bytes) !== true) return serialized;
    if (bytes.length > this.#maxLength) {
      throw new TypeError(
        `its serialized form has ${bytes.length} bytes, and no more than maxDecompressedSize, ${this.#maxLength} bytes, can be read back; raise that option for all readers`,
      );
    }
    return compressor.compress(bytes);
  }

  #unpack(stored: Encoded): MaybePromise<unknown> {
    const compressor = this.#compressor;
    if (compressor.minLength === Infinity) return this.#serializer.deserialize(stored);
    const bytes = toBytes(stored);
    const recognized = compressor.recognizes(bytes);
    if (recognized === false) return this.#serializer.deserialize(bytes);
    const decompressed = () =>
      chain(compressor.decompress(bytes, this.#maxLength), (plain) => this.#serializer.deserialize(plain));
    if (recognized === true) return decompressed();
    // Without a signature, try to decompress. If both attempts fail, report why decompression failed.
    return attempt(decompressed, (cause) =>
      attempt(
        () => this.#serializer.deserialize(bytes),
        () => {
          throw cause;
        },
      ),
    );
  }

  #unstorable(value: unknown, key: string, cause: unknown): CacheError {
    if (cause instanceof ConfigurationError) return cause;
    return new EncodeError(
      `key ${show(key)}: ${show(value)} can't be stored by ${this.name}: ${reason(cause)}; store another value, or choose another serializer`,
      { cause },
    );
  }

  #unreadable(key: string, cause: unknown): CacheError {
    if (cause instanceof ConfigurationError) return cause;
    return new DecodeError(
      `key ${show(key)}: the stored bytes were not written by ${this.name}: ${reason(cause)}; delete the key, or use the serializer and compressor that wrote it`,
      { cause },
    );
  }
}

function attempt<T>(work: () => MaybePromise<T>, recover: (cause: unknown) => MaybePromise<T>): MaybePromise<T> {
  try {
    const result = work();
    return result instanceof Promise ? result.catch(recover) : result;
  } catch (cause) {
    return recover(cause);
  }
}

/** Custom serializers and compressors may throw anything, even values that can't be converted to a string. */
function reason(cause: unknown): string {
  try {
    return String(cause instanceof Error ? cause.message : cause);
  } catch {
    return "it threw a value without a message";
  }
}

/** One character for each byte. No number is long enough to reach the limit. */
function toLatin1(stored: Encoded): string {
  if (typeof stored === "string") return stored;
  return stored.length > 5_000 ? "" : String.fromCharCode(...stored);
}
