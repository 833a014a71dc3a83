import { type Cache, define } from "valkey-edge-cache";
import * as z from "zod";
import type { Cities } from "./cities/cities.ts";

const Place = z.object({
  id: z.number(),
  name: z.string(),
  country: z.string(),
  region: z.string(),
  population: z.number(),
  lat: z.number(),
  lng: z.number(),
});
const NearbyPlace = Place.extend({ km: z.number() });

/** The most results of a request. Each question is computed for as many, so that requests for fewer share what is stored. */
export const MOST_RESULTS = 100;

/** What is computed, and how it is cached: the key, the loader, the lifetime, the tags and the schema of each question. */
export function defineAnswers(cache: Cache, cities: Cities) {
  return {
    near: define(cache, {
      key: ({ lat, lng }: { lat: number; lng: number }) => `near:${lat},${lng}`,
      load: ({ lat, lng }) => cities.near(lat, lng, MOST_RESULTS),
      schema: z.array(NearbyPlace),
      tags: (places) => tagsOf("near", places),
      ttl: "1d",
    }),
    search: define(cache, {
      key: (q: string) => `search:${q}`,
      load: (q) => cities.search(q, MOST_RESULTS),
      schema: z.array(Place),
      tags: (places) => tagsOf("search", places),
      ttl: "1d",
    }),
  };
}

/** What an answer is purged by, both as data and as a response: everything, its kind, and each country that it shows. */
export function tagsOf(kind: string, places: readonly { country: string }[] = []): string[] {
  return ["cities", kind, ...new Set(places.map(({ country }) => `country:${country}`))];
}
