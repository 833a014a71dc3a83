import { expect, it } from "vitest";
import { LAYERS, violations } from "./support/architecture.js";
import { readSources } from "./support/sources.js";
const sources = readSources();
it("keeps to its layers, without cycles, with each vendor's package in one file", () => {
    expect(violations(sources)).toEqual([]);
});
it("is seen by these rules: imports were found in its files", () => {
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter(({ files }) => files.length > 0).length).toBeGreaterThan(sources.length / 2);
    expect(LAYERS.flat()).toContain("core");
});
