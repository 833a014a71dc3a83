import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Codec } from "../../src/codec/codec.js";
import {
  type Envelope,
  FOREVER,
  HEADER_LENGTH,
  type Header,
  isEnvelope,
  markOf,
  NewerFormatError,
  placeholder,
  readEnvelope,
  seal,
} from "../../src/codec/envelope.js";
import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { identity } from "../../src/compressors/identity.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { DecodeError } from "../../src/core/errors.js";
import { toBytes } from "../../src/core/text.js";
import { json } from "../../src/serializers/json.js";
import { msgpack } from "../../src/serializers/msgpack.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";

interface Vector extends Header {
  readonly name: string;
  /** Absent in a placeholder. */
  readonly serializer: string | null;
  readonly value: unknown;
  /** Hexadecimal, as is `bytes`. */
  readonly payload: string;
  readonly bytes: string;
}

const file = new URL("../fixtures/envelope/vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[];
const serializers = [json(), msgpack(), structuredClone()];

const token = fc.base64String({ minLength: 12, maxLength: 12 });
const headers = fc.record<Header>({
  freshUntilMs: fc.nat(FOREVER),
  deltaMs: fc.nat(9_999_999_999),
  token,
  leaseUntilMs: fc.nat(FOREVER),
});
const payloads = fc.oneof(fc.string({ unit: "grapheme", minLength: 1 }), fc.uint8Array({ minLength: 1 }));

function plain({ freshUntilMs, deltaMs, token, leaseUntilMs }: Header): Header {
  return { freshUntilMs, deltaMs, token, leaseUntilMs };
}

describe("an envelope", () => {
  it.each(vectors)("has the same bytes as before: $name", async ({ serializer, payload, bytes, value, ...header }) => {
    const stored = Uint8Array.from(Buffer.from(bytes, "hex"));
    const inside = Uint8Array.from(Buffer.from(payload, "hex"));
    expect(isEnvelope(stored)).toBe(true);
    const read = readEnvelope(stored, "k");
    expect(plain(read)).toEqual(plain(header));
    if (serializer === null) {
      expect(read.payload).toBeUndefined();
      expect(toBytes(placeholder(header.token, header.leaseUntilMs))).toEqual(stored);
      return;
    }
    expect(seal(header, markOf(serializer), inside)).toEqual(stored);
    const [one] = serializers.filter(({ name }) => name === serializer);
    const codec = new Codec({ serializer: one ?? json(), compressor: identity(), maxDecompressedSize: 1_000 });
    expect(read.mark).toBe(codec.mark);
    expect(await codec.decode(read.payload ?? "", "k")).toEqual(value);
  });

  it("restores header and payload, as text and as bytes", () => {
    fc.assert(
      fc.property(headers, payloads, (header, payload) => {
        const stored = seal(header, "W", payload);
        for (const form of [stored, toBytes(stored)]) {
          const read = readEnvelope(form, "k");
          expect(plain(read)).toEqual(header);
          expect(toBytes(read.payload ?? "")).toEqual(toBytes(payload));
        }
      }),
    );
  });

  it("caps the duration of a load, and has no time before the epoch", () => {
    const stored = seal({ freshUntilMs: -5, deltaMs: 1e12, token: " ".repeat(12), leaseUntilMs: 0.4 }, "W", "1");
    expect(plain(readEnvelope(stored, "k"))).toMatchObject({
      freshUntilMs: 0,
      deltaMs: 9_999_999_999,
      leaseUntilMs: 0,
    });
  });

  it("reads as a value or a DecodeError for any bytes", () => {
    const magic = fc.uint8Array({ maxLength: 70 }).map((bytes) => Uint8Array.of(0x11, 0x56, ...bytes));
    const bent = fc
      .tuple(headers, payloads, fc.nat(HEADER_LENGTH - 1), fc.nat(255))
      .map(([header, payload, at, byte]) => toBytes(seal(header, "W", payload)).with(at, byte));
    const cut = fc
      .tuple(headers, fc.nat(HEADER_LENGTH))
      .map(([header, n]) => toBytes(seal(header, "W", "")).slice(0, n));
    fc.assert(
      fc.property(fc.oneof(magic, bent, cut), (bytes) => {
        fc.pre(isEnvelope(bytes));
        let read: Envelope;
        try {
          read = readEnvelope(bytes, "k");
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          expect(String(error)).toContain('"k"');
          return;
        }
        for (const ms of [read.freshUntilMs, read.deltaMs, read.leaseUntilMs])
          expect(Number.isSafeInteger(ms)).toBe(true);
        expect(read.token).toHaveLength(12);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each(["\x11V", "\x11V1W00", `\x11V1W${"0".repeat(51)}`, `\x11V1W${"x".repeat(52)}`, `\x11V1é${"0".repeat(52)}`])(
    "that is broken is told from one of another format: %j",
    (text) => {
      const errors = [text, toBytes(text)].map((stored) => caught(() => readEnvelope(stored, "k")));
      for (const error of errors) {
        expect(error).toBeInstanceOf(DecodeError);
        expect(error).not.toBeInstanceOf(NewerFormatError);
      }
    },
  );

  it("of another format version is reported as such", () => {
    const error = caught(() => readEnvelope(`\x11V2${"0".repeat(60)}`, "k"));
    expect(error).toBeInstanceOf(NewerFormatError);
    expect(String(error)).toMatch(/format "2".*update valkey-edge-cache/);
  });

  it("begins unlike every other stored form", async () => {
    const compressors = [zlib(), gzip(), deflate(), brotli(), zstd(), lz4(), lzma(), bz2()];
    const values = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(10_000)));
    await fc.assert(
      fc.asyncProperty(values, async (bytes) => {
        for (const compressor of compressors) expect(isEnvelope(await compressor.compress(bytes))).toBe(false);
        for (const serializer of serializers) {
          expect(isEnvelope(await serializer.serialize([...bytes]))).toBe(false);
          expect(isEnvelope(await serializer.serialize(Buffer.from(bytes).toString("latin1")))).toBe(false);
        }
      }),
      { numRuns: 20 },
    );
    for (const text of ["1", "-1.5", "nan", "\x11", "\x12V", "V\x11", ""]) expect(isEnvelope(text)).toBe(false);
    // Python's pickles begin with 0x80.
    expect(isEnvelope(Uint8Array.of(0x80, 5))).toBe(false);
  });

  it("has another mark for each serializer", () => {
    expect(new Set(serializers.map(({ name }) => markOf(name))).size).toBe(serializers.length);
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(markOf(name)).toMatch(/^[!-~]$/);
      }),
    );
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
