import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lzma } from "../../src/compressors/lzma.js";

const golden = JSON.parse(readFileSync(new URL("../fixtures/django/golden.json", import.meta.url), "utf8")) as {
  readonly variants: readonly { level: string; stored: string; json: string }[];
};
const alone = golden.variants.find(({ level }) => level === "alone") as (typeof golden.variants)[number];
const bytes = new Uint8Array(Buffer.from(alone.stored, "base64"));
const { decompress, recognizes } = lzma();
const attempt = async (stored: Uint8Array, limit = 100_000): Promise<Uint8Array> => decompress(stored, limit);

describe("the older .lzma format", () => {
  it("is recognized by headers that encoders write, and not in JSON", () => {
    expect(recognizes(bytes)).toBe(true);
    expect(recognizes(bytes.subarray(0, 13))).toBe(false);
    for (const [at, byte] of [
      [0, 225],
      [1, 7],
      [10, 0],
      [13, 1],
    ] as const) {
      const changed = bytes.slice();
      changed[at] = byte;
      expect(recognizes(changed), `byte ${at}`).toBe(false);
    }
    expect(recognizes(new TextEncoder().encode("]".repeat(20)))).toBe(false);
  });

  it("is read, up to the limit", async () => {
    const text = new TextEncoder().encode(alone.json);
    expect(await attempt(bytes, text.length)).toEqual(text);
    await expect(attempt(bytes, text.length - 1)).rejects.toThrow("raise maxDecompressedSize");
  });

  it("is refused when its header announces more than the limit", async () => {
    const known = bytes.slice();
    new DataView(known.buffer).setBigUint64(5, 2n ** 37n, true);
    await expect(attempt(known)).rejects.toThrow("longer than 100000 bytes");
  });

  it("is refused when it needs more memory than any level of compression does", async () => {
    const large = bytes.slice();
    new DataView(large.buffer).setUint32(1, 2 ** 31, true);
    await expect(attempt(large)).rejects.toThrow("Memory usage limit was reached");
  });

  it("is refused when truncated or followed by other bytes", async () => {
    for (let length = 0; length < bytes.length; length += 13) {
      await expect(attempt(bytes.subarray(0, length)), `${length}`).rejects.toThrow(/damaged/);
    }
    await expect(attempt(new Uint8Array([...bytes, 1, 2, 3]))).rejects.toThrow("ends 3 bytes before");
  });

  it("is refused when damaged, or decompresses to at most the limit", async () => {
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const changed = bytes.slice();
        for (const [at, byte] of changes) changed[at] = byte;
        const outcome = await attempt(changed, 10_000).catch((error: unknown) => error);
        if (outcome instanceof Uint8Array) expect(outcome.length).toBeLessThanOrEqual(10_000);
        else expect(String(outcome)).toMatch(/damaged|longer than/);
      }),
      { numRuns: 400 },
    );
  });
});
