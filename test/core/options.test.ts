import { describe, expect, it } from "vitest";
import { ConfigurationError } from "../../src/core/errors.js";
import {
  type Check,
  checkOptions,
  isBoolean,
  isFunction,
  isImplementation,
  isInteger,
  isOneOf,
  isPositiveInteger,
  isString,
  isText,
  isWait,
  isWindow,
  orNull,
} from "../../src/core/options.js";

interface Sample {
  size?: number;
  password?: string;
}
const check = (given: unknown) => checkOptions<Sample>("sample", given, { size: isPositiveInteger, password: isText });

describe("checkOptions", () => {
  it("accepts known options, and undefined as a missing one", () => {
    for (const given of [{}, { size: 1 }, { size: undefined }, { size: 1, password: "p" }]) {
      expect(() => check(given)).not.toThrow();
    }
  });

  it("names a wrong option, its value and what is allowed", () => {
    expect(() => check({ size: -1 })).toThrow(ConfigurationError);
    expect(() => check({ size: -1 })).toThrow('sample: option "size" is -1; give a whole number above 0');
    expect(() => check({ size: "5" })).toThrow('option "size" is "5"');
  });

  it("names an unknown option and the known ones", () => {
    expect(() => check({ sise: 1 })).toThrow('sample: unknown option "sise"; known options are: size, password');
    expect(() => check({ colour: 1 })).toThrow(/known options are: size, password$/);
    for (const name of ["constructor", "toString", "hasOwnProperty"]) {
      expect(() => check({ [name]: 1 })).toThrow(`unknown option "${name}"`);
    }
  });

  it.each([undefined, null, 5, "text", [], () => 1])("rejects %j, which has no options", (given) => {
    expect(() => check(given)).toThrow(ConfigurationError);
    expect(() => check(given)).toThrow(/^sample: options must be an object/);
  });

  it("shows no password, neither of an option nor in a URL given as another option", () => {
    for (const given of [{ password: 31_415 }, { size: "valkey://u:31415@h" }, "valkey://u:31415@h"]) {
      expect(() => check(given)).toThrow(ConfigurationError);
      expect(() => check(given)).not.toThrow(/31415/);
    }
  });
});

describe("a check", () => {
  it.each<[string, Check, unknown[], unknown[]]>([
    ["isBoolean", isBoolean, [true, false], [0, 1, "true", null]],
    ["isText", isText, ["a"], ["", 5, null]],
    ["isString", isString, ["a", ""], [5, null]],
    ["isFunction", isFunction, [() => 1, class {}], ["f", {}]],
    ["isInteger", isInteger, [0, -5, 2 ** 53 - 1], [0.5, 2 ** 53, Number.NaN, "5", 5n]],
    ["isPositiveInteger", isPositiveInteger, [1, 5], [0, -1, 0.5, Number.POSITIVE_INFINITY, "1"]],
    ["isWindow", isWindow, [0, 0.5, "5m"], [-1, "-5m", "5", null, Number.NaN]],
    ["isWait", isWait, [0.5, "5m"], [0, "0s", -1, null, "soon"]],
    ["orNull", orNull(isWait), [null, 1], [0, "soon"]],
    ["isOneOf", isOneOf("a", 2), ["a", 2], ["b", "2", null]],
    ["isImplementation", isImplementation("a thing", "run"), [{ run() {} }], [{}, null, { run: 1 }, () => 1]],
  ])("%s tells what is allowed for what is not", (_, check, right, wrong) => {
    for (const value of right) expect(check(value, "option")).toBeUndefined();
    for (const value of wrong) expect(check(value, "option")).toEqual(expect.any(String));
  });

  it("names the methods of an implementation and the allowed values of a choice", () => {
    expect(isImplementation("a thing", "run", "stop")(5, "o")).toBe("a thing (an object with run(), stop())");
    expect(isOneOf("a", 2)(5, "o")).toBe('"a" or 2');
  });
});
