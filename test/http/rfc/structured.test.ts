import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseStructuredDictionary,
  parseStructuredStrings,
  serializeName,
  serializeText,
} from "../../../src/http/rfc/structured.js";

describe("structured fields (RFC 9651)", () => {
  it("have the types of a dictionary's members", () => {
    const members = parseStructuredDictionary('a, b=?0, c=1, d="x", e=x, f=1.5, g=1.0, h=(1 2), i=:AA==:, j=-3;p=1.0');
    expect(Object.fromEntries(members ?? [])).toEqual({
      a: { type: "boolean", value: true },
      b: { type: "boolean", value: false },
      c: { type: "integer", value: 1 },
      d: { type: "string", value: "x" },
      e: { type: "token", value: "x" },
      f: { type: "other" },
      g: { type: "other" },
      h: { type: "other" },
      i: { type: "other" },
      j: { type: "integer", value: -3 },
    });
  });

  it("are nothing when they can't be read", () => {
    for (const bad of ["A=1", "a=", "a=1,", "a =1", "a=1 b", 'a="x', "a=1234567890123456", "é"]) {
      expect(parseStructuredDictionary(bad)).toBeUndefined();
    }
    expect(parseStructuredDictionary("")).toEqual(new Map());
  });

  it("give the strings of a list, each once, and nothing for what is no list", () => {
    expect(parseStructuredStrings('"a", "b";x=1, c, "a", 1, ("d" "e")')).toEqual(["a", "b"]);
    expect(parseStructuredStrings('"a",')).toBeUndefined();
    expect(parseStructuredStrings("")).toEqual([]);
  });

  it("write any text as a string that can be read again", () => {
    expect(serializeText('a"\\b')).toBe('"a\\"\\\\b"');
    expect(serializeText("né\n\ud800")).toBe('"n%C3%A9%0A%EF%BF%BD"');
    expect(serializeName("a-b")).toBe("a-b");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(parseStructuredStrings(serializeText(text))).toHaveLength(1);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
        expect(parseStructuredStrings(serializeText(text))).toEqual([text]);
      }),
    );
  });

  it("never make reading throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        parseStructuredDictionary(text);
        parseStructuredStrings(text);
      }),
    );
  });
});
