import { type Codec, decodeNumber, mayBeNumber } from "../codec/codec.js";
import { markOf } from "../codec/envelope.js";
import { bz2 } from "../compressors/bz2.js";
import { gzip, zlib } from "../compressors/deflate.js";
import { lz4 } from "../compressors/lz4.js";
import { lzma } from "../compressors/lzma.js";
import { zstd } from "../compressors/zstd.js";
import { ConfigurationError } from "../core/errors.js";
import type { Compressor, Serializer } from "../core/value-format.js";
import { json } from "../serializers/json.js";
import { msgpack } from "../serializers/msgpack.js";
import { structuredClone } from "../serializers/structured-clone.js";
import { latin1 } from "./form.js";
import { utf8 } from "./print.js";

/** What bytes were taken for. */
export type Guess =
  | { readonly codec: string; readonly value: unknown }
  /** They could not be decoded. `codec` is what they seem to be. */
  | { readonly codec: string; readonly error: string };

/** What was made of encoded bytes. */
export type Decoded = Guess & {
  /** The cache's own codec has decoded them. */
  readonly isOwn: boolean;
  /** Why it has not. */
  readonly ownError: { readonly reason: string; readonly cause: unknown } | undefined;
};

export interface DecodeOptions {
  readonly codec: Codec;
  readonly key: string;
  /** The character of the serializer in the envelope; `undefined` without one. */
  readonly mark: string | undefined;
  /** In bytes. */
  readonly maxDecompressedSize: number;
}

/** Decodes a value by the cache's own codec, or else by what its bytes look like. Never throws. */
export async function decodeValue(payload: Uint8Array, options: DecodeOptions): Promise<Decoded> {
  const { codec, key, mark } = options;
  let ownError: Decoded["ownError"] = { reason: `another serializer than ${codec.name} wrote it`, cause: undefined };
  if (mark === undefined || mark === codec.mark) {
    try {
      return { codec: codec.name, isOwn: true, ownError: undefined, value: await codec.decode(payload, key) };
    } catch (cause) {
      ownError = { reason: reason(cause), cause };
    }
  }
  const guessed = (await guess(payload, options)) ?? { codec: "unknown", error: ownError.reason };
  return { ...guessed, isOwn: false, ownError };
}

/** Compressors whose output begins with a signature. A raw deflate stream and brotli have none. */
const COMPRESSORS: readonly (() => Compressor)[] = [zstd, gzip, lz4, lzma, bz2, zlib];

async function guess(payload: Uint8Array, options: DecodeOptions): Promise<Guess | undefined> {
  const problems: Guess[] = [];
  for (const make of COMPRESSORS) {
    const compressor = make();
    if (compressor.recognizes(payload) !== true) continue;
    try {
      const plain = await compressor.decompress(payload, options.maxDecompressedSize);
      const found = (await guessSerializer(plain, options.mark)) ?? { codec: "bytes", value: plain };
      return { ...found, codec: `${found.codec} with ${compressor.name}` };
    } catch (error) {
      // Bytes of another format may begin alike. A package that is missing, or a value that is too long, is what they are.
      const isKnown = error instanceof ConfigurationError || error instanceof RangeError;
      if (isKnown) problems.push({ codec: compressor.name, error: reason(error) });
    }
  }
  return (await guessSerializer(payload, options.mark)) ?? problems[0];
}

/** Formats that few other bytes look like come first. */
async function guessSerializer(bytes: Uint8Array, mark: string | undefined): Promise<Guess | undefined> {
  const number = bytes.length <= MAX_NUMBER && mayBeNumber(bytes) ? decodeNumber(latin1(bytes)) : undefined;
  if (number !== undefined) return { codec: "number", value: number };
  if (isPickle(bytes)) return { codec: "pickle", error: PICKLE };
  const text = utf8(bytes);
  if (text !== undefined && mark === markOf("keyv")) return { codec: "keyv", value: text.replace(/^=/, "") };
  const candidates: (() => Serializer)[] = [];
  if (isStructuredClone(bytes)) candidates.push(structuredClone);
  if (text !== undefined) candidates.push(json);
  // Nearly every short text is MessagePack, too.
  if (text === undefined || mark === markOf("msgpack")) candidates.unshift(msgpack);
  for (const make of candidates) {
    const found = await attempt(bytes, make);
    if (found) return found;
  }
  return text === undefined ? undefined : { codec: "plain text", value: text };
}

const MAX_NUMBER = 200;

const PICKLE =
  "a pickle of Python, which is never loaded here, as that may run code; have Django use a serializer such as JSON";

/** @returns `undefined` where the bytes are of another format */
async function attempt(bytes: Uint8Array, make: () => Serializer): Promise<Guess | undefined> {
  try {
    const serializer = make();
    return { codec: serializer.name, value: await serializer.deserialize(bytes) };
  } catch (error) {
    return error instanceof ConfigurationError ? { codec: "unknown", error: reason(error) } : undefined;
  }
}

/** The header of V8's format: 0xFF, and its version. Source: V8's src/objects/value-serializer.cc */
function isStructuredClone(bytes: Uint8Array): boolean {
  const [tag, version = 0] = bytes;
  return tag === 0xff && version >= 13 && version <= 20;
}

/** PROTO with a protocol from 2 on, and STOP. Source: CPython's Lib/pickletools.py */
function isPickle(bytes: Uint8Array): boolean {
  const [proto, version = 0] = bytes;
  return proto === 0x80 && version >= 2 && version <= 5 && bytes.at(-1) === 0x2e;
}

/** What an error says, of which serializers of users may throw any. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
