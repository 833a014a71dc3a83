import type { Compressor } from "../core/value-format.js";

/** No compression: serialized values are stored as they are. */
export function identity(): Compressor {
  return {
    name: "identity",
    minLength: Number.POSITIVE_INFINITY,
    compress: (bytes) => bytes,
    // The bytes are in memory already and do not grow, so no limit applies.
    decompress: (bytes) => bytes,
    recognizes: () => false,
  };
}
