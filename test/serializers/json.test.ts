import { describe, expect, it, vi } from "vitest";
import { json } from "../../src/serializers/json.js";
import { serializerContract } from "../contract/serializer.js";

serializerContract(() => json());

describe("json()", () => {
  const serializer = json();

  it("writes JSON text and reads it as text or bytes, synchronously", () => {
    expect(serializer.serialize({ a: [1, "ü"] })).toBe('{"a":[1,"ü"]}');
    expect(serializer.deserialize('{"a":[1,"ü"]}')).toEqual({ a: [1, "ü"] });
    expect(serializer.deserialize(new TextEncoder().encode(' {"a" : [1, "\\u00fc"]} '))).toEqual({ a: [1, "ü"] });
  });

  it.each([
    ["undefined", undefined, "store null for a known absence"],
    ["a function", () => 1, "store plain data"],
    ["a symbol", Symbol("s"), "store plain data"],
    ["NaN", Number.NaN, "use structuredClone() or msgpack()"],
    ["Infinity", Number.POSITIVE_INFINITY, "use structuredClone() or msgpack()"],
    ["a bigint", 10n, "convert it to a string"],
    ["a Map", new Map([[1, 2]]), "use structuredClone()"],
    ["a Set", new Set([1]), "use structuredClone()"],
    ["a WeakMap", new WeakMap(), "convert it to plain objects"],
    ["a RegExp", /x/, "use structuredClone()"],
    ["an Error", new Error("x"), "use structuredClone()"],
    ["a Uint8Array", new Uint8Array(2), "use msgpack() or structuredClone()"],
    ["a Buffer", Buffer.from("x"), "use msgpack() or structuredClone()"],
    ["a DataView", new DataView(new ArrayBuffer(2)), "use msgpack() or structuredClone()"],
    ["an ArrayBuffer", new ArrayBuffer(2), "use msgpack() or structuredClone()"],
    ["a promise", Promise.resolve(1), "await it first"],
    ["an object whose toJSON() answers nothing", { toJSON: (): undefined => undefined }, "its toJSON() returned none"],
    ["a bigint inside", { a: [{ b: 1n }] }, "leave out bigints and cycles"],
  ])("refuses %s, and says what to do instead", (_, value, remedy) => {
    expect(() => serializer.serialize(value)).toThrow(TypeError);
    expect(() => serializer.serialize(value)).toThrow(remedy);
  });

  it("refuses a value that refers to itself, with the reason as cause", () => {
    const value: Record<string, unknown> = { name: "loop" };
    value.self = [value];
    expect(() => serializer.serialize(value)).toThrow(
      /JSON has no form for an object: .*; leave out bigints and cycles/,
    );
    expect(() => serializer.serialize(value)).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });

  it("writes values that define their JSON form", () => {
    expect(serializer.serialize(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"');
    expect(serializer.serialize(Object.assign(new Map(), { toJSON: (): string[] => ["own"] }))).toBe('["own"]');
    expect(serializer.serialize(Object.create(null, { a: { value: 1, enumerable: true } }))).toBe('{"a":1}');
    class Place {
      id = 1;
    }
    expect(serializer.serialize(new Place())).toBe('{"id":1}');
  });

  it("refuses text that is not JSON, and bytes that are not UTF-8", () => {
    for (const text of ["", "{", "NaN", "undefined", "{'a':1}", "1 2", "\ufeff1"]) {
      expect(() => serializer.deserialize(text)).toThrow(SyntaxError);
      expect(() => serializer.deserialize(new TextEncoder().encode(text))).toThrow(SyntaxError);
    }
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
    ]) {
      expect(() => serializer.deserialize(Uint8Array.from(bytes))).toThrow(TypeError);
    }
  });

  it("preserves the replacement character and lone surrogates", () => {
    for (const text of ["a\ufffdb", "\ud800", "x\udfff"]) {
      expect(serializer.deserialize(new TextEncoder().encode(serializer.serialize(text) as string))).toBe(text);
    }
  });

  it("works where there is no Buffer", () => {
    const bytes = new TextEncoder().encode('"ü"');
    vi.stubGlobal("Buffer", undefined);
    const value = serializer.deserialize(bytes);
    vi.unstubAllGlobals();
    expect(value).toBe("ü");
  });

  it("changes no prototype for a key named __proto__", () => {
    const value = serializer.deserialize('{"__proto__":{"polluted":1}}') as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
