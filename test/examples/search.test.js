import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold } from "../../examples/hono-app/cities/fold.js";
import { indexNames, searchNames } from "../../examples/hono-app/cities/search.js";
import { allCities } from "./places.js";

describe("fold", () => {
  it.each([
    ["São Paulo", "sao paulo"],
    ["ÅLBORG", "alborg"],
    ["İstanbul", "istanbul"],
    ["Çankırı", "cankiri"],
    ["Tromsø", "tromso"],
    ["Łódź", "lodz"],
    ["Großenhain", "grossenhain"],
    ["GROẞENHAIN", "grossenhain"],
    ["Đà Nẵng", "da nang"],
    ["Sæby", "saeby"],
    ["Œuilly", "oeuilly"],
    ["Þorlákshöfn", "thorlakshofn"],
    ["Ħamrun", "hamrun"],
    ["Xi’an", "xian"],
    ["L'Aquila", "laquila"],
    ["  Saint-Denis (Réunion) ", "saint denis reunion"],
    ["ΠΥΡΓΟΣ", "πυργοσ"],
    ["Πύργος", "πυργοσ"],
    ["Йошкар", "иошкар"],
    ["Zürich", "zurich"],
    ["— / !", ""],
  ])("makes %j %j", (name, folded) => {
    expect(fold(name)).toBe(folded);
  });
  it("keeps lines apart, whatever is on them", () => {
    const line = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", ""));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), (lines) => {
        expect(fold(lines.join("\n")).split("\n")).toEqual(lines.map(fold));
      }),
    );
  });
  it("changes nothing that it made", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(fold(fold(text))).toBe(fold(text));
      }),
      { numRuns: 2000 },
    );
  });
});
describe("searchNames", () => {
  /** The definition, word by word. */
  function byDefinition(names, folded, n) {
    const rank = (name) => {
      if (name === folded) return 0;
      if (name.startsWith(folded)) return 1;
      if (name.includes(` ${folded}`)) return 2;
      return name.includes(folded) ? 3 : 4;
    };
    const ranked = names.map((name, row) => ({ row, rank: rank(fold(name)) })).filter((one) => one.rank < 4);
    return ranked
      .sort((a, b) => a.rank - b.rank || a.row - b.row)
      .slice(0, n)
      .map(({ row }) => row);
  }
  it("ranks the name itself before beginnings, word beginnings and parts, and keeps the order of the rows", () => {
    const names = ["New York", "Yorkville", "Workyorks", "York", "Old York", "Yorkton", "Paris"];
    expect(searchNames(indexNames(names), "york", 10)).toEqual([3, 1, 5, 0, 4, 2]);
    expect(searchNames(indexNames(names), "york", 2)).toEqual([3, 1]);
  });
  it("ranks a name by its best match", () => {
    expect(searchNames(indexNames(["Abab ab", "Xab", "Xab Ab"]), "ab", 10)).toEqual([0, 2, 1]);
  });
  it("finds what the definition finds", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "é", "-"), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 30 }), letters, fc.nat(20), (names, question, n) => {
        const folded = fold(question);
        fc.pre(folded !== "");
        expect(searchNames(indexNames(names), folded, n)).toEqual(byDefinition(names, folded, n));
      }),
      { numRuns: 500 },
    );
  });
});
describe("search over all places", () => {
  const cities = allCities();
  const names = (question, n = 5) => cities.search(fold(question), n).map(({ name }) => name);
  it("puts the largest of the places of one name first", () => {
    expect(cities.search("berlin", 3)).toMatchObject([
      { name: "Berlin", country: "DE", population: 3_426_354, lat: 52.52437, lng: 13.41053 },
      { name: "Berlín", country: "SV" },
      { name: "Berlin", country: "US", region: "NH" },
    ]);
  });
  it.each([
    ["łódź", "Łódź"],
    ["LODZ", "Łódź"],
    ["tromso", "Tromsø"],
    ["Tromsø", "Tromsø"],
    ["xian", "Xi’an"],
    ["são PAULO", "São Paulo"],
    ["saint denis", "Saint-Denis"],
    ["giessen", "Gießen"],
    ["gießen", "Gießen"],
  ])("finds %j as %j", (question, name) => {
    expect(names(question)[0]).toBe(name);
  });
  it("finds nothing where nothing is", () => {
    expect(names("qqqqq")).toEqual([]);
  });
});
