import type { MaybePromise } from "./maybe-promise.js";

/** Turns a value into text or bytes and back. A cache uses one for all its values. */
export interface Serializer {
  /** Named in errors. */
  readonly name: string;
  /** Whether `serialize` answers text: then transports are asked for text, which they make faster than bytes. */
  readonly text: boolean;
  /** @throws when the value has no form in this format; the cache reports it as an `EncodeError` naming the key */
  serialize(value: unknown): MaybePromise<string | Uint8Array>;
  /** @throws on bytes that it did not write; the cache reports it as a `DecodeError` naming the key */
  deserialize(stored: string | Uint8Array): MaybePromise<unknown>;
}

/** Makes bytes shorter and restores them. */
export interface Compressor {
  /** Named in errors. */
  readonly name: string;
  /** Bytes up to this length are stored as they are. */
  readonly minLength: number;
  compress(bytes: Uint8Array): MaybePromise<Uint8Array>;
  /**
   * @param maxLength in bytes; a longer result is an error, and is never allocated
   * @throws on bytes that `compress` did not write, or when the result would be longer
   */
  decompress(bytes: Uint8Array, maxLength: number): MaybePromise<Uint8Array>;
  /**
   * Whether bytes begin as this format does: `true` or `false` where the format has a signature,
   * `"unknown"` where any bytes might be one, as with brotli.
   */
  recognizes(bytes: Uint8Array): boolean | "unknown";
}
