import { latAt, lngAt } from "./table.ts";

/** The Earth's mean radius (IUGG). */
const EARTH_KM = 6371.0088;
export function placeOnSphere(table) {
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
export function nearestRows(sphere, lat, lng, n) {
  const [x, y, z] = unitVector(lat, lng);
  const best = [];
  let limit = Number.POSITIVE_INFINITY;
  for (let row = 0; row < sphere.x.length; row++) {
    const dx = sphere.x[row] - x;
    const dy = sphere.y[row] - y;
    const dz = sphere.z[row] - z;
    const chord2 = dx * dx + dy * dy + dz * dz;
    if (chord2 >= limit) continue;
    best.splice(insertionPoint(best, chord2), 0, { row, chord2 });
    if (best.length > n) best.pop();
    if (best.length === n) limit = best[n - 1].chord2;
  }
  return best.map(({ row, chord2 }) => ({ row, km: arcKm(chord2) }));
}
/** After those as near, so that the earlier row stays first. Few rows come this far: the list stays short and sorted. */
function insertionPoint(best, chord2) {
  return best.findLastIndex((other) => other.chord2 <= chord2) + 1;
}
function arcKm(chord2) {
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord2) / 2));
}
function unitVector(lat, lng) {
  const phi = (lat * Math.PI) / 180;
  const lambda = (lng * Math.PI) / 180;
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}
