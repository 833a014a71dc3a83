import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { msgpack } from "../../src/serializers/msgpack.js";
import { serializerContract } from "../contract/serializer.js";

serializerContract(() => msgpack());

class Secret {
  #value = 1;
  get value(): number {
    return this.#value;
  }
}

interface Packed {
  readonly name: string;
  readonly json: string;
  readonly stored: string;
}

const golden = JSON.parse(
  readFileSync(new URL("../fixtures/django/golden-packages.json", import.meta.url), "utf8"),
) as { readonly msgpack: readonly Packed[]; readonly special: readonly Omit<Packed, "json">[] };

const serializer = msgpack();
const bytes = (...hex: string[]): Uint8Array => new Uint8Array(Buffer.from(hex.join(""), "hex"));
const hex = async (value: unknown): Promise<string> =>
  Buffer.from((await serializer.serialize(value)) as Uint8Array).toString("hex");
const read = async (stored: Uint8Array): Promise<unknown> => serializer.deserialize(stored);
const special = (name: string): Promise<unknown> =>
  read(Buffer.from(golden.special.find((one) => one.name === name)?.stored ?? "", "base64"));

describe("a value that Python's msgpack wrote", () => {
  it.each(golden.msgpack.map((one) => [one.name, one] as const))(
    "is read, and written identically: %s",
    async (_, one) => {
      const stored = Buffer.from(one.stored, "base64");
      const value: unknown = JSON.parse(one.json);
      expect(await read(stored)).toStrictEqual(value);
      // Positive integers beyond 32 bits are written as signed ones here, which every reader takes for the same.
      if (one.name !== "exact integers") expect(await hex(value)).toBe(stored.toString("hex"));
    },
  );

  it("is read when JSON lacks its type", async () => {
    expect(await special("bytes")).toStrictEqual({ data: new Uint8Array([0, 1, 254, 255]), text: "bytes" });
    expect(await special("timestamp")).toStrictEqual({ at: new Date(1714979289123) });
    expect(await special("integers")).toStrictEqual([
      2 ** 32,
      -(2 ** 31) - 1,
      2 ** 53,
      2n ** 63n,
      -(2n ** 63n),
      2n ** 64n - 1n,
    ]);
    expect(await special("integer keys")).toStrictEqual({ 1: "one", "-2": "minus two" });
    expect(await special("nan")).toStrictEqual([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    await expect(special("other extension")).rejects.toThrow("an extension of type 5");
  });
});

describe("msgpack()", () => {
  it("writes integers of up to 64 bits as integers", async () => {
    expect(await hex(5_000_000_000)).toBe("d3000000012a05f200");
    expect(await hex({ a: [-5_000_000_000] })).toBe("81a16191d3fffffffed5fa0e00");
    expect(await hex(2n ** 64n - 1n)).toBe("cfffffffffffffffff");
    expect(await hex(4_294_967_295)).toBe("ceffffffff");
    expect(await hex(2 ** 60)).toBe("cb43b0000000000000");
  });

  it("writes binary data as binary, and dates as timestamps", async () => {
    expect(await hex({ a: new Uint8Array([1, 2]), b: Buffer.from([3]) })).toBe("82a161c4020102a162c40103");
    expect(await hex(new Date(1000))).toBe("d6ff00000001");
    for (const date of [new Date(1714979289123), new Date(-1), new Date(2 ** 45)]) {
      expect(await serializer.deserialize(await serializer.serialize(date))).toStrictEqual(date);
    }
  });

  it("applies toJSON(), and writes nested undefined as nil", async () => {
    expect(await hex({ a: { toJSON: () => 5 }, b: undefined })).toBe("82a16105a162c0");
    expect(await hex([undefined])).toBe("91c0");
    expect(
      await hex(
        new (class Place {
          id = 1;
        })(),
      ),
    ).toBe("81a2696401");
  });

  it("does not modify the given value", async () => {
    const value = { large: 2 ** 40, list: [2 ** 40, { at: { toJSON: () => 1 } }] };
    const before = { ...value, list: [...value.list] };
    await serializer.serialize(value);
    expect(value).toStrictEqual(before);
  });

  it.each([
    ["undefined", undefined, "store null"],
    ["a Map", { a: [new Map()] }, "(at a[0])"],
    ["a Set", new Set(), "use structuredClone(), or convert it to plain objects and arrays"],
    ["a RegExp", { re: /x/ }, "(at re)"],
    ["an Error", [new Error("x")], "(at [0])"],
    ["a promise", { p: Promise.resolve() }, "(at p)"],
    ["a function inside", { f: () => 1 }, "leave it out"],
    ["other binary data", new Float64Array(1), "give a Uint8Array"],
    ["an ArrayBuffer", new ArrayBuffer(1), "give a Uint8Array"],
    ["a bigint over 64 bits", { n: 2n ** 64n }, "store it as a string"],
    ["an invalid date", new Date(Number.NaN), "leave it out"],
    ["a Response", { list: [{ r: new Response("x") }] }, "an instance of Response (at list[0].r): it has only maps"],
    ["an instance with private fields", { a: new Secret() }, "an instance of Secret (at a): it has only maps"],
    ["an iterator", { a: [1].values() }, "collect it into an array first"],
    ["a Map of another realm", { a: runInNewContext("new Map([[1, 2]])") }, "(at a): it has only maps"],
    ["a boxed string", { a: new String("x") }, "an instance of String (at a): it has only maps"],
    ["half of a surrogate pair", { a: ["x\ud83d"] }, '"x\\ud83d" (at a[0]): it is written as UTF-8'],
    ["half of a surrogate pair as the whole value", "\ude00", "cut text between characters, or use json()"],
    ["half of a surrogate pair in a key", { a: { "k\ud83d": 1 } }, '"k\\ud83d" (at a): it is written as UTF-8'],
    ["half of a surrogate pair that toJSON() returns", { a: { toJSON: () => "\ud83d" } }, "(at a): it is written"],
    ["a key named __proto__", JSON.parse('{"a":{"__proto__":1}}'), "rename it"],
  ])("refuses %s, and says where it is or what to do", async (_, value, message) => {
    const attempt = async (): Promise<unknown> => serializer.serialize(value);
    await expect(attempt).rejects.toThrow(TypeError);
    await expect(attempt).rejects.toThrow(message);
  });

  it("stores empty objects, also those without a prototype or of another realm", async () => {
    const value = [{}, Object.create(null), runInNewContext("({})")];
    expect(await read((await serializer.serialize(value)) as Uint8Array)).toEqual([{}, {}, {}]);
  });

  it("returns every bigint of 64 bits as a bigint, and every number as a number, at any depth", async () => {
    const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constantFrom(2 ** 53, -(2 ** 53)));
    const bigint = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.bigInt({ min: -300n, max: 300n }),
      fc.constantFrom(
        2n ** 53n,
        2n ** 53n - 1n,
        2n ** 53n + 1n,
        -(2n ** 53n),
        -(2n ** 53n) - 1n,
        2n ** 32n,
        -(2n ** 31n),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(number, bigint)), async (list) => {
        const value = list.map((each) => (Object.is(each, -0) ? 0 : each));
        const stored = (await serializer.serialize({ value, nested: [{ value }] })) as Uint8Array;
        expect(await read(stored)).toStrictEqual({ value, nested: [{ value }] });
        for (const each of value) {
          expect(await read((await serializer.serialize(each)) as Uint8Array)).toBe(each);
        }
      }),
    );
  });

  it("writes small bigints as an extension, and large ones as integers", async () => {
    expect(await hex(5n)).toBe("d7420000000000000005");
    expect(await hex([-1n])).toBe("91d742ffffffffffffffff");
    expect(await hex(2n ** 53n + 1n)).toBe("d30020000000000001");
  });

  it("leaves reading of bigints of any length to other users of the package as it was", async () => {
    await serializer.serialize(1n);
    const { Packr } = await import("msgpackr");
    const packr = new Packr({ useBigIntExtension: true } as object);
    for (const value of [2n ** 64n, -(2n ** 64n), 2n ** 1_000n, -(2n ** 999n) + 1n]) {
      expect(packr.unpack(packr.pack(value))).toBe(value);
    }
  });

  it("refuses a value that refers to itself", async () => {
    const value: unknown[] = [];
    value.push({ value });
    await expect(async () => serializer.serialize(value)).rejects.toThrow("an array refers to itself, or is too deep");
  });

  it.each([
    ["a record, which would make code", bytes("d47240", "91a161", "01")],
    ["a regular expression", bytes("c70578", "92a3282e2a", "a0")],
    ["an error", bytes("d46500", "93a54572726f72a178c0")],
    ["a set", bytes("d47300", "9101")],
    ["shared references", bytes("d66900000001", "9101")],
    ["a typed array", bytes("c70974", "08", "0000000000000000")],
    ["the reserved byte", bytes("91c1")],
    ["a bigint of another length", bytes("d64200000001")],
    ["a timestamp of a wrong length", bytes("c705ff0000000000")],
  ])("reads no extension of the package: %s", async (_, stored) => {
    await expect(read(stored)).rejects.toThrow(/MessagePack data has (an extension|the reserved byte)/);
  });

  it("refuses lengths that exceed the bytes, without allocating", async () => {
    for (const stored of [
      "ddffffffff",
      "dfffffffff",
      "dbffffffff",
      "c6ffffffff",
      "dd01000000".repeat(50),
      "dcffff",
      "91",
      "",
    ]) {
      await expect(read(bytes(stored))).rejects.toThrow("ends too early");
    }
  });

  it("refuses trailing bytes, text, and unlimited nesting", async () => {
    await expect(read(bytes("0102"))).rejects.toThrow("ends 1 bytes before the stored bytes do");
    await expect(async () => serializer.deserialize("\u0001")).rejects.toThrow("is text, not MessagePack");
    await expect(read(new Uint8Array([...new Array<number>(500_000).fill(0x91), 1]))).rejects.toThrow(RangeError);
    expect(await read(bytes("9101"))).toEqual([1]);
  });

  it("changes no prototype for a key named __proto__", async () => {
    const value = (await read(bytes("81", "a9", Buffer.from("__proto__").toString("hex"), "81a16101"))) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect((value as { a?: number }).a).toBeUndefined();
  });

  it("is synchronous after its package is loaded", async () => {
    await serializer.serialize(1);
    expect(serializer.serialize([1])).toBeInstanceOf(Uint8Array);
    expect(serializer.deserialize(bytes("9101"))).toEqual([1]);
  });

  it("returns binary data that keeps no larger buffer in memory", async () => {
    const { data } = (await read(bytes("81a464617461", "c4020102"))) as { data: Uint8Array };
    expect(data).toStrictEqual(new Uint8Array([1, 2]));
    expect(data.buffer.byteLength).toBe(2);
  });
});
