import type { Compressor } from "../core/value-format.js";

/** No compression: what the serializer makes is stored as it is. */
export function identity(): Compressor {
  return {
    name: "identity",
    minLength: Number.POSITIVE_INFINITY,
    compress: (bytes) => bytes,
    // Nothing grows here, so no limit applies: the bytes are in memory already.
    decompress: (bytes) => bytes,
    recognizes: () => false,
  };
}
