const STEPS = 1e5;
export function placeAt(table, row) {
  return {
    id: table.ids[row],
    name: table.names[row],
    country: table.countries.slice(2 * row, 2 * row + 2),
    region: table.regions.slice(2 * row, 2 * row + 2).trim(),
    population: table.populations[row],
    lat: latAt(table, row),
    lng: lngAt(table, row),
  };
}
export function latAt(table, row) {
  return table.lats[row] / STEPS;
}
export function lngAt(table, row) {
  return table.lngs[row] / STEPS;
}
/** The file's first line, which names its format and where its rows come from. */
export function headerOf(source) {
  return `cities 1 ${source}\n`;
}
/**
 * The compact form: the header line, the number of rows, the four number columns (little-endian, 32 bits each),
 * countries and regions (two bytes a row), and the names, one a line, in UTF-8.
 * Everything is plain, so that decoding is quick, and compresses well on its way to an edge.
 */
export function encodeTable(places, source) {
  const sorted = places.toSorted((a, b) => b.population - a.population || a.id - b.id);
  const column = (value) => new Uint8Array(Int32Array.from(sorted, value).buffer);
  const utf8 = (value) => new TextEncoder().encode(value);
  return concatenate([
    utf8(headerOf(source)),
    new Uint8Array(Uint32Array.of(sorted.length).buffer),
    column((place) => place.id),
    column((place) => place.population),
    column((place) => Math.round(place.lat * STEPS)),
    column((place) => Math.round(place.lng * STEPS)),
    utf8(sorted.map((place) => place.country).join("")),
    utf8(sorted.map((place) => place.region.padEnd(2)).join("")),
    utf8(sorted.map((place) => place.name).join("\n")),
  ]);
}
/** @throws when the bytes are not of this format */
export function decodeTable(bytes) {
  const body = bytes.indexOf(10) + 1;
  if (!text(bytes, 0, body).startsWith(headerOf("").slice(0, -1))) {
    throw new Error("The cities file has another format; build it again with build-cities.ts");
  }
  const rows = new DataView(bytes.buffer, bytes.byteOffset).getUint32(body, true);
  const numbers = body + 4;
  const letters = numbers + 16 * rows;
  // A copy of each column, as typed arrays begin at multiples of their numbers' size.
  const column = (index) => {
    const start = bytes.byteOffset + numbers + 4 * index * rows;
    return bytes.buffer.slice(start, start + 4 * rows);
  };
  return {
    rows,
    ids: new Uint32Array(column(0)),
    populations: new Uint32Array(column(1)),
    lats: new Int32Array(column(2)),
    lngs: new Int32Array(column(3)),
    countries: text(bytes, letters, letters + 2 * rows),
    regions: text(bytes, letters + 2 * rows, letters + 4 * rows),
    names: text(bytes, letters + 4 * rows).split("\n"),
  };
}
function text(bytes, from, to) {
  return new TextDecoder().decode(bytes.subarray(from, to));
}
function concatenate(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
