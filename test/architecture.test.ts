import { expect, it } from "vitest";
import { LAYERS, violations } from "./support/architecture.js";
import { readSources } from "./support/sources.js";

const sources = readSources();

it("src/ keeps to its layers, has no import cycles, and imports each vendor package in one file", () => {
  expect(violations(sources)).toEqual([]);
});

it("the rules of the architecture find the imports of src/", () => {
  expect(sources.length).toBeGreaterThan(10);
  expect(sources.filter(({ files }) => files.length > 0).length).toBeGreaterThan(sources.length / 2);
  expect(LAYERS.flat()).toContain("core");
});
