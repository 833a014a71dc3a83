import type { MaybePromise } from "./async.js";

/**
 * Converts a value to text or bytes and back. A cache uses one serializer for all its values. Where it is asynchronous,
 * commands of later calls wait until the value of an earlier one is converted, for a second at most.
 */
export interface Serializer {
  /** The name in error messages. */
  readonly name: string;
  /** Whether `serialize` returns text. Then reads ask transports for text, which some decode faster than bytes. */
  readonly text: boolean;
  /** @throws if the format can't represent the value; the cache reports it as an `EncodeError` that names the key */
  serialize(value: unknown): MaybePromise<string | Uint8Array>;
  /** @throws on bytes of another format; the cache reports it as a `DecodeError` that names the key */
  deserialize(stored: string | Uint8Array): MaybePromise<unknown>;
}

/** Compresses and decompresses bytes. What is said of an asynchronous serializer holds here, too. */
export interface Compressor {
  /** The name in error messages. */
  readonly name: string;
  /** Values up to this length in bytes are stored uncompressed. */
  readonly minLength: number;
  compress(bytes: Uint8Array): MaybePromise<Uint8Array>;
  /**
   * @param maxLength in bytes; a longer result is an error and is never allocated
   * @throws on bytes that `compress` did not write, or when the result would be longer
   */
  decompress(bytes: Uint8Array, maxLength: number): MaybePromise<Uint8Array>;
  /**
   * Whether bytes begin like this format: `true` or `false` if the format has a signature, `"unknown"` if it has none, as
   * brotli.
   */
  recognizes(bytes: Uint8Array): boolean | "unknown";
}
