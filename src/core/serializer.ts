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
