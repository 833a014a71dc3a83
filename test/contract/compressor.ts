import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Compressor } from "../../src/core/value-format.js";

const encoder = new TextEncoder();

/** JSON that compresses well, as cached values do. */
export const TEXT = encoder.encode(
  JSON.stringify(
    Array.from({ length: 60 }, (_, id) => ({ id, name: `place ${(id * 37) % 11}`, tags: ["city", "ünï"] })),
  ),
);

/** Random bytes, long runs, and repetitions. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc
    .array(fc.tuple(fc.nat(255), fc.nat(700)), { maxLength: 6 })
    .map((runs) => Uint8Array.from(runs.flatMap(([byte, count]) => new Array<number>(count).fill(byte)))),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 }))
    .map(([part, times]) =>
      Uint8Array.from({ length: part.length * times }, (_, at) => part[at % part.length] as number),
    ),
);

const LIMIT = 10_000;
const RUNS = 150;

/** The behaviour of every compressor except `identity()`. */
export function compressorContract(make: () => Compressor): void {
  const compressor = make();
  const { name } = compressor;

  describe(`the compressor ${name}`, () => {
    it("restores what it compressed", async () => {
      await fc.assert(
        fc.asyncProperty(anyBytes, async (bytes) => {
          const before = bytes.slice();
          const compressed = await compressor.compress(bytes);
          expect(new Uint8Array(await compressor.decompress(compressed, bytes.length))).toEqual(before);
          expect(bytes).toEqual(before);
        }),
        { numRuns: RUNS },
      );
    });

    it("makes repetitive bytes shorter", async () => {
      expect((await compressor.compress(TEXT)).length).toBeLessThan(TEXT.length / 3);
    });

    it("recognizes what it compressed", async () => {
      for (const bytes of [new Uint8Array(), TEXT]) {
        expect(compressor.recognizes(await compressor.compress(bytes))).not.toBe(false);
      }
    });

    it("does not recognize JSON or numbers as compressed", () => {
      const takesAnything = compressor.recognizes(new Uint8Array()) === "unknown";
      for (const text of [
        "",
        "1",
        "-1.5",
        "{}",
        "[1,2,3]",
        '"text that is longer than fifteen bytes"',
        "null",
        "true",
      ]) {
        expect(compressor.recognizes(encoder.encode(text))).toBe(takesAnything ? "unknown" : false);
      }
    });

    it("compresses and restores a view of a larger buffer", async () => {
      const part = new Uint8Array([...TEXT, ...TEXT]).subarray(7, 507);
      const compressed = await compressor.compress(part);
      const padded = new Uint8Array(compressed.length + 20).fill(0xaa);
      padded.set(compressed, 9);
      const restored = await compressor.decompress(padded.subarray(9, 9 + compressed.length), 500);
      expect(new Uint8Array(restored)).toEqual(part.slice());
    });

    it("serves concurrent callers", async () => {
      const values = Array.from({ length: 40 }, (_, index) => TEXT.slice(index));
      const restored = await Promise.all(
        values.map(async (value) => compressor.decompress(await compressor.compress(value), value.length)),
      );
      expect(restored.map((bytes) => new Uint8Array(bytes))).toEqual(values);
    });

    it("returns a result whose buffer is at most twice its length", async () => {
      const compressed = await compressor.compress(TEXT.subarray(0, 300));
      expect(compressed.buffer.byteLength).toBeLessThanOrEqual(2 * compressed.length);
    });

    it("restores a value as long as the limit, and refuses a longer one", async () => {
      const compressed = await compressor.compress(TEXT);
      expect(await compressor.decompress(compressed, TEXT.length)).toHaveLength(TEXT.length);
      for (const limit of [TEXT.length - 1, 100, 1, 0]) {
        await expect(decompress(compressed, limit)).rejects.toThrow(/longer than \d+ bytes; raise maxDecompressedSize/);
      }
    });

    it("refuses truncated bytes", async () => {
      const compressed = await compressor.compress(TEXT);
      for (let length = 0; length < compressed.length; length++) {
        await expect(decompress(compressed.subarray(0, length), LIMIT), `${length} bytes`).rejects.toThrow(/damaged/);
      }
    });

    it("refuses trailing bytes", async () => {
      const compressed = await compressor.compress(TEXT);
      for (const more of [[0], [0, 0, 0, 0], [1, 2, 3]]) {
        await expect(decompress(new Uint8Array([...compressed, ...more]), 4 * LIMIT), `${more}`).rejects.toThrow(
          /damaged/,
        );
      }
    });

    it("refuses random bytes, or returns at most the limit", async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => harmless(bytes)),
        { numRuns: RUNS },
      );
    });

    it("refuses damaged bytes, or returns at most the limit", async () => {
      const compressed = await compressor.compress(TEXT);
      const damage = fc.array(fc.tuple(fc.nat(compressed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(damage, fc.nat(compressed.length), (changes, length) => {
          const bytes = new Uint8Array(compressed);
          for (const [at, byte] of changes) bytes[at] = byte;
          return harmless(length % 3 === 0 ? bytes.subarray(0, length) : bytes);
        }),
        { numRuns: 4 * RUNS },
      );
    });

    it("leaves values of up to 15 bytes uncompressed by default", () => {
      expect(compressor.minLength).toBe(15);
    });
  });

  async function decompress(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
    return compressor.decompress(bytes, limit);
  }

  async function harmless(bytes: Uint8Array): Promise<void> {
    const outcome = await decompress(bytes, LIMIT).catch((error: unknown) => error);
    if (outcome instanceof Uint8Array) expect(outcome.length).toBeLessThanOrEqual(LIMIT);
    else expect(String(outcome)).toMatch(/damaged|longer than/);
  }
}
