import { measureDensity } from "./density.ts";
import { nearestRows, placeOnSphere } from "./near.ts";
import { indexNames, searchNames } from "./search.ts";
import { decodeTable, placeAt } from "./table.ts";
/** @param read gives the file that build-cities.ts writes */
export function createCities(read) {
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
function once(make) {
  let made;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
