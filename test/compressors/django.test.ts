import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Codec } from "../../src/codec/codec.js";
import { brotli } from "../../src/compressors/brotli.js";
import { bz2 } from "../../src/compressors/bz2.js";
import { deflate, gzip, zlib } from "../../src/compressors/deflate.js";
import { identity } from "../../src/compressors/identity.js";
import { lz4 } from "../../src/compressors/lz4.js";
import { lzma } from "../../src/compressors/lzma.js";
import { zstd } from "../../src/compressors/zstd.js";
import { defaultKeyFunction, defaultReverseKeyFunction } from "../../src/core/key.js";
import { toBytes } from "../../src/core/text.js";
import type { Compressor } from "../../src/core/value-format.js";
import { json } from "../../src/serializers/json.js";

const FIXTURES = new URL("../fixtures/django/", import.meta.url);

/** A value with its stored form in base64: a number as Python writes it, or JSON. */
interface Case {
  readonly name: string;
  readonly compressor: string;
  readonly stored: string;
  readonly json?: string;
  readonly number?: string;
}

interface Golden {
  readonly keys: readonly { key: string; prefix: string; version: number; made: string }[];
  readonly values: readonly Case[];
  readonly variants: readonly (Case & { level: string })[];
}

const fixture = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, FIXTURES), "utf8")) as T;
const golden = fixture<Golden>("golden.json");
const packages = fixture<{ compressed: readonly Case[] }>("golden-packages.json");

const COMPRESSORS: Record<string, () => Compressor> = { identity, zlib, gzip, deflate, bz2, lzma, lz4, brotli, zstd };
const STANDARD = ["identity", "zlib", "gzip", "deflate", "bz2", "lzma"];

function codec(compressor: string): Codec {
  const make = COMPRESSORS[compressor] as () => Compressor;
  return new Codec({ serializer: json(), compressor: make(), maxDecompressedSize: 1_000_000 });
}

function expectedOf({ json, number }: Case): unknown {
  if (json !== undefined) return JSON.parse(json);
  const value = Number(number);
  return /^-?\d+$/.test(number ?? "") && !Number.isSafeInteger(value) ? BigInt(number ?? "") : value;
}

async function read(one: Case): Promise<unknown> {
  return codec(one.compressor).decode(Buffer.from(one.stored, "base64"), "key");
}

describe("an entry that a Django cache stored", () => {
  it("has the same stored key", () => {
    for (const { key, prefix, version, made } of golden.keys) {
      expect(defaultKeyFunction(key, prefix, version)).toBe(made);
    }
    expect(defaultReverseKeyFunction("site:1:user:5", "site")).toBe("user:5");
  });

  it.each(STANDARD)("is read, with %s", async (compressor) => {
    const cases = golden.values.filter((one) => one.compressor === compressor);
    expect(cases.length).toBeGreaterThan(30);
    for (const one of cases) expect(await read(one), one.name).toStrictEqual(expectedOf(one));
  });

  it.each(golden.variants.map((one) => [one.compressor, one.level, one] as const))(
    "is read, with %s (%s)",
    async (_, __, one) => {
      expect(await read(one)).toStrictEqual(expectedOf(one));
    },
  );

  it.each(["lz4", "brotli", "zstd"])("is read, with %s", async (compressor) => {
    const cases = packages.compressed.filter((one) => one.compressor === compressor);
    expect(cases.length).toBeGreaterThan(10);
    for (const one of cases) expect(await read(one), one.name).toStrictEqual(expectedOf(one));
  });

  it("has the same uncompressed form here, except for white space, escapes and whole floats", async () => {
    for (const one of golden.values.filter(({ compressor }) => compressor === "identity")) {
      const theirs = Buffer.from(one.stored, "base64").toString();
      const ours = Buffer.from(toBytes(await codec("identity").encode(expectedOf(one), "key"))).toString();
      if (one.json !== undefined) expect(ours, one.name).toBe(JSON.stringify(JSON.parse(theirs)));
      else expect(Number(ours), one.name).toBe(Number(theirs));
    }
  });

  it.each(["zlib", "gzip"])("is compressed from the same length: %s", async (compressor) => {
    const { recognizes } = (COMPRESSORS[compressor] as () => Compressor)();
    for (const [text, compressed] of [
      ["1234567890123", false],
      ["12345678901234", true],
    ] as const) {
      expect(recognizes(toBytes(await codec(compressor).encode(text, "key")))).toBe(compressed);
      const theirs = golden.values.find((one) => one.compressor === compressor && one.json === JSON.stringify(text));
      expect(recognizes(Buffer.from(theirs?.stored ?? "", "base64"))).toBe(compressed);
    }
  });
});

/** This library's own form of all the values, with every compressor that Python's standard library reads. */
async function stored(): Promise<Case[]> {
  return Promise.all(
    golden.values.map(async (one) => {
      const bytes = toBytes(await codec(one.compressor).encode(expectedOf(one), "key"));
      return { ...one, stored: Buffer.from(bytes).toString("base64") };
    }),
  );
}

const python = spawnSync("python3", ["--version"]);

/** What a Django cache reads differently of these cases; nothing when it reads them all. */
function readByPython(cases: readonly Case[]): string {
  const script = fileURLToPath(new URL("read_ours.py", FIXTURES));
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  const { status, stdout, stderr } = spawnSync("python3", [script], { input: JSON.stringify(cases), env });
  return status === 0 ? stdout.toString() : `python3 failed: ${stderr.toString()}`;
}

describe("an entry that this library stored", () => {
  const written = fixture<readonly Case[]>("ours.json");

  it("in an earlier version is still read", async () => {
    expect(written.length).toBe(golden.values.length);
    for (const one of written) expect(await read(one), `${one.name}, ${one.compressor}`).toStrictEqual(expectedOf(one));
  });

  describe.skipIf(python.status !== 0)("is read by a Django cache (skipped without python3 on PATH)", () => {
    it("as this version writes it", async () => {
      expect(readByPython(await stored())).toBe("");
    });

    it("as an earlier version wrote it", () => {
      expect(readByPython(written)).toBe("");
    });

    it("and a differing value is detected", () => {
      const [first] = written.filter(({ json }) => json === '"a"');
      expect(readByPython([{ ...(first as Case), json: '"b"' }])).toContain("'a' instead of 'b'");
    });
  });

  it.runIf(process.env.UPDATE_GOLDEN)("is written to ours.json", async () => {
    writeFileSync(new URL("ours.json", FIXTURES), `${JSON.stringify(await stored(), undefined, 1)}\n`);
  });
});
