import type { Compressor } from "../core/compressor.js";
import { ConfigurationError } from "../core/errors.js";
import type { Container } from "./deflate-containers.js";
import { compressByFflate, decompressByFflate } from "./fflate.js";
import { compressWith, decompressWith, nodeZlib } from "./node-zlib.js";

export interface DeflateSettings {
  readonly level: number;
  readonly minLength: number;
  readonly windowBits: number;
}

/** A deflate stream in one of its containers: by the runtime's zlib where it has one, else by fflate. */
export function deflateCompressor(
  container: Container,
  { level, minLength, windowBits }: DeflateSettings,
  recognizes: Compressor["recognizes"],
): Compressor {
  const settings = { level, windowBits };
  if (windowBits !== 15 && !nodeZlib()) {
    throw new ConfigurationError(
      `${container}(): option "windowBits" is ${windowBits}, which needs node:zlib; leave it out in this runtime`,
    );
  }
  return {
    name: container,
    minLength,
    recognizes,
    compress(bytes) {
      const zlib = nodeZlib();
      return zlib
        ? compressWith(zlib[FUNCTIONS[container].compress], bytes, settings)
        : compressByFflate(container, bytes, level);
    },
    decompress(bytes, maxLength) {
      const zlib = nodeZlib();
      return zlib
        ? decompressWith(zlib[FUNCTIONS[container].decompress], container, bytes, maxLength, {})
        : decompressByFflate(container, bytes, maxLength);
    },
  };
}

const FUNCTIONS = {
  zlib: { compress: "deflateSync", decompress: "inflateSync" },
  gzip: { compress: "gzipSync", decompress: "gunzipSync" },
  deflate: { compress: "deflateRawSync", decompress: "inflateRawSync" },
} as const;
