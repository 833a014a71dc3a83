import type { Codec } from "../codec/codec.js";
import type { Encoded } from "../codec/envelope.js";

/** The cache's own encoding of values and bytes, for use beside `cache.connection`. No I/O. */
export class ValueCodec {
  readonly #codec: Codec;

  /** @internal Use `cache.codec`. */
  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /**
   * The stored form of a value.
   * @returns a string or bytes
   * @throws {EncodeError} when the serializer can't store the value
   * @example
   * const key = cache.makeKey("greeting");
   * await cache.connection.send([["SET", String(key), await cache.codec.encode("hello"), "EX", "60"]]);
   */
  async encode(value: unknown): Promise<Encoded> {
    return this.#codec.encode(value, "");
  }

  /**
   * The value of a stored form, a string or bytes.
   * @throws {DecodeError} when another serializer or compressor wrote it
   * @example
   * const value = await cache.codec.decode(await cache.codec.encode({ n: 1 })); // { n: 1 }
   */
  async decode(stored: Encoded): Promise<unknown> {
    return this.#codec.decode(stored, "");
  }

  /** Compresses bytes, such as a file, with the cache's compressor; `undefined` where that saves nothing. */
  async compressBytes(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#codec.compressBytes(bytes);
  }

  /** The bytes that `compressBytes` compressed. @throws {DecodeError} on other bytes, or beyond `maxDecompressedSize` */
  async decompressBytes(packed: Uint8Array): Promise<Uint8Array> {
    return this.#codec.decompressBytes(packed, "");
  }
}
