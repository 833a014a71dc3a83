import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toFields } from "../../../src/http/rfc/message.js";
import { mostRecent, selector, varyNames } from "../../../src/http/rfc/vary.js";
import { date, fields, type Lines, stored } from "./exchanges.js";

const matches = (names: string[], one: Lines, other: Lines): boolean =>
  selector(names, fields(one)) === selector(names, fields(other));

describe("the Vary field (RFC 9110 §12.5.5)", () => {
  it("names request fields without regard to case or order, on all its lines", () => {
    expect(varyNames(fields({ vary: ["Foo, bar", ",baz", "FOO"] }))).toEqual(["bar", "baz", "foo"]);
    expect(varyNames(fields({}))).toEqual([]);
    expect(varyNames(fields({ vary: "" }))).toEqual([]);
  });

  it.each(["*", " * ", "*, *", ", *", "*, Foo", "Foo, *", "Foo,*", "foo bar", 'a, "*"'])(
    "matches no request when it is %j (RFC 9111 §4.1)",
    (vary) => expect(varyNames(fields({ vary }))).toBe("*"),
  );

  it("matches no request when any line has a star", () => {
    expect(varyNames(fields({ vary: ["accept", "*"] }))).toBe("*");
    expect(varyNames(fields({ vary: ["", "*"] }))).toBe("*");
  });
});

describe("selecting fields (RFC 9111 §4.1)", () => {
  it("match when they are equal, and not when any differs", () => {
    expect(matches(["bar", "foo"], { foo: "1", bar: "a" }, { bar: "a", foo: "1" })).toBe(true);
    expect(matches(["bar", "foo"], { foo: "1", bar: "a" }, { foo: "1", bar: "b" })).toBe(false);
    expect(matches(["foo"], { foo: "a" }, { foo: "A" })).toBe(false);
  });

  it("don't look at fields that Vary doesn't name", () => {
    expect(matches(["foo"], { foo: "1", other: "2" }, { foo: "1", other: "3" })).toBe(true);
  });

  it("distinguish absent, empty and present", () => {
    expect(matches(["foo"], {}, { foo: "" })).toBe(false);
    expect(matches(["foo"], {}, { foo: "1" })).toBe(false);
    expect(matches(["bar", "foo"], { foo: "1" }, { foo: "1" })).toBe(true);
    expect(matches(["bar", "foo"], { foo: "1" }, { bar: "1" })).toBe(false);
  });

  it("match whether on one line or on several, and with any white space around commas", () => {
    expect(matches(["foo"], { foo: "1, 2" }, { foo: ["1", "2"] })).toBe(true);
    expect(matches(["foo"], { foo: "1,2" }, { foo: " 1,\t2 " })).toBe(true);
    expect(matches(["foo"], { foo: "1 2" }, { foo: "12" })).toBe(false);
    expect(matches(["foo"], { foo: '"1, 2"' }, { foo: '"1,2"' })).toBe(false);
    expect(matches(["foo"], { foo: "1, 2" }, { foo: "2, 1" })).toBe(false);
  });

  it("match when preferences only differ in order, case, white space, or the weight of 1", () => {
    for (const name of ["accept-language", "accept-encoding"]) {
      expect(matches([name], { [name]: "en, de" }, { [name]: "De ,  eN" })).toBe(true);
      expect(matches([name], { [name]: "en;q=1.0, de;q=0.50" }, { [name]: "de; q=0.5, en" })).toBe(true);
      expect(matches([name], { [name]: "en;q=0.9, de" }, { [name]: "en, de;q=0.9" })).toBe(false);
      expect(matches([name], { [name]: "en;q=0" }, { [name]: "en" })).toBe(false);
    }
  });

  it("leave fields as they are that are no lists", () => {
    expect(matches(["cookie"], { cookie: "a=1, 2" }, { cookie: "a=1,2" })).toBe(false);
    expect(matches(["authorization"], { authorization: "X a, b" }, { authorization: "X a,b" })).toBe(false);
  });

  it("differ whatever they hold", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "1", ":", "=", "-", "5", "o", "f") });
    const request = fc.record({ foo: fc.option(text), bar: fc.option(text) });
    const lines = (values: Record<string, string | null>) =>
      toFields(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null));
    fc.assert(
      fc.property(request, request, (one, other) => {
        const same = one.foo === other.foo && one.bar === other.bar;
        expect(selector(["bar", "foo"], lines(one)) === selector(["bar", "foo"], lines(other))).toBe(same);
      }),
    );
  });
});

describe("among responses that match", () => {
  const made = (seconds: number) => ({ stored: stored({ "cache-control": "max-age=60", date: date(seconds) }) });

  it("the most recent is chosen (RFC 9111 §4)", () => {
    const [old, recent] = [made(-30), made(-10)];
    expect(mostRecent([old, recent])).toBe(recent);
    expect(mostRecent([recent, old])).toBe(recent);
    expect(mostRecent([])).toBeUndefined();
  });
});
