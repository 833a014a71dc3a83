import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBytes } from "../../src/core/text.js";
import type { Serializer } from "../../src/core/value-format.js";

const key = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => text !== "__proto__");

/** What every format holds. Zero has one sign in most of them, and some refuse `__proto__`, which JSON data can't abuse. */
const anyData = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

const EXAMPLE = { id: 7, name: "Zürich, 東京, 🏙", tags: ["a", "", null, true], nested: { list: [[], {}, 1.5, -3] } };

/** What every serializer does. */
export function serializerContract(make: () => Serializer): void {
  const serializer = make();

  describe(`the serializer ${serializer.name}`, () => {
    it("restores data", async () => {
      await fc.assert(
        fc.asyncProperty(anyData, async (value) => {
          const stored = toBytes(await serializer.serialize(value));
          expect(await serializer.deserialize(stored)).toStrictEqual(value);
        }),
        { numRuns: 500 },
      );
    });

    it("writes text or bytes, as its text property declares", async () => {
      expect(typeof (await serializer.serialize(EXAMPLE))).toBe(serializer.text ? "string" : "object");
    });

    it("reads a view of a larger buffer", async () => {
      const stored = toBytes(await serializer.serialize(EXAMPLE));
      const padded = new Uint8Array(stored.length + 20).fill(0xaa);
      padded.set(stored, 9);
      expect(await serializer.deserialize(padded.subarray(9, 9 + stored.length))).toStrictEqual(EXAMPLE);
      expect(await serializer.deserialize(Buffer.from(padded.buffer, 9, stored.length))).toStrictEqual(EXAMPLE);
    });

    it("returns bytes that later writes do not change", async () => {
      const first = await serializer.serialize(EXAMPLE);
      for (let times = 0; times < 500; times++) await serializer.serialize({ times, text: "x".repeat(times) });
      expect(await serializer.deserialize(first)).toStrictEqual(EXAMPLE);
    });

    it("refuses functions and symbols", async () => {
      for (const value of [() => 1, Symbol("s"), class {}]) {
        await expect(async () => serializer.serialize(value)).rejects.toThrow(TypeError);
      }
    });

    it("refuses truncated bytes", async () => {
      const stored = toBytes(await serializer.serialize(EXAMPLE));
      for (let length = 0; length < stored.length; length++) {
        await expect(
          async () => serializer.deserialize(stored.subarray(0, length)),
          `${length} bytes`,
        ).rejects.toThrow();
      }
    });

    it("refuses damaged bytes, or reads another value", async () => {
      const stored = toBytes(await serializer.serialize(EXAMPLE));
      const damage = fc.array(fc.tuple(fc.nat(stored.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(damage, async (changes) => {
          const bytes = stored.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          await harmless(bytes);
        }),
        { numRuns: 1000 },
      );
    });

    it("refuses random bytes, or reads a value", async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => harmless(bytes)),
        { numRuns: 1000 },
      );
    });
  });

  /** Neither another kind of failure than an error, nor a change to what all objects share. */
  async function harmless(bytes: Uint8Array): Promise<void> {
    const read = async (): Promise<unknown> => serializer.deserialize(bytes);
    expect(
      await read().then(
        () => "read",
        (error: unknown) => error,
      ),
    ).toSatisfy((outcome) => outcome === "read" || outcome instanceof Error);
    expect(Object.keys(Object.prototype)).toEqual([]);
  }
}
