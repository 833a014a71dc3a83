import type { MaybePromise } from "./maybe-promise.js";

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
