import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCities } from "../../examples/hono-app/cities/cities.js";
import { encodeTable, type Place } from "../../examples/hono-app/cities/table.js";
import { allCities, place, sourceRows } from "./places.js";

const RADIANS = Math.PI / 180;

/** The textbook formula, for comparison with the way that the example computes. */
function haversineKm(a: { lat: number; lng: number }, b: { lat: number; lng: number }): number {
  const lat = Math.sin(((b.lat - a.lat) * RADIANS) / 2) ** 2;
  const lng = Math.sin(((b.lng - a.lng) * RADIANS) / 2) ** 2;
  const h = lat + Math.cos(a.lat * RADIANS) * Math.cos(b.lat * RADIANS) * lng;
  return 2 * 6371.0088 * Math.asin(Math.min(1, Math.sqrt(h)));
}

function withPlaces(places: readonly Place[]) {
  const bytes = encodeTable(places, "a test");
  return createCities(() => bytes);
}

describe("near", () => {
  const cities = allCities();
  const rows = sourceRows().map(({ loc: { coordinates } }) => ({ lng: coordinates[0], lat: coordinates[1] }));

  it("finds over all rows what the haversine formula finds, anywhere on Earth", () => {
    const lat = fc.oneof(fc.integer({ min: -90_000, max: 90_000 }), fc.constantFrom(-90_000, 90_000, 0));
    const lng = fc.oneof(fc.integer({ min: -180_000, max: 180_000 }), fc.constantFrom(-180_000, 180_000, 179_999));
    fc.assert(
      fc.property(lat, lng, fc.integer({ min: 1, max: 100 }), (milliLat, milliLng, n) => {
        const point = { lat: milliLat / 1e3, lng: milliLng / 1e3 };
        const expected = rows.map((row) => haversineKm(point, row)).sort((a, b) => a - b);
        const found = cities.near(point.lat, point.lng, n);
        expect(found).toHaveLength(n);
        for (const [i, { km }] of found.entries()) expect(Math.abs(km - (expected[i] ?? 0))).toBeLessThan(0.001);
        for (const other of found) expect(Math.abs(other.km - haversineKm(point, other))).toBeLessThan(0.001);
        expect(new Set(found.map(({ id }) => id)).size).toBe(n);
      }),
      { numRuns: 40 },
    );
  });

  it("sees across the antimeridian", () => {
    const nearby = withPlaces([
      place({ id: 1, lat: -16.5, lng: -179.9 }),
      place({ id: 2, lat: -16.5, lng: 179 }),
      place({ id: 3, lat: -16.5, lng: 0 }),
    ]);
    expect(nearby.near(-16.5, 179.9, 3).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it("sees across a pole", () => {
    const nearby = withPlaces([place({ id: 1, lat: 89, lng: 170 }), place({ id: 2, lat: 86, lng: -10 })]);
    expect(nearby.near(89, -10, 2)).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(nearby.near(90, 0, 1)[0]?.km).toBeCloseTo(111.195, 2);
  });

  it("distinguishes places that are a metre from each other", () => {
    const nearby = withPlaces([
      place({ id: 1, lat: 50.00002, lng: 10 }),
      place({ id: 2, lat: 50.00001, lng: 10 }),
      place({ id: 3, lat: 50, lng: 10 }),
    ]);
    expect(nearby.near(50, 10, 3)).toMatchObject([
      { id: 3, km: 0 },
      { id: 2, km: 0.001 },
      { id: 1, km: 0.002 },
    ]);
  });

  it("puts the more populous of two places at one point first, also where only one fits", () => {
    const nearby = withPlaces([place({ id: 1, population: 5 }), place({ id: 2, population: 7 })]);
    expect(nearby.near(0, 0, 2).map(({ id }) => id)).toEqual([2, 1]);
    expect(nearby.near(0, 0, 1).map(({ id }) => id)).toEqual([2]);
  });

  it("gives all places where there are fewer than asked for", () => {
    expect(withPlaces([place({})]).near(1, 1, 10)).toHaveLength(1);
  });
});
