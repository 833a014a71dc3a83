import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Codec, type CodecOptions } from "../../src/codec/codec.js";
import { brotli } from "../../src/compressors/brotli.js";
import { gzip, zlib } from "../../src/compressors/deflate.js";
import { identity } from "../../src/compressors/identity.js";
import { zstd } from "../../src/compressors/zstd.js";
import { ConfigurationError, DecodeError, EncodeError } from "../../src/core/errors.js";
import { toBytes } from "../../src/core/text.js";
import type { Compressor } from "../../src/core/value-format.js";
import { json } from "../../src/serializers/json.js";
import { msgpack } from "../../src/serializers/msgpack.js";

import { THROWN } from "../contract/thrown.js";

function codec(options: Partial<CodecOptions> = {}): Codec {
  return new Codec({ serializer: json(), compressor: identity(), maxDecompressedSize: 1_000_000, ...options });
}

/** Marks what it compressed by an `X`, so that it can be seen. */
function marking(own: Partial<Compressor> = {}): Compressor {
  return {
    name: "marking",
    minLength: 15,
    compress: vi.fn((bytes: Uint8Array) => new Uint8Array([88, ...bytes])),
    decompress: vi.fn((bytes: Uint8Array) => {
      if (bytes[0] !== 88) throw new Error("not marked");
      return bytes.slice(1);
    }),
    recognizes: (bytes) => bytes[0] === 88,
    ...own,
  };
}

const jsonValue = fc.jsonValue({ noUnicodeString: false }) as fc.Arbitrary<unknown>;
const compressors: [string, Compressor][] = [identity(), zlib(), gzip(), brotli(), zstd()].map((one) => [
  one.name,
  one,
]);

describe.each(compressors)("a codec with %s", (_, compressor) => {
  it("restores every JSON value", async () => {
    const subject = codec({ compressor });
    await fc.assert(
      fc.asyncProperty(jsonValue, async (value) => {
        const stored = await subject.encode(value, "k");
        const back = await subject.decode(stored, "k");
        // JSON itself has no minus zero below the top.
        if (typeof value === "number") expect(back).toBe(value);
        else expect(back).toEqual(JSON.parse(JSON.stringify(value)));
        expect(await subject.decode(toBytes(stored), "k")).toEqual(back);
      }),
    );
  });

  it("distinguishes values that look alike", async () => {
    const subject = codec({ compressor });
    const alike = [12, "12", true, "true", null, "null", "", 0, "0", false, -0, [], {}, "nan", "inf", "-", "1e5"];
    for (const value of alike) {
      expect(await subject.decode(await subject.encode(value, "k"), "k")).toStrictEqual(value);
    }
  });

  it("returns a value or a DecodeError for any bytes", async () => {
    const subject = codec({ compressor, maxDecompressedSize: 10_000 });
    const start = fc.constantFrom([], [0x78, 0x9c], [0x1f, 0x8b, 8], [0x28, 0xb5, 0x2f, 0xfd], [0x7b, 0x22], [0x2d]);
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (head, tail) => {
        const stored = new Uint8Array([...head, ...tail]);
        const error: unknown = await Promise.resolve()
          .then(() => subject.decode(stored, "the key"))
          .then(() => undefined)
          .catch((cause: unknown) => cause);
        if (error !== undefined) expect(error).toBeInstanceOf(DecodeError);
        if (error !== undefined) expect(String(error)).toContain('"the key"');
      }),
      { numRuns: 500 },
    );
  });

  it("returns a DecodeError or another value for truncated or changed bytes", async () => {
    const subject = codec({ compressor });
    const stored = toBytes(await subject.encode({ text: "0123456789".repeat(20) }, "k"));
    await fc.assert(
      fc.asyncProperty(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = stored.slice();
        changed[at] = (changed[at] as number) ^ by;
        for (const bytes of [stored.slice(0, at), changed]) {
          try {
            await subject.decode(bytes, "k");
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
    );
  });
});

describe("a codec", () => {
  it("stores numbers in decimal, and other values by the serializer", () => {
    expect(codec().encode(12, "k")).toBe("12");
    expect(codec().encode(2n ** 64n, "k")).toBe("18446744073709551616");
    expect(codec().encode("12", "k")).toBe('"12"');
    expect(codec({ serializer: msgpack() }).encode(1.5, "k")).toBe("1.5");
  });

  it("never compresses a number", () => {
    const compressor = marking();
    expect(codec({ compressor }).encode(10n ** 100n, "k")).toBe(String(10n ** 100n));
    expect(compressor.compress).not.toHaveBeenCalled();
  });

  it("compresses values above the minimum length, and reads both forms", async () => {
    const compressor = marking();
    const subject = codec({ compressor });
    expect(await subject.encode("x".repeat(13), "k")).toBe(`"${"x".repeat(13)}"`);
    const long = await subject.encode("x".repeat(14), "k");
    expect(long[0]).toBe(88);
    expect(await subject.decode(long, "k")).toBe("x".repeat(14));
    expect(await subject.decode(`"${"x".repeat(13)}"`, "k")).toBe("x".repeat(13));
    expect(await subject.decode(toBytes('"not compressed, and longer than the minimum"'), "k")).toMatch(/^not/);
  });

  it("counts bytes, not characters", async () => {
    const compressor = marking();
    await codec({ compressor }).encode("éééééééé", "k");
    expect(compressor.compress).toHaveBeenCalledTimes(1);
  });

  it("compresses a short value that a reader would take for compressed", async () => {
    const serializer = { name: "raw", text: true, serialize: String, deserialize: (stored: unknown) => stored };
    const compressor = marking();
    const subject = codec({
      serializer: { ...serializer, deserialize: (stored) => new TextDecoder().decode(toBytes(stored)) },
      compressor,
    });
    const stored = await subject.encode("Xshort", "k");
    expect(compressor.compress).toHaveBeenCalledTimes(1);
    expect(await subject.decode(stored, "k")).toBe("Xshort");
  });

  it("passes the size limit to the compressor", async () => {
    const compressor = marking();
    await codec({ compressor, maxDecompressedSize: 77 }).decode(toBytes('X"a"'), "k");
    expect(compressor.decompress).toHaveBeenCalledWith(expect.anything(), 77);
  });

  it("tries to decompress when a format has no signature, and falls back to the plain value", async () => {
    const subject = codec({ compressor: marking({ recognizes: () => "unknown" }) });
    expect(await subject.decode(toBytes('X"a"'), "k")).toBe("a");
    expect(await subject.decode(toBytes('"a"'), "k")).toBe("a");
    await expect(async () => subject.decode(toBytes("junk"), "k")).rejects.toThrow(/not marked/);
  });

  it("works with an asynchronous serializer and compressor", async () => {
    const { serialize, deserialize } = json();
    const serializer = {
      name: "later",
      text: true,
      serialize: async (value: unknown) => serialize(value),
      deserialize: async (stored: string | Uint8Array) => deserialize(stored),
    };
    const plain = marking();
    const compressor = {
      ...plain,
      compress: async (bytes: Uint8Array) => plain.compress(bytes),
      decompress: async (bytes: Uint8Array, max: number) => plain.decompress(bytes, max),
    };
    const subject = codec({ serializer, compressor });
    for (const value of ["short", "long enough to be compressed"]) {
      expect(await subject.decode(await subject.encode(value, "k"), "k")).toBe(value);
    }
    await expect(subject.encode(() => 1, "k")).rejects.toThrow(EncodeError);
    await expect(subject.decode(toBytes("junk"), "k")).rejects.toThrow(DecodeError);
    await expect(subject.decode(toBytes("Xjunk"), "k")).rejects.toThrow(DecodeError);
  });

  it("names the key, the value and the reason when a value can't be stored", () => {
    const encode = () => codec().encode(() => 1, "user:1");
    expect(encode).toThrow(EncodeError);
    expect(encode).toThrow(/key "user:1": a function can't be stored by json: .*; store another value/);
    expect(encode).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });

  it("names the key, the expected format and the reason when bytes can't be read", () => {
    const decode = () => codec({ compressor: zlib() }).decode("{", "user:1");
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(/key "user:1": .* not written by json with zlib: .*; delete the key/);
    expect(decode).toThrow(expect.objectContaining({ cause: expect.any(Error) }));
  });

  it("names the key and the path of a part that the serializer can't store", () => {
    const encode = () => codec().encode({ users: [{ response: new Response("x") }] }, "user:1");
    expect(encode).toThrow(EncodeError);
    expect(encode).toThrow(/key "user:1": .* an instance of Response \(at users\[0\]\.response\); read it first/);
  });

  it("refuses a small bigint where the serializer would return a number", () => {
    expect(() => codec().encode(5n, "k")).toThrow(EncodeError);
    expect(() => codec().encode(5n, "k")).toThrow(
      /key "k": 5n .*; give a number or a string, or use structuredClone\(\)/,
    );
  });

  it("never stores a compressed value that is too long to be read", async () => {
    const subject = codec({ compressor: gzip(), maxDecompressedSize: 1_000 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 900, max: 1_100 }), async (length) => {
        const text = "x".repeat(length - 2); // JSON adds two quotation marks.
        const encode = async () => subject.encode(text, "big");
        if (length <= 1_000) expect(await subject.decode(await encode(), "big")).toBe(text);
        else await expect(encode).rejects.toThrow(EncodeError);
        if (length > 1_000)
          await expect(encode).rejects.toThrow(`has ${length} bytes, and no more than maxDecompressedSize`);
        if (length > 1_000) await expect(encode).rejects.toThrow(/key "big": .*1000 bytes.*; raise that option/);
      }),
    );
  });

  it("stores a value beyond that length which is not compressed", async () => {
    const text = "x".repeat(2_000);
    for (const compressor of [identity(), marking({ minLength: 10_000 })]) {
      const subject = codec({ compressor, maxDecompressedSize: 1_000 });
      expect(await subject.decode(await subject.encode(text, "k"), "k")).toBe(text);
    }
  });

  it("leaves bytes uncompressed that are too long to be decompressed", async () => {
    const subject = codec({ compressor: gzip(), maxDecompressedSize: 1_000 });
    expect(await subject.compressBytes(new Uint8Array(1_001))).toBeUndefined();
    const packed = await subject.compressBytes(new Uint8Array(1_000));
    expect(new Uint8Array(await subject.decompressBytes(packed as Uint8Array, "k"))).toEqual(new Uint8Array(1_000));
  });

  it("never shows stored content in its errors", () => {
    const secret = { password: "qq7secret", big: 1n };
    expect(() => codec().encode(secret, "k")).not.toThrow(/qq7secret/);
  });

  it.each(THROWN.filter(([, thrown]) => !(thrown instanceof ConfigurationError)))(
    "names the key, and keeps the cause, when a serializer throws %s",
    (_, thrown) => {
      const raise = () => {
        throw thrown;
      };
      const subject = codec({ serializer: { ...json(), serialize: raise, deserialize: raise } });
      for (const work of [() => subject.encode("a", "user:1"), () => subject.decode("a", "user:1")]) {
        expect(work).toThrow(/key "user:1"/);
        expect(work).toThrow(expect.toSatisfy(({ cause }: Error) => cause === thrown));
      }
    },
  );

  it("passes on the error of a package that is not installed", () => {
    const missing = new ConfigurationError("npm install it");
    const serializer = {
      ...json(),
      serialize() {
        throw missing;
      },
      deserialize() {
        throw missing;
      },
    };
    expect(() => codec({ serializer }).encode("a", "k")).toThrow(missing);
    expect(() => codec({ serializer }).decode("a", "k")).toThrow(missing);
  });

  it("refuses a serialized form that would read as missing, or as an envelope", () => {
    const serializer = { name: "raw", text: true, serialize: (value: unknown) => String(value), deserialize: String };
    const subject = codec({ serializer });
    for (const text of ["", "\x11V1"]) expect(() => subject.encode(text, "k")).toThrow(EncodeError);
  });

  it("refuses a serialized form that would read as a number", () => {
    const serializer = { name: "raw", text: true, serialize: (value: unknown) => String(value), deserialize: String };
    const subject = codec({ serializer });
    expect(subject.decode(subject.encode("twelve", "k") as string, "k")).toBe("twelve");
    expect(subject.decode(subject.encode("isPrototypeOf", "k") as string, "k")).toBe("isPrototypeOf");
    for (const text of ["12", "-1.5", "nan"]) expect(() => subject.encode(text, "k")).toThrow(EncodeError);
  });

  it("asks for text only where every stored value is text", () => {
    expect(codec().text).toBe(true);
    expect(codec({ compressor: zlib() }).text).toBe(false);
    expect(codec({ serializer: msgpack() }).text).toBe(false);
  });
});
