import { gunzipSync, gzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { ConfigurationError } from "../../src/core/errors.js";
import { compressorContract, TEXT } from "../contract/compressor.js";

describe("without node:zlib", () => {
  beforeEach(() => {
    const { getBuiltinModule } = process;
    vi.spyOn(process, "getBuiltinModule").mockImplementation((name: string) =>
      name === "node:zlib" ? undefined : getBuiltinModule(name),
    );
  });

  compressorContract(() => zlib());
  compressorContract(() => gzip());
  compressorContract(() => deflate());

  it("writes streams that node:zlib reads", async () => {
    for (const level of [0, 1, 6, 9]) {
      expect(inflateSync(await zlib({ level }).compress(TEXT))).toEqual(Buffer.from(TEXT));
      expect(gunzipSync(await gzip({ level }).compress(TEXT))).toEqual(Buffer.from(TEXT));
      expect(inflateRawSync(await deflate({ level }).compress(TEXT))).toEqual(Buffer.from(TEXT));
    }
  });

  it("reads a gzip header with every optional field", async () => {
    const plain = gzipSync(TEXT);
    const flags = 2 | 4 | 8 | 16;
    const extra = [3, 0, 7, 7, 7];
    const header = [...plain.subarray(0, 3), flags, ...plain.subarray(4, 10), ...extra];
    const bytes = Buffer.concat([Buffer.from(header), Buffer.from("name\0comment\0\0\0"), plain.subarray(10)]);
    expect(await gzip().decompress(bytes, TEXT.length)).toEqual(TEXT);
  });

  it("refuses a window size that needs node:zlib", () => {
    expect(() => zlib({ windowBits: 12 })).toThrow(ConfigurationError);
    expect(() => zlib({ windowBits: 12 })).toThrow('zlib(): option "windowBits" is 12, which needs node:zlib');
  });
});
