import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { invalidatedGroups, NO_LABELS, responseLabels } from "../../../src/http/rfc/invalidation.js";
import { fields } from "./exchanges.js";

describe("tags", () => {
  it("come from Cache-Tag and Surrogate-Key, each once", () => {
    expect(responseLabels(fields({ "cache-tag": ["a, b", "c,,a"], "surrogate-key": "d  e\ta" }))).toEqual({
      tags: ["a", "b", "c", "d", "e"],
      groups: [],
      prefixes: [],
    });
    expect(responseLabels(fields({}))).toEqual(NO_LABELS);
  });

  it("of Cache-Tag are split at commas alone, whatever else is in them", () => {
    const tags = (value: string) => responseLabels(fields({ "cache-tag": value }))?.tags;
    expect(tags("a, b c, ä")).toEqual(["a", "b c", "ä"]);
    expect(tags('a, "b, c')).toEqual(["a", '"b', "c"]);
    expect(tags("a;x=1, b=2,\tc")).toEqual(["a;x=1", "b=2", "c"]);
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 }), { maxLength: 20 }),
        (parts) => {
          const given = parts.map((part) => part.replaceAll(",", "").trim()).filter((part) => part !== "");
          expect(tags(parts.map((part) => part.replaceAll(",", "")).join(","))).toEqual([...new Set(given)]);
        },
      ),
    );
  });
});

describe("Cache-Groups (RFC 9875 §2)", () => {
  it("are the strings of a list, and differ by case", () => {
    expect(responseLabels(fields({ "cache-groups": ['"scripts", "Scripts";x', '"a b"'] }))?.groups).toEqual([
      "scripts",
      "Scripts",
      "a b",
    ]);
  });

  it("are none when they can't be read", () => {
    expect(responseLabels(fields({ "cache-groups": '"scripts' }))?.groups).toEqual([]);
    expect(responseLabels(fields({ "cache-groups": "scripts" }))?.groups).toEqual([]);
  });

  it("may be 32 of 32 characters, and more", () => {
    const many = Array.from({ length: 32 }, (_, at) => String(at).padStart(32, "x"));
    expect(responseLabels(fields({ "cache-groups": many.map((name) => `"${name}"`) }))?.groups).toEqual(many);
  });
});

it("a response with more labels than can be kept has none: it could not be found to be purged", () => {
  const tags = (count: number): string => Array.from({ length: count }, (_, at) => `t${at}`).join(",");
  expect(responseLabels(fields({ "cache-tag": tags(128) }))?.tags).toHaveLength(128);
  expect(responseLabels(fields({ "cache-tag": tags(129) }))).toBeUndefined();
  expect(responseLabels(fields({ "cache-tag": "x".repeat(1_025) }))).toBeUndefined();
  expect(responseLabels(fields({ "cache-tag": "a\u0001" }))).toBeUndefined();
});

describe("Cache-Group-Invalidation (RFC 9875 §3)", () => {
  const got = fields({ "cache-group-invalidation": '"a", "b";x=1' });

  it("names groups to invalidate", () => expect(invalidatedGroups("POST", got)).toEqual(["a", "b"]));

  it("is ignored after a safe method", () => {
    for (const method of ["GET", "HEAD", "OPTIONS"]) expect(invalidatedGroups(method, got)).toEqual([]);
  });

  it("is ignored when it can't be read", () => {
    expect(invalidatedGroups("POST", fields({ "cache-group-invalidation": "a, b" }))).toEqual([]);
    expect(invalidatedGroups("POST", fields({}))).toEqual([]);
  });
});
