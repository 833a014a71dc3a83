import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeNumber, encodeNumber, mayBeNumber } from "../../src/codec/codec.js";

const bytes = (text: string) => new TextEncoder().encode(text);

function roundTrip(value: number | bigint): unknown {
  const text = encodeNumber(value);
  expect(text).toBeDefined();
  expect(mayBeNumber(text as string)).toBe(true);
  expect(mayBeNumber(bytes(text as string))).toBe(true);
  return decodeNumber(text as string);
}

describe("a number", () => {
  it("comes back as itself when it is finite", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(roundTrip(value)).toBe(value);
      }),
      { numRuns: 2_000 },
    );
  });

  it("comes back as itself when it is a safe integer", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(roundTrip(value)).toBe(value);
        expect(encodeNumber(value)).toBe(BigInt(value).toString());
      }),
    );
  });

  it.each([0, -0, 1e21, 1e-7, 2 ** 53, -(2 ** 53), 2 ** 63, 123_456_789_012_345_680_000, Number.MAX_VALUE, 5e-324])(
    "comes back as itself: %d",
    (value) => {
      expect(roundTrip(value)).toBe(value);
    },
  );

  it("comes back as itself when it is a bigint that a number can't hold", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        if (Number.isSafeInteger(Number(value))) expect(encodeNumber(value)).toBeUndefined();
        else expect(roundTrip(value)).toBe(value);
      }),
    );
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 64n]) expect(roundTrip(value)).toBe(value);
  });

  it("is left to the serializer when it is a bigint that would come back as a number", () => {
    for (const value of [0n, 5n, -5n, 2n ** 53n - 1n, -(2n ** 53n) + 1n]) expect(encodeNumber(value)).toBeUndefined();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, "12", true, null, undefined, [], {}, new Date(0), Object(5)])(
    "is not %s, which has no decimal of its own",
    (value) => {
      expect(encodeNumber(value)).toBeUndefined();
    },
  );

  it("with too many digits to be read in reasonable time is not stored as a number", () => {
    expect(encodeNumber(10n ** 4_299n)).toHaveLength(4_300);
    expect(encodeNumber(10n ** 4_300n)).toBeUndefined();
    expect(decodeNumber("1".repeat(4_301))).toBeUndefined();
  });
});

describe("a stored text", () => {
  it.each<[string, unknown]>([
    ["12", 12],
    ["-12", -12],
    ["007", 7],
    ["-0", -0],
    ["-0.0", -0],
    ["1.50", 1.5],
    ["1e5", 100_000],
    ["1E+5", 100_000],
    ["1.5e-7", 1.5e-7],
    ["9007199254740991", 9_007_199_254_740_991],
    ["9007199254740992", 9_007_199_254_740_992n],
    ["-9007199254740993", -9_007_199_254_740_993n],
    ["inf", Number.POSITIVE_INFINITY],
    ["-inf", Number.NEGATIVE_INFINITY],
    ["nan", Number.NaN],
  ])("%s, as this library or Python may have written it, is a number", (text, value) => {
    expect(decodeNumber(text)).toBe(value);
    expect(mayBeNumber(text)).toBe(true);
  });

  it.each([
    "",
    "-",
    "+5",
    " 5",
    "5 ",
    "5\n",
    "0x10",
    "1_000",
    ".5",
    "5.",
    "1e",
    "1.2.3",
    "٣",
    "null",
    "true",
    '"12"',
    "[1]",
    "NaN",
    "Infinity",
    "infinity",
    "is",
    "isPrototypeOf",
    "n",
  ])("%j is none", (text) => {
    expect(decodeNumber(text)).toBeUndefined();
  });

  it("that is not a number in this format never reads as one, even if JSON would read it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const number = decodeNumber(text);
        if (number !== undefined) expect(["number", "bigint"]).toContain(typeof number);
        if (number !== undefined) expect(mayBeNumber(text)).toBe(true);
      }),
    );
  });
});
