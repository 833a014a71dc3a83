import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decompressBzip2 } from "../../src/compressors/bzip2/decoder.js";
import { codeLengths, compressBzip2, sortRotations } from "../../src/compressors/bzip2/encoder.js";

describe("bzip2", () => {
  it("restores content of several blocks, with runs across block borders", () => {
    const bytes = Uint8Array.from({ length: 350_000 }, (_, at) => (at % 100_000 > 97_000 ? 7 : (at * at) % 251));
    const compressed = compressBzip2(bytes, 1);
    expect(Buffer.compare(decompressBzip2(compressed, bytes.length), bytes)).toBe(0);
    expect(() => decompressBzip2(compressed, bytes.length - 1)).toThrow(RangeError);
  });

  it("restores runs of all lengths around the limits of its run counts", () => {
    for (const run of [1, 3, 4, 5, 254, 255, 256, 258, 259, 260, 511, 1000]) {
      const bytes = Uint8Array.from([1, ...new Array<number>(run).fill(2), 2, 3, 3]);
      expect(decompressBzip2(compressBzip2(bytes, 9), bytes.length)).toEqual(bytes);
    }
  });

  it("restores content with all byte values", () => {
    const bytes = Uint8Array.from({ length: 5_000 }, (_, at) => (at * 7919) >> 3);
    expect(decompressBzip2(compressBzip2(bytes, 9), bytes.length)).toEqual(bytes);
  });

  it("sorts rotations in the order of a direct comparison", () => {
    const text = fc.oneof(
      fc.array(fc.constantFrom(1, 2, 3), { minLength: 1, maxLength: 60 }),
      fc
        .tuple(fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 9 }))
        .map(([part, times]) => Array.from({ length: times }, () => part).flat()),
    );
    fc.assert(
      fc.property(text, (bytes) => {
        const rotation = (start: number): string =>
          String.fromCharCode(...bytes.slice(start), ...bytes.slice(0, start));
        const rows = [...sortRotations(Uint8Array.from(bytes))];
        expect(rows.toSorted((a, b) => a - b)).toEqual([...bytes.keys()]);
        expect(rows.map(rotation)).toEqual([...bytes.keys()].map(rotation).sort());
      }),
    );
  });

  it("gives every symbol a code that decoders accept", () => {
    const fibonacci = [1, 1];
    while (fibonacci.length < 60) fibonacci.push((fibonacci.at(-1) as number) + (fibonacci.at(-2) as number));
    for (const weights of [[1, 1], [1, 5, 1], fibonacci, new Array<number>(258).fill(1)]) {
      const lengths = [...codeLengths(Float64Array.from(weights))];
      expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(17);
      // Kraft: a code without gaps.
      expect(lengths.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
    }
  });
});
