import { inflateRawSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { identity } from "../../src/compressors/identity.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { ConfigurationError } from "../../src/core/errors.js";
import type { Compressor } from "../../src/core/value-format.js";
import { TEXT } from "../contract/compressor.js";

/** A factory as a caller without types may use it. */
type Factory = (options?: object) => Compressor;

const FACTORIES: Record<string, Factory> = { zlib, gzip, deflate, brotli, zstd, lz4, lzma, bz2 };

describe.each(Object.entries(FACTORIES))("the options of %s()", (name, factory) => {
  it("are refused when unknown, with the known ones named", () => {
    expect(() => factory({ lvel: 1 })).toThrow(ConfigurationError);
    expect(() => factory({ lvel: 1 })).toThrow(/unknown option "lvel"; known options are: .*minLength/);
    expect(() => factory({ constructor: 1 })).toThrow(/unknown option "constructor"/);
  });

  it("must be an object", () => {
    for (const options of [null, 5, "fast", [1]]) {
      expect(() => factory(options as object)).toThrow(`${name}(): options must be an object`);
    }
  });

  it("set minLength in bytes", () => {
    expect(factory({ minLength: 0 }).minLength).toBe(0);
    expect(factory({ minLength: 1024 }).minLength).toBe(1024);
    for (const minLength of [-1, 1.5, Number.NaN, "15", null]) {
      expect(() => factory({ minLength })).toThrow(/option "minLength" is .*; give a number of bytes, from 0/);
    }
  });

  it("mean the default when undefined", async () => {
    const options = { level: undefined, minLength: undefined };
    const compressor = name === "lz4" ? factory({ minLength: undefined }) : factory(options);
    expect(compressor.minLength).toBe(15);
    expect(await compressor.compress(TEXT)).toEqual(await factory().compress(TEXT));
  });
});

describe("the level", () => {
  it.each([
    ["zlib", -1, 9],
    ["gzip", 0, 9],
    ["deflate", -1, 9],
    ["brotli", 0, 11],
    ["zstd", -131_072, 22],
    ["lzma", 0, 9],
    ["bz2", 1, 9],
  ])("of %s() is a whole number from %d to %d", async (name, from, to) => {
    const factory = FACTORIES[name] as Factory;
    for (const level of [from - 1, to + 1, 1.5, Number.NaN, "6", null, true]) {
      expect(() => factory({ level })).toThrow(ConfigurationError);
      expect(() => factory({ level })).toThrow(`give a whole number from ${from} to ${to}`);
    }
    for (const level of [from, 1, to]) {
      const compressed = await factory({ level }).compress(TEXT);
      expect(new Uint8Array(await factory().decompress(compressed, TEXT.length))).toEqual(TEXT);
    }
  });

  it.each(["zlib", "gzip", "deflate", "brotli", "zstd", "lzma"])("of %s() makes a difference", async (name) => {
    const words = ["cache", "valkey", "edge", "herd", "lease", "flight", "loader", "stale", "fresh", "codec", "key"];
    const numbers = Array.from(
      { length: 9000 },
      (_, at) => `${words[(at * at * 31 + at * 7) % words.length]}${(at * 7919) % 97}`,
    );
    const text = new TextEncoder().encode(numbers.join(" "));
    const factory = FACTORIES[name] as Factory;
    const [low, high] = [await factory({ level: 1 }).compress(text), await factory({ level: 9 }).compress(text)];
    expect(high.length).toBeLessThan(low.length);
  });

  it("of bz2() is the size of its blocks, as its header says", () => {
    expect(Buffer.from(bz2({ level: 3 }).compress(TEXT) as Uint8Array).toString("latin1", 0, 4)).toBe("BZh3");
    expect(Buffer.from(bz2().compress(TEXT) as Uint8Array).toString("latin1", 0, 4)).toBe("BZh9");
  });

  it("is not an option of lz4()", () => {
    expect(() => (lz4 as Factory)({ level: 1 })).toThrow(/unknown option "level"/);
  });
});

describe("a compressor's own options", () => {
  it("limit the window of zlib() and deflate() to what readers may require", async () => {
    const windowBits = 9;
    expect(inflateSync((await zlib({ windowBits }).compress(TEXT)) as Buffer, { windowBits })).toEqual(
      Buffer.from(TEXT),
    );
    expect(inflateRawSync(await deflate({ windowBits }).compress(TEXT), { windowBits })).toEqual(Buffer.from(TEXT));
    expect(() => zlib({ windowBits: 8 })).toThrow('zlib(): option "windowBits" is 8; give a whole number from 9 to 15');
  });

  it("are checked by brotli()", async () => {
    const compressor = brotli({ level: 4, mode: "text", windowBits: 16, blockBits: 17 });
    expect(await compressor.decompress(await compressor.compress(TEXT), TEXT.length)).toEqual(Buffer.from(TEXT));
    expect(() => (brotli as Factory)({ mode: "html" })).toThrow(
      'option "mode" is "html"; give "generic" or "text" or "font"',
    );
    expect(() => brotli({ windowBits: 25 })).toThrow("give a whole number from 10 to 24");
    expect(() => brotli({ blockBits: 1 })).toThrow(/option "blockBits" is 1; give 0 or 16 or/);
  });

  it("add checksums that detect damage", async () => {
    for (const compressor of [
      zstd({ checksum: true }),
      lz4({ contentChecksum: true }),
      lz4({ blockChecksums: true }),
    ]) {
      const compressed = new Uint8Array(await compressor.compress(Uint8Array.from({ length: 100 }, (_, at) => at * 7)));
      compressed[60] = 1 + (compressed[60] as number);
      await expect(async () => compressor.decompress(compressed, 100)).rejects.toThrow(/damaged/);
    }
    expect(() => (zstd as Factory)({ checksum: 1 })).toThrow('zstd(): option "checksum" is 1; give true or false');
    expect(() => (lz4 as Factory)({ contentChecksum: "yes" })).toThrow('option "contentChecksum" is "yes"');
  });

  it("choose the checksum of lzma()", async () => {
    const ids = { none: 0, crc32: 1, crc64: 4, sha256: 10 };
    for (const check of ["none", "crc32", "crc64", "sha256"] as const) {
      const compressed = await lzma({ check, level: 1, extreme: true }).compress(TEXT);
      expect(compressed[7]).toBe(ids[check]);
      expect(await lzma().decompress(compressed, TEXT.length)).toEqual(TEXT);
    }
    expect((await lzma().compress(TEXT))[7]).toBe(ids.crc64);
    expect(() => (lzma as Factory)({ check: "md5" })).toThrow('option "check" is "md5"');
  });
});

it("identity() returns values unchanged", () => {
  const compressor = identity();
  expect(compressor.compress(TEXT)).toBe(TEXT);
  expect(compressor.decompress(TEXT, 1)).toBe(TEXT);
  expect(compressor.minLength).toBe(Number.POSITIVE_INFINITY);
  expect(compressor.recognizes(TEXT)).toBe(false);
});
