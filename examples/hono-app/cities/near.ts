import { latAt, lngAt, type Table } from "./table.ts";

/** The Earth's mean radius (IUGG). */
const EARTH_KM = 6371.0088;

/** Every row as a point on the unit sphere, where neither the poles nor the antimeridian are special. */
export interface Sphere {
  x: Float64Array;
  y: Float64Array;
  z: Float64Array;
}

export interface Neighbour {
  row: number;
  /** Great-circle distance. */
  km: number;
}

export function placeOnSphere(table: Table): Sphere {
  const sphere = { x: new Float64Array(table.rows), y: new Float64Array(table.rows), z: new Float64Array(table.rows) };
  for (let row = 0; row < table.rows; row++) {
    const [x, y, z] = unitVector(latAt(table, row), lngAt(table, row));
    sphere.x[row] = x;
    sphere.y[row] = y;
    sphere.z[row] = z;
  }
  return sphere;
}

/**
 * The `n` rows nearest to a point, nearest first; of two as near, the one with the lower row.
 * Compares squared chords: they grow with the great-circle distance, and unlike its cosine they keep their precision
 * between close points.
 */
export function nearestRows(sphere: Sphere, lat: number, lng: number, n: number): Neighbour[] {
  const [x, y, z] = unitVector(lat, lng);
  const best: { row: number; chord2: number }[] = [];
  let limit = Number.POSITIVE_INFINITY;
  for (let row = 0; row < sphere.x.length; row++) {
    const dx = (sphere.x[row] as number) - x;
    const dy = (sphere.y[row] as number) - y;
    const dz = (sphere.z[row] as number) - z;
    const chord2 = dx * dx + dy * dy + dz * dz;
    if (chord2 >= limit) continue;
    best.splice(insertionPoint(best, chord2), 0, { row, chord2 });
    if (best.length > n) best.pop();
    if (best.length === n) limit = (best[n - 1] as { chord2: number }).chord2;
  }
  return best.map(({ row, chord2 }) => ({ row, km: arcKm(chord2) }));
}

/** After those as near, so that the earlier row stays first. Few rows come this far: the list stays short and sorted. */
function insertionPoint(best: readonly { chord2: number }[], chord2: number): number {
  return best.findLastIndex((other) => other.chord2 <= chord2) + 1;
}

function arcKm(chord2: number): number {
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord2) / 2));
}

function unitVector(lat: number, lng: number): [x: number, y: number, z: number] {
  const phi = (lat * Math.PI) / 180;
  const lambda = (lng * Math.PI) / 180;
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}
