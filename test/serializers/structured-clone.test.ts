import { describe, expect, it, vi } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import { structuredClone } from "../../src/serializers/structured-clone.js";
import { serializerContract } from "../contract/serializer.js";

serializerContract(() => structuredClone());

class Secret {
  #value = 1;
  get value(): number {
    return this.#value;
  }
}

describe("structuredClone()", () => {
  const restored = (value: unknown): unknown => {
    const serializer = structuredClone();
    return serializer.deserialize(serializer.serialize(value) as Uint8Array);
  };

  it.each([
    ["maps and sets", new Map<unknown, unknown>([[{ a: 1 }, new Set([1, "1"])]])],
    ["dates", new Date(1234567890123)],
    ["big integers", [2n ** 100n, -1n]],
    ["undefined", [undefined, { a: undefined }]],
    ["arrays with holes", Object.assign(new Array(3), { 1: "x" })],
    ["numbers that JSON lacks", [Number.NaN, Number.POSITIVE_INFINITY, -0]],
    ["typed arrays", [new Uint8Array([1, 2]), new Float64Array([1.5]), new BigInt64Array([-1n])]],
    ["array buffers", new Uint8Array([5, 6]).buffer],
    ["regular expressions", /a.b/gi],
    ["small bigints", [5n, { a: 0n, b: -1n }]],
    ["lone surrogates", ["x\ud83d", { "\ude00": "\udfff" }]],
    ["empty objects", [{}, { a: {} }, new Map([[{}, {}]])]],
  ])("holds %s", (_, value) => {
    expect(restored(value)).toStrictEqual(value);
  });

  it("holds errors with their causes", () => {
    const error = restored(new RangeError("out", { cause: "in" }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: "out", cause: "in" });
  });

  it("holds values that refer to themselves", () => {
    const value: Record<string, unknown> = {};
    value.self = value;
    const clone = restored(value) as typeof value;
    expect(clone.self).toBe(clone);
  });

  it.each([
    ["a Response", new Response("x"), "read it first"],
    ["Headers", new Headers(), "convert it to plain objects and arrays"],
    ["a URL", new URL("http://a"), "store the result of its toJSON()"],
    ["an instance with private fields", new Secret(), "convert it to plain objects and arrays"],
  ])("refuses %s at any depth, with its path, as V8 would store an empty object", (_, value, remedy) => {
    const serializer = structuredClone();
    const loop: Record<string, unknown> = { empty: {}, value };
    loop.self = loop;
    for (const [path, whole] of [
      ["", value],
      [" (at users[0].response)", { users: [{ response: value }] }],
      [" (at value)", loop],
      [" (at map.k)", { map: new Map([["k", value]]) }],
      [' (at ["a member"])', new Set([value])],
    ] as const) {
      expect(() => serializer.serialize(whole)).toThrow(TypeError);
      expect(() => serializer.serialize(whole)).toThrow(`${path} can't be cloned: V8 sees no fields of it; ${remedy}`);
    }
  });

  it("names a value that it can't clone, and the remedy", () => {
    const serializer = structuredClone();
    for (const value of [{ run: () => 1 }, { s: Symbol("s") }, Promise.resolve(1), new WeakMap()]) {
      expect(() => serializer.serialize(value)).toThrow(TypeError);
      expect(() => serializer.serialize(value)).toThrow(/can't be cloned: .* Store data without functions and symbols/);
    }
  });

  it("returns binary data that does not share memory with the store", () => {
    const serializer = structuredClone();
    const stored = serializer.serialize(new Uint8Array([1, 2, 3])) as Uint8Array;
    const first = serializer.deserialize(stored) as Uint8Array;
    first.fill(9);
    expect(serializer.deserialize(stored)).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("refuses text and other formats", () => {
    const serializer = structuredClone();
    expect(() => serializer.deserialize("{}")).toThrow("text is not a structured clone");
    expect(() => serializer.deserialize(new TextEncoder().encode('{"a":1}'))).toThrow();
  });

  it("names the alternatives where the runtime has no working V8", () => {
    const broken = {
      serialize: () => {
        throw new Error("not implemented");
      },
    };
    for (const module of [undefined, broken]) {
      vi.spyOn(process, "getBuiltinModule").mockReturnValue(module);
      expect(() => structuredClone()).toThrow(ConfigurationError);
      expect(() => structuredClone()).toThrow("use json() or msgpack() here");
    }
  });
});
