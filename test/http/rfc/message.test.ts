import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  fieldValue,
  hasControlCharacter,
  hasOpenQuote,
  listMembers,
  splitOutsideQuotes,
  toFields,
  trim,
  withField,
} from "../../../src/http/rfc/message.js";
import { fields } from "./exchanges.js";

describe("fields", () => {
  it("takes names in any case and white space around values (RFC 9110 §§5.1, 5.5)", () => {
    expect(toFields([["X-Test", " \t a b\t"]])).toEqual([["x-test", "a b"]]);
  });

  it("takes a web Headers", () => {
    const headers = new Headers([
      ["A", "1"],
      ["a", "2"],
      ["Set-Cookie", "x=1"],
      ["Set-Cookie", "y=2"],
    ]);
    expect(toFields(headers)).toEqual([
      ["a", "1, 2"],
      ["set-cookie", "x=1"],
      ["set-cookie", "y=2"],
    ]);
  });

  it("joins the lines of a field (RFC 9110 §5.3)", () => {
    expect(fieldValue(fields({ a: ["1", "2"], b: "3" }), "a")).toBe("1, 2");
  });

  it("distinguishes an absent field from an empty one", () => {
    expect(fieldValue(fields({ a: "" }), "a")).toBe("");
    expect(fieldValue(fields({ a: "" }), "b")).toBeUndefined();
  });

  it("puts one line in the place of several", () => {
    expect(withField(fields({ a: ["1", "2"], b: "3" }), "a", "4")).toEqual([
      ["b", "3"],
      ["a", "4"],
    ]);
  });

  it("splits lists, without empty members (RFC 9110 §5.6.1)", () => {
    expect(listMembers(" a ,\tb,, c,")).toEqual(["a", "b", "c"]);
  });

  it("splits at no comma in a quoted string, and knows an escaped quote (RFC 9110 §5.6.4)", () => {
    expect(listMembers('a="1, 2", b="\\", c", d')).toEqual(['a="1, 2"', 'b="\\", c"', "d"]);
  });

  it("knows a quoted string that never ends", () => {
    expect(hasOpenQuote('a="b')).toBe(true);
    expect(hasOpenQuote('a="b\\"')).toBe(true);
    expect(hasOpenQuote('a="b", c="d"')).toBe(false);
  });

  it("finds control characters, of which a tab is none (RFC 9110 §5.5)", () => {
    expect(["\r", "\n", "\0", "\u001f", "\u007f"].every((bad) => hasControlCharacter(`a${bad}b`))).toBe(true);
    expect(hasControlCharacter("a\tb é")).toBe(false);
  });

  it("trims a long run of inner spaces in no time worth telling", () => {
    const text = `a${" ".repeat(1_000_000)}b`;
    expect(trim(text)).toBe(text);
  });

  it("loses no character of a list but white space", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const strip = (text: string): string => text.replace(/[ \t]/g, "");
        expect(strip(splitOutsideQuotes(value).join(","))).toBe(strip(value));
      }),
    );
  });
});
