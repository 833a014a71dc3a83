import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freezeDeeply } from "../../src/near/values.js";

function everyObjectIn(value: unknown, found = new Set<object>()): ReadonlySet<object> {
  if (typeof value !== "object" || value === null || found.has(value)) return found;
  found.add(value);
  for (const item of Object.values(value)) everyObjectIn(item, found);
  return found;
}

describe("what callers share", () => {
  it("is frozen with all that is in it, whatever JSON it is", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(freezeDeeply(value)).toBe(true);
        expect([...everyObjectIn(value)].every((one) => Object.isFrozen(one))).toBe(true);
      }),
    );
  });

  it("is frozen below what was frozen before", () => {
    const value = Object.freeze({ list: [{ a: 1 }] });
    expect(freezeDeeply(value)).toBe(true);
    expect(Object.isFrozen(value.list[0])).toBe(true);
  });

  it.each([
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a set", new Set()],
    ["bytes", new Uint8Array(2)],
    ["a function", () => {}],
    ["a symbol", Symbol("a")],
    ["an object of a class", new (class Point {})()],
  ])("is nothing with %s in it, and then nothing of it is frozen", (_name, item) => {
    const value = { first: { a: 1 }, list: [{ item }] };
    expect(freezeDeeply(value)).toBe(false);
    expect([...everyObjectIn(value)].some((one) => Object.isFrozen(one))).toBe(false);
  });

  it("may contain bigints, undefined, and objects without a prototype", () => {
    const value = { big: 1n, none: undefined, bare: Object.assign(Object.create(null), { a: [] }) };
    expect(freezeDeeply(value)).toBe(true);
    expect(Object.isFrozen(value.bare.a)).toBe(true);
  });

  it("may be in itself, or many times in itself, and takes no time for that", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(freezeDeeply(circle)).toBe(true);
    expect(Object.isFrozen(circle)).toBe(true);
    let nested: unknown[] = [];
    for (let i = 0; i < 100; i++) nested = [nested, nested];
    expect(freezeDeeply(nested)).toBe(true);
  });

  it("may be nested as deeply as a parser allows", () => {
    const value: unknown = JSON.parse("[".repeat(5_000) + "]".repeat(5_000));
    expect(freezeDeeply(value)).toBe(true);
  });
});
