import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, expectTypeOf, it, onTestFinished } from "vitest";
import { argumentKey } from "../../src/definitions/argument-key.js";
import { ConfigurationError, createCache, wrap } from "../../src/index.js";

function open() {
  const cache = createCache({ location: "memory:" });
  onTestFinished(() => cache.close());
  return cache;
}

async function findReport(id: string, options?: { readonly deep: boolean }) {
  return { id, options };
}

describe("wrap", () => {
  it("keeps the function's types", async () => {
    const report = wrap(open(), findReport);
    expectTypeOf(report).parameters.toEqualTypeOf<[id: string, options?: { readonly deep: boolean } | undefined]>();
    expectTypeOf(report).returns.resolves.toEqualTypeOf<Awaited<ReturnType<typeof findReport>>>();
    const max = wrap(open(), Math.max, { key: "max" });
    expectTypeOf(max).returns.toEqualTypeOf<Promise<number>>();
    expect(await report("7", { deep: true })).toEqual({ id: "7", options: { deep: true } });
    expect(report.key("7", { deep: true })).toBe('findReport("7",{"deep":true})');
  });

  it("takes the name or the whole key from its option, and a version", () => {
    expect(wrap(open(), findReport, { key: "report", version: 2 }).key("7")).toBe('report("7")@2');
    expect(wrap(open(), findReport, { key: (id) => `report:${id}` }).key("7")).toBe("report:7");
  });

  it("refuses a function whose name may be another one's too", () => {
    expect(() => wrap(open(), (n: number) => n)).toThrow(/^wrap: the function has no name; give the option "key"/);
    const { ab } = { ab: (n: number) => n };
    expect(() => wrap(open(), ab)).toThrow(/^wrap: the function is called "ab", as a minifier may/);
  });

  it.each<[unknown, RegExp]>([
    [{ key: "" }, /^wrap: option "key" is ""; give a string that is not empty, or a function/],
    [{ load: findReport }, /^wrap: unknown option "load"; known options are: ttl, version/],
    [{ schema: 1 }, /^wrap: option "schema" is 1; give a schema/],
  ])("refuses %o", (options, message) => {
    const make = () => Reflect.apply(wrap, undefined, [open(), findReport, options]);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it("refuses what is no function", () => {
    expect(() => Reflect.apply(wrap, undefined, [open(), "report"])).toThrow(/^wrap: "report" is not a function/);
  });

  it("rejects arguments that have no key, and does not call the function", async () => {
    let calls = 0;
    const count = wrap(open(), (_: unknown) => ++calls, { key: "count" });
    await expect(count(() => 1)).rejects.toThrow(TypeError);
    expect(calls).toBe(0);
  });

  it("does not store undefined, and passes errors on", async () => {
    let calls = 0;
    const nothing = wrap(open(), () => void calls++, { key: "nothing" });
    await nothing();
    expect(await nothing()).toBeUndefined();
    expect(calls).toBe(2);
    const failing = wrap(open(), () => Promise.reject(new Error("why")), { key: "failing" });
    await expect(failing()).rejects.toThrow("why");
  });
});

class Point {
  x = 1;
}
const nested: { in?: unknown } = {};
nested.in = nested;

describe("the key of arguments", () => {
  const text = (...args: unknown[]) => argumentKey("report", args);

  it("shows what they are", () => {
    expect(text()).toBe("()");
    expect(text("a", 1, 2n, true, null, undefined)).toBe('("a",1,2n,true,null,undefined)');
    expect(text(new Date(5), [1, [2]], { b: 1, a: { c: "x" } })).toBe('(Date(5),[1,[2]],{"a":{"c":"x"},"b":1})');
    expect(text(-0, Number.NaN, -Infinity)).toBe("(-0,NaN,-Infinity)");
    expect(text("\ud800")).toBe('("\\ud800")');
  });

  it("takes an object without a prototype for a plain one", () => {
    expect(text(Object.assign(Object.create(null), { a: 1 }))).toBe(text({ a: 1 }));
  });

  it.each<[string, unknown, RegExp]>([
    ["a function", { on: { end: () => {} } }, /argument 2 at \.on\.end is a function, so that/],
    ["a symbol", [Symbol("a")], /argument 2 at \[0\] is a symbol/],
    ["an instance", { at: [new Point()] }, /argument 2 at \.at\[0\] is an instance of Point/],
    ["a Map", new Map(), /argument 2 is an instance of Map/],
    ["bytes", new Uint8Array(1), /argument 2 is an instance of Uint8Array/],
    ["a boxed value", Object("a"), /argument 2 is an instance of String/],
    ["a subclass of Date", new (class Day extends Date {})(0), /argument 2 is an instance of Day/],
    ["a subclass of Array", new (class List extends Array {})(), /argument 2 is an array/],
    ["an invalid Date", new Date(Number.NaN), /argument 2 is an invalid Date/],
    ["a Date with properties", Object.assign(new Date(0), { zone: "CET" }), /argument 2 is an instance of Date/],
    ["holes", Array(2), /argument 2 is an array with holes/],
    ["an array with properties", Object.assign([1], { a: 1 }), /argument 2 is an array with holes, or with properties/],
    ["a property that is a symbol", { [Symbol("a")]: 1 }, /argument 2 has a property that is a symbol/],
    ["what is in itself", nested, /argument 2 is nested deeper than 100 levels, or in itself/],
  ])("refuses %s, naming the argument and the place", (_, value, message) => {
    expect(() => text("first", value)).toThrow(TypeError);
    expect(() => text("first", value)).toThrow(message);
    expect(() => text("first", value)).toThrow(
      /^report: .*; give wrap\(\) the option "key", a function of the arguments$/,
    );
  });

  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom<unknown>("", "a", '"', ",", "1", "null", "undefined", "Date(1)", "1n", ")", "\ud800", "\udc00"),
      fc.constantFrom<unknown>(0, -0, 1, Number.NaN, Infinity, 1n, 0n, true, false, null, undefined),
      fc.constantFrom(0, 1).map((ms) => new Date(ms)),
      fc.string({ unit: "binary" }),
      fc.double(),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", '"', "a:1", "__proto__", "1", "toJSON"), tie("value"), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    ),
  }));
  const args = fc.array(value, { maxLength: 3 });

  it("is the same for two lists of arguments where these are the same, and nowhere else", () => {
    fc.assert(
      fc.property(args, args, (one, other) => {
        expect(text(...one) === text(...other)).toBe(isDeepStrictEqual(one, other));
      }),
      { numRuns: 3_000 },
    );
  });

  it("is the same for a copy of the arguments, whatever the order of properties", () => {
    const reversed = (of: unknown): unknown => {
      if (Array.isArray(of)) return of.map(reversed);
      if (typeof of !== "object" || of === null || of instanceof Date) return of;
      return Object.fromEntries(
        Object.entries(of)
          .reverse()
          .map(([name, one]) => [name, reversed(one)]),
      );
    };
    fc.assert(
      fc.property(args, (one) => {
        expect(text(...one.map(reversed))).toBe(text(...one));
      }),
      { numRuns: 1_000 },
    );
  });
});
