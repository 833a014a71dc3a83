import { type Density, measureDensity } from "./density.ts";
import { nearestRows, placeOnSphere } from "./near.ts";
import { indexNames, searchNames } from "./search.ts";
import { decodeTable, type Place, placeAt } from "./table.ts";

export type NearbyPlace = Place & { km: number };

/** Questions about all the places there are. The data is read with the first question. */
export interface Cities {
  /** The `n` places nearest to a point by great-circle distance, nearest first. */
  near(lat: number, lng: number, n: number): NearbyPlace[];
  /** Up to `n` places whose name contains `folded` (made by `fold`), best first. */
  search(folded: string, n: number): Place[];
  density(): Density;
}

/** @param read gives the file that build-cities.ts writes */
export function createCities(read: () => Uint8Array): Cities {
  const table = once(() => decodeTable(read()));
  const sphere = once(() => placeOnSphere(table()));
  const names = once(() => indexNames(table().names));
  return {
    near: (lat, lng, n) =>
      nearestRows(sphere(), lat, lng, n).map(({ row, km }) => ({
        ...placeAt(table(), row),
        km: Math.round(km * 1e3) / 1e3,
      })),
    search: (folded, n) => searchNames(names(), folded, n).map((row) => placeAt(table(), row)),
    density: () => measureDensity(table()),
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
