import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { json } from "../../src/serializers/json.js";
import { serializerContract } from "../contract/serializer.js";

serializerContract(() => json());

class Secret {
  #value = 1;
  get value(): number {
    return this.#value;
  }
}

class Place {
  id = 1;
}

/** Stands for a value that is put in after a tree was made, as fast-check would clone it. */
class Lost {
  constructor(readonly value: unknown) {}
}

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
    ["a bigint", 10n, "give a number or a string, or use structuredClone() or msgpack()"],
    ["a Map", new Map([[1, 2]]), "use structuredClone()"],
    ["a Set", new Set([1]), "use structuredClone()"],
    ["a WeakMap", new WeakMap(), "convert it to plain objects and arrays"],
    ["a RegExp", /x/, "use structuredClone()"],
    ["an Error", new Error("x"), "use structuredClone()"],
    ["a Uint8Array", new Uint8Array(2), "use msgpack() or structuredClone()"],
    ["a Buffer", Buffer.from("x"), "use msgpack() or structuredClone()"],
    ["a DataView", new DataView(new ArrayBuffer(2)), "use msgpack() or structuredClone()"],
    ["an ArrayBuffer", new ArrayBuffer(2), "use msgpack() or structuredClone()"],
    ["an Error with a code", Object.assign(new Error("x"), { code: 1 }), "use structuredClone()"],
    ["a promise", Promise.resolve(1), "await it first"],
    ["an object whose toJSON() answers nothing", { toJSON: (): undefined => undefined }, "its toJSON() returned none"],
    ["a bigint inside", { a: [{ b: 1n }] }, "1n (at a[0].b); give a number or a string, or use structuredClone()"],
  ])("refuses %s, and says what to do instead", (_, value, remedy) => {
    expect(() => serializer.serialize(value)).toThrow(TypeError);
    expect(() => serializer.serialize(value)).toThrow(remedy);
  });

  it("refuses a value that refers to itself, with the reason as cause", () => {
    const value: Record<string, unknown> = { name: "loop" };
    value.self = [value];
    expect(() => serializer.serialize(value)).toThrow(
      "JSON has no form for an object (at self[0]); it refers to itself; leave the reference out, or use structuredClone()",
    );
    expect(() => serializer.serialize(value)).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }));
  });

  const hidden: [string, unknown, string][] = [
    ["a Response", new Response("x"), "an instance of Response (PATH); read it first"],
    ["a Request", new Request("http://a"), "an instance of Request (PATH); read it first"],
    ["a Blob", new Blob(["x"]), "an instance of Blob (PATH); read it first"],
    ["a ReadableStream", new ReadableStream(), "an instance of ReadableStream (PATH); read it first"],
    ["Headers", new Headers({ a: "b" }), "an instance of Headers (PATH); convert it to plain objects"],
    [
      "URLSearchParams",
      new URLSearchParams("a=1"),
      "an instance of URLSearchParams (PATH); convert it to plain objects",
    ],
    ["FormData", new FormData(), "an instance of FormData (PATH); convert it to plain objects"],
    ["a Map", new Map([[1, 2]]), "an instance of Map (PATH); use structuredClone()"],
    ["a Set", new Set([1]), "an instance of Set (PATH); use structuredClone()"],
    ["a WeakMap", new WeakMap(), "an instance of WeakMap (PATH); convert it to plain objects"],
    ["a RegExp", /x/, "an instance of RegExp (PATH); use structuredClone()"],
    ["an Error", new RangeError("x"), "an instance of RangeError (PATH); use structuredClone()"],
    ["a promise", Promise.resolve(1), "an instance of Promise (PATH); await it first"],
    ["an iterator", [1].values(), "(PATH); collect it into an array first"],
    ["a generator", (function* () {})(), "an object of the kind Generator (PATH); collect it into an array first"],
    ["an instance with private fields", new Secret(), "an instance of Secret (PATH); convert it to plain objects"],
    ["an object with inherited fields only", Object.create({ a: 1 }), "(PATH); convert it to plain objects"],
    ["a boxed symbol", Object(Symbol("s")), "an instance of Symbol (PATH); convert it to plain objects"],
    [
      "a Map of another realm",
      runInNewContext("new Map([[1, 2]])"),
      "an instance of Map (PATH); use structuredClone()",
    ],
    [
      "an Error of another realm",
      runInNewContext("new Error('x')"),
      "an instance of Error (PATH); use structuredClone()",
    ],
    ["a Uint8Array", new Uint8Array([1]), "an instance of Uint8Array (PATH); use msgpack() or structuredClone()"],
    ["an empty Uint8Array", new Uint8Array(), "(PATH); use msgpack() or structuredClone()"],
    ["a Buffer", Buffer.from("x"), "an instance of Buffer (PATH); use msgpack() or structuredClone()"],
    ["a Float64Array", new Float64Array([Number.NaN]), "(PATH); use msgpack() or structuredClone()"],
    ["an ArrayBuffer", new ArrayBuffer(2), "an instance of ArrayBuffer (PATH); use msgpack() or structuredClone()"],
    ["a DataView", new DataView(new ArrayBuffer(2)), "(PATH); use msgpack() or structuredClone()"],
    [
      "a typed array of another realm",
      runInNewContext("new Uint8Array(2)"),
      "(PATH); use msgpack() or structuredClone()",
    ],
  ];

  it.each(hidden)("refuses %s at any depth, with its path", (_, value, message) => {
    const places: [string, unknown][] = [
      ["", value],
      ["a", { a: value }],
      ["users[0].response", { users: [{ id: 1, response: value }] }],
      ['[2]["the key"].x', [{}, null, { "the key": { x: value } }]],
      ["row.field", { row: Object.assign(new Place(), { field: value }) }],
      ["shown.inner", { shown: { hidden: 1, toJSON: () => ({ inner: value }) } }],
    ];
    for (const [path, whole] of places) {
      const expected = message.replace(" (PATH)", path === "" ? "" : ` (at ${path})`).replace("(PATH)", `(at ${path})`);
      expect(() => serializer.serialize(whole), path).toThrow(TypeError);
      expect(() => serializer.serialize(whole), path).toThrow(path === "" ? expected.replace("(at )", "") : expected);
    }
  });

  it("names the part that is nearest to the top", () => {
    expect(() => serializer.serialize({ a: { b: { c: new Map() } }, z: new Set() })).toThrow("(at z)");
  });

  it("stores what JSON keeps, even if it looks like what it loses", () => {
    const plain = [
      {},
      [{}],
      { a: {}, b: [{ c: {} }] },
      { 0: "a", 1: {} },
      { text: 'function () {} {"0":1} {"type":"Buffer"}' },
      { type: "Buffer", data: [1] },
      { a: Object.create(null), b: {} },
      { of: runInNewContext("({ a: {}, b: [{}], c: Object.create(null) })") },
      runInNewContext("[{}]"),
      { row: new Place(), none: Object.assign(new Place(), { id: undefined }) },
      { at: new Date(0), url: new URL("http://a"), empty: {} },
      { boxes: [new String(""), new Number(1), new Boolean(false)] },
      {
        map: Object.assign(new Map(), { toJSON: () => ({}) }),
        bytes: Object.assign(new Uint8Array(1), { toJSON: () => "AA" }),
      },
      { f: () => 1, nothing: undefined, nan: Number.NaN, holes: new Array(2) },
    ];
    for (const value of plain) expect(serializer.serialize(value)).toBe(JSON.stringify(value));
  });

  it("stores data that is nested too deep for a recursive check", () => {
    let value: unknown = {};
    let text = "{}";
    for (let depth = 0; depth < 3_000; depth++) value = [value, 1];
    expect(() => (text = JSON.stringify(value))).not.toThrow();
    expect(serializer.serialize(value)).toBe(text);
  });

  it("refuses exactly the values that hide something, wherever it is", () => {
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<unknown>({}, [], null, "{}", 1),
        fc
          .constantFrom<unknown>(new Map(), new Uint8Array([1]), new Secret(), Buffer.from("x"))
          .map((lost) => new Lost(lost)),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom("0", "a", "type", "x y"), tie("value"), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(tree, (made) => {
        let lost = 0;
        const reveal = (part: unknown): unknown => {
          if (part instanceof Lost) {
            lost++;
            return part.value;
          }
          if (Array.isArray(part)) return part.map(reveal);
          if (typeof part !== "object" || part === null) return part;
          return Object.fromEntries(Object.entries(part).map(([key, each]) => [key, reveal(each)]));
        };
        const value = reveal(made);
        if (lost === 0) expect(serializer.serialize(value)).toBe(JSON.stringify(value));
        else expect(() => serializer.serialize(value)).toThrow(TypeError);
      }),
      { numRuns: 500 },
    );
  });

  it("writes values that define their JSON form", () => {
    expect(serializer.serialize(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"');
    expect(serializer.serialize(Object.assign(new Map(), { toJSON: (): string[] => ["own"] }))).toBe('["own"]');
    expect(serializer.serialize(Object.create(null, { a: { value: 1, enumerable: true } }))).toBe('{"a":1}');
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
