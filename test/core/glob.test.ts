import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileGlob, escapeGlob } from "../../src/core/glob.js";

const special = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "[", "]", "^", "-", "\\", "é"), maxLength: 12 });

describe("escapeGlob", () => {
  it("returns a pattern that matches its text only", () => {
    fc.assert(
      fc.property(special, special, (text, other) => {
        const matches = compileGlob(escapeGlob(text));
        expect(matches(text)).toBe(true);
        expect(matches(other)).toBe(other === text);
      }),
    );
  });

  it("returns a prefix that matches only texts with that prefix", () => {
    fc.assert(
      fc.property(special, special, (prefix, text) => {
        const matches = compileGlob(`${escapeGlob(prefix)}*`);
        expect(matches(prefix + text)).toBe(true);
        expect(matches(text)).toBe(text.startsWith(prefix));
      }),
    );
  });
});

describe("compileGlob", () => {
  it.each([
    ["*", ["", "a", "é\n"], []],
    ["a*c", ["ac", "abc", "abcc"], ["a", "abcd", "bac"]],
    ["a**c", ["ac", "abc"], ["a"]],
    ["*a*b*", ["ab", "xaxbx"], ["ba", "a"]],
    ["a?c", ["abc", "a?c"], ["ac", "abbc"]],
    ["a[bc]d", ["abd", "acd"], ["aad", "ad", "abcd"]],
    ["a[^bc]d", ["aad"], ["abd", "ad"]],
    ["a[b-d]", ["ab", "ac", "ad"], ["aa", "ae", "a-"]],
    ["a[d-b]", ["ab", "ac", "ad"], ["aa", "ae"]],
    ["a[\\]x]", ["a]", "ax"], ["a\\", "a"]],
    ["a[]", [], ["a", "a]", "a["]],
    ["a[^]", ["ab"], ["a"]],
    ["a[bc", ["ab", "ac"], ["ad", "a[bc"]],
    ["a\\*", ["a*"], ["ab", "a\\*"]],
    ["a\\", ["a\\"], ["a"]],
    ["", [""], ["a"]],
  ] as [string, string[], string[]][])("reads %j", (pattern, matching, others) => {
    const matches = compileGlob(pattern);
    expect(matching.filter((text) => !matches(text))).toEqual([]);
    expect(others.filter((text) => matches(text))).toEqual([]);
  });

  it("counts bytes of UTF-8, as servers do", () => {
    expect(compileGlob("?")("é")).toBe(false);
    expect(compileGlob("??")("é")).toBe(true);
    expect(compileGlob("t?é")("té")).toBe(false);
    expect(compileGlob("*é")("été")).toBe(true);
  });

  it("matches bytes that are not UTF-8", () => {
    const matches = compileGlob("a?*");
    expect(matches(Uint8Array.of(0x61, 0xff))).toBe(true);
    expect(matches(Uint8Array.of(0xff, 0x61))).toBe(false);
    expect(compileGlob(Uint8Array.of(0xff))(Uint8Array.of(0xff))).toBe(true);
  });

  it("agrees with the equivalent regular expression", () => {
    const unit = fc.constantFrom("a", "b", "*", "?");
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit: fc.constantFrom("a", "b") }), (pattern, text) => {
        const regex = new RegExp(`^${pattern.replaceAll(/\*+/g, ".*").replaceAll("?", ".")}$`);
        expect(compileGlob(pattern)(text)).toBe(regex.test(text));
      }),
    );
  });

  it("ends soon, however many wildcards fail late in the text", () => {
    expect(compileGlob(`${"*a".repeat(60)}*b`)("a".repeat(3_000))).toBe(false);
    expect(compileGlob(`${"*[ab]?".repeat(60)}*c`)("ab".repeat(1_500))).toBe(false);
  });
});

it("takes the bytes of a range as signed numbers, as servers do: those of other letters than ASCII's come first", () => {
  expect(compileGlob("[🐎-a]")("\\")).toBe(true);
  expect(compileGlob("[🐎-a]")("b")).toBe(false);
});
