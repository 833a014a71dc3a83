import { readFileSync } from "node:fs";
import type { Transform } from "node:stream";
import { constants, createBrotliCompress, createZstdCompress, deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { decompressByFflate } from "../../src/compressors/fflate.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import type { Compressor } from "../../src/core/value-format.js";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const LIMIT = MIB;
const zeros = new Uint8Array(MIB);
const fixture = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/django/${name}`, import.meta.url));

describe("a small stored value that decompresses to a large one", () => {
  // A full flush ends at a byte boundary and resets the window, so the same bytes can be repeated any number of times.
  const mebibyte = deflateRawSync(zeros, { finishFlush: constants.Z_FULL_FLUSH });
  const stream = Buffer.concat([...new Array<Buffer>(1024).fill(mebibyte), deflateRawSync(new Uint8Array())]);
  const zlibBomb = Buffer.concat([Buffer.from([0x78, 0x9c]), stream, Buffer.alloc(4)]);
  const gzipBomb = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), stream, Buffer.alloc(8)]);

  defused("zlib, 1 GiB", zlib(), () => zlibBomb);
  defused("gzip, 1 GiB", gzip(), () => gzipBomb);
  defused("deflate, 1 GiB", deflate(), () => stream);
  const byFflate = { ...zlib(), decompress: decompressByFflate.bind(undefined, "zlib") };
  defused("zlib by fflate, 1 GiB", byFflate, () => zlibBomb);
  defused("brotli, 1 GiB", brotli(), () =>
    throughout(createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })),
  );
  defused("zstd, 1 GiB", zstd(), () => throughout(createZstdCompress()));
  defused("bz2, 1 GiB", bz2(), () => fixture("bomb-1gb.bz2"));
  defused("xz, 1 GiB", lzma(), xzBomb);
  defused("lzma, 64 MiB", lzma(), () => fixture("bomb-64mb.lzma"));
  defused("lz4, 1 GiB", lz4(), lz4Bomb);
});

/** Decompressing half a gibibyte or more would raise the process's peak memory. */
function defused(name: string, compressor: Compressor, make: () => Uint8Array | Promise<Uint8Array>): void {
  it(`is refused before it takes memory: ${name}`, async () => {
    const bomb = await make();
    const before = process.resourceUsage().maxRSS;
    const attempt = async (): Promise<Uint8Array> => compressor.decompress(bomb, LIMIT);
    await expect(attempt()).rejects.toThrow(`longer than ${LIMIT} bytes`);
    expect((process.resourceUsage().maxRSS - before) * 1024).toBeLessThan(40 * MIB);
  });
}

/** A gibibyte of zeros through a compressor, a mebibyte at a time. */
async function throughout(compressor: Transform): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  compressor.on("data", (part: Buffer) => parts.push(part));
  for (let written = 0; written < GIB; written += MIB) {
    await new Promise((resolve) => compressor.write(zeros, resolve));
  }
  await new Promise((resolve) => compressor.once("end", resolve).end());
  return Buffer.concat(parts);
}

/** An .xz block is a sequence of chunks. The first one resets the decoder, so the sequence can be repeated. */
async function xzBomb(): Promise<Uint8Array> {
  const one = Buffer.from(await lzma({ level: 0 }).compress(zeros));
  const data = 12 + 4 * ((one[12] as number) + 1);
  let end = data;
  while (one[end] !== 0) end += 6 - ((one[end] as number) < 0xc0 ? 1 : 0) + one.readUInt16BE(end + 3) + 1;
  return Buffer.concat([
    one.subarray(0, data),
    ...new Array<Buffer>(1024).fill(one.subarray(data, end)),
    one.subarray(end),
  ]);
}

/** A frame is a header of seven bytes, blocks, and four zeros. */
async function lz4Bomb(): Promise<Uint8Array> {
  const one = Buffer.from(await lz4().compress(zeros));
  const blocks = one.subarray(7, -4);
  return Buffer.concat([one.subarray(0, 7), ...new Array<Buffer>(1024).fill(blocks), one.subarray(-4)]);
}
