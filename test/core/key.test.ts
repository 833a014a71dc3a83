import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileGlob } from "../../src/core/glob.js";
import { checkKey, defaultKeyFunction, defaultReverseKeyFunction, makePattern, StoredKey } from "../../src/core/key.js";

const text = fc.string({ unit: "grapheme" });
const key = fc.string({ unit: "grapheme", minLength: 1 });

describe("the default key function", () => {
  it("joins prefix, version and key as Django does", () => {
    expect(defaultKeyFunction("user:1", "shop", 2)).toBe("shop:2:user:1");
    expect(defaultKeyFunction("a", "", 0)).toBe(":0:a");
  });

  it("has an inverse for any prefix and key", () => {
    fc.assert(
      fc.property(key, text, fc.maxSafeInteger(), (name, prefix, version) => {
        expect(defaultReverseKeyFunction(defaultKeyFunction(name, prefix, version), prefix)).toBe(name);
      }),
    );
  });
});

describe("a pattern of stored keys", () => {
  it("matches the keys of its prefix, whatever the prefix contains", () => {
    fc.assert(
      fc.property(key, text, fc.integer(), (name, prefix, version) => {
        const made = defaultKeyFunction(name, prefix, version);
        expect(compileGlob(makePattern(defaultKeyFunction, "*", prefix, version))(made)).toBe(true);
        expect(compileGlob(makePattern(defaultKeyFunction, "*", prefix, "*"))(made)).toBe(true);
      }),
    );
  });

  it("does not use its prefix as a glob", () => {
    const matches = compileGlob(makePattern(defaultKeyFunction, "*", "a*[b]?", 1));
    expect(matches("a*[b]?:1:x")).toBe(true);
    expect(matches("aXXbY:1:x")).toBe(false);
  });
});

describe("a stored key", () => {
  it("converts to its text", () => {
    const made = new StoredKey("shop:1:a");
    expect(`${made}`).toBe("shop:1:a");
    expect(JSON.stringify([made])).toBe('["shop:1:a"]');
    expect(inspect(made)).not.toContain("undefined");
  });
});

describe("checkKey", () => {
  it("accepts strings and stored keys", () => {
    expect(() => checkKey("a")).not.toThrow();
    expect(() => checkKey(" ")).not.toThrow();
    expect(() => checkKey(new StoredKey("a"))).not.toThrow();
  });

  it.each(["", 5, 0, null, undefined, true, {}, ["a"], Symbol("a"), () => "a", new String("a")])(
    "refuses %s, saying what a key is",
    (wrong) => {
      expect(() => checkKey(wrong)).toThrow(TypeError);
      expect(() => checkKey(wrong)).toThrow(/^key: .*; give /);
    },
  );

  it("refuses exactly the strings that differ after a round trip through UTF-8", () => {
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const halves = fc.constantFrom("\ud83d", "\ude00", "\udfff", "a", "🏙");
    const anyText = fc.array(fc.oneof(unit, halves), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(anyText, (name) => {
        const survives = Buffer.from(name, "utf8").toString("utf8") === name;
        if (survives) expect(() => checkKey(name)).not.toThrow();
        else
          expect(() => checkKey(name)).toThrow(/^key: ".*" has half of a surrogate pair, .*; give text that is cut/s);
      }),
      { numRuns: 1_000 },
    );
  });
});
