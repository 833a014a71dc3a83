import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp } from "../../examples/hono-app/app.js";
import { CITIES_FILE } from "../../examples/hono-app/build-cities.js";
import { type Cities, createCities } from "../../examples/hono-app/cities/cities.js";
import { type Cache, createCache, type StatisticsSnapshot } from "../../src/index.js";
import { fromOf } from "./cache-status.js";
import { allCities } from "./places.js";

const cities = allCities();
let cache: Cache;
let app: ReturnType<typeof createApp>;

beforeEach(() => {
  cache = createCache({ location: "memory:" });
  app = createApp({
    cache,
    cities,
    page: "<!doctype html><title>Places</title>",
    purgeToken: "secret",
    awaitBackground: true,
  });
});

afterEach(() => cache.close());

/** What the answers hold, as far as the tests look into it. */
interface Body {
  results: unknown[];
  levels: number[][];
}

async function ask(path: string) {
  const response = await app.request(path);
  return {
    status: response.status,
    from: fromOf(response.headers.get("cache-status")),
    timing: response.headers.get("server-timing"),
    body: (await response.json()) as Body,
  };
}

it("serves the page", async () => {
  const response = await app.request("/");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch("text/html");
  expect(await response.text()).toMatch("<title>Places</title>");
});

it.each(["near", "search"])("shows on its page the code of the route %s as it stands in the sources", (route) => {
  const read = (name: string) => readFileSync(new URL(`../../examples/hono-app/${name}`, import.meta.url), "utf8");
  // Blank lines stand between the parts; indentation differs, as each part is shown by itself.
  const lines = (text: string) => text.replace(/^ +/gm, "");
  const sources = lines(`${read("app.ts")}${read("answers.ts")}`);
  const shown =
    new RegExp(`<template id="code-${route}">\\n([\\s\\S]*?)</template>`).exec(read("page.html"))?.[1] ?? "";
  const parts = lines(shown).trim().split("\n\n");
  expect(parts).toHaveLength(3);
  for (const part of parts) expect(sources).toContain(part);
});

it("says what its cache has done", async () => {
  await ask("/cities/search?q=lodz");
  await ask("/cities/search?q=lodz");
  const response = await app.request("/statistics");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const { total, requests, outcomes } = (await response.json()) as StatisticsSnapshot;
  expect(total).toMatchObject({ requests: 2, requestHits: 1, requestsStored: 1, loads: 2, errors: 0 });
  expect(outcomes).toEqual({ hit: 1, "uri-miss": 1 });
  expect(requests.count).toBe(2);
});

it("answers with the nearest places, ten by default", async () => {
  const { status, body } = await ask("/cities/near?lat=52.52&lng=13.405&n=2");
  expect(status).toBe(200);
  expect(body).toEqual({
    lat: 52.52,
    lng: 13.405,
    results: [
      {
        id: 6545310,
        name: "Mitte",
        country: "DE",
        region: "",
        population: 81205,
        lat: 52.52003,
        lng: 13.40489,
        km: 0.008,
      },
      {
        id: 2950159,
        name: "Berlin",
        country: "DE",
        region: "",
        population: 3426354,
        lat: 52.52437,
        lng: 13.41053,
        km: 0.613,
      },
    ],
  });
  expect((await ask("/cities/near?lat=52.52&lng=13.405")).body.results).toHaveLength(10);
});

it("answers with the places of a name, ten by default", async () => {
  const { status, body } = await ask("/cities/search?q=S%C3%A3o+Paulo&n=1");
  expect(status).toBe(200);
  expect(body).toMatchObject({ q: "sao paulo", results: [{ name: "São Paulo", country: "BR" }] });
  expect((await ask("/cities/search?q=san")).body.results).toHaveLength(10);
  expect((await ask("/cities/search?q=qqqqq")).body.results).toEqual([]);
});

it("computes a question once for any number of results", async () => {
  const near = vi.spyOn(cities, "near");
  const search = vi.spyOn(cities, "search");
  for (const n of [3, 10, 100]) {
    const { from, body } = await ask(`/cities/near?lat=52.52&lng=13.405&n=${n}`);
    expect([from, body.results.length]).toEqual(["miss", n]);
    expect((await ask(`/cities/search?q=san&n=${n}`)).body.results).toHaveLength(n);
  }
  expect([near.mock.calls.length, search.mock.calls.length]).toEqual([1, 1]);
});

it("computes again what is stored in another form, as an older release has left it", async () => {
  await ask("/cities/search?q=lodz&n=1");
  await cache.purgeTags(["cities"], { only: "http" });
  await cache.set("search:lodz", [{ name: "Lodz" }]);
  expect((await ask("/cities/search?q=lodz&n=1")).body.results).toMatchObject([{ name: "Łódź", country: "PL" }]);
});

it("answers with where all places are", async () => {
  const { body } = await ask("/cities/density");
  const cells = body.levels.flat().length;
  expect(cells).toBeGreaterThan(30_000);
});

describe.each(["/cities/near?lat=52.52&lng=13.405", "/cities/search?q=berlin", "/cities/density"])("%s", (path) => {
  it("is a miss with the time of both parts, then a hit with the same answer", async () => {
    const first = await ask(path);
    expect(first.from).toBe("miss");
    expect(first.timing).toMatch(/^cache;dur=\d+\.\d\d, load;dur=\d+\.\d\d$/);
    const second = await ask(path);
    expect(second.from).toBe("hit");
    expect(second.timing).toMatch(/^cache;dur=\d+\.\d\d$/);
    expect(second.body).toEqual(first.body);
  });
});

it.each([
  ["/cities/near?lat=52.52&lng=13.405", "/cities/near?lng=13.4051&lat=52.5196&n=10"],
  ["/cities/near?lat=10&lng=180", "/cities/near?lat=10&lng=-180"],
  ["/cities/near?lat=10&lng=180", "/cities/near?lat=10&lng=-179.9999"],
  ["/cities/near?lat=90&lng=5", "/cities/near?lat=90.000&lng=-170"],
  ["/cities/near?lat=0&lng=0", "/cities/near?lat=-0&lng=-0.0001&n=010"],
  ["/cities/search?q=Łódź", "/cities/search?q=%20LODZ&n=10"],
  ["/cities/search?q=saint-denis", "/cities/search?q=Saint++Denis"],
])("shares an entry between %s and %s", async (one, other) => {
  const first = await ask(one);
  expect(first.from).toBe("miss");
  const second = await ask(other);
  expect(second.from).toBe("hit");
  expect(second.body).toEqual(first.body);
});

it.each([
  ["/cities/near?lat=52.52&lng=13.405", "/cities/near?lat=52.521&lng=13.405"],
  ["/cities/near?lat=52.52&lng=13.405", "/cities/near?lat=52.52&lng=13.405&n=11"],
  ["/cities/near?lat=1&lng=2", "/cities/near?lat=2&lng=1"],
  ["/cities/near?lat=1&lng=2", "/cities/near?lat=1&lng=-2"],
  ["/cities/search?q=berlin", "/cities/search?q=berlin&n=11"],
  ["/cities/search?q=new+york", "/cities/search?q=newyork"],
])("keeps %s and %s apart", async (one, other) => {
  await ask(one);
  expect((await ask(other)).from).toBe("miss");
});

describe("bad parameters", () => {
  const near = "lat=52.52&lng=13.4";
  it.each([
    ["near?lng=1", "lat", "lat is missing; give degrees from -90 to 90"],
    ["near?lat=1", "lng", "lng is missing; give degrees from -180 to 180"],
    ["near?lat=&lng=1", "lat", "lat is empty; give"],
    ["near?lat&lng=1", "lat", "lat is empty; give"],
    ["near?lat=NaN&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=Infinity&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=1e1&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=0x10&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=52,5&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=%2052&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=%FF&lng=1", "lat", "lat is not a number; give"],
    ["near?lat=90.01&lng=1", "lat", "lat is out of range; give degrees from -90 to 90"],
    ["near?lat=-91&lng=1", "lat", "lat is out of range; give"],
    ["near?lat=1&lng=180.5", "lng", "lng is out of range; give degrees from -180 to 180"],
    [`near?lat=1&lng=${"9".repeat(400)}`, "lng", "lng is out of range; give"],
    ["near?lat=1&lat=1&lng=1", "lat", "lat is given 2 times; give degrees from -90 to 90 as a decimal number, once"],
    ["near?lat=1&lng=1&lng=2&lng=3", "lng", "lng is given 3 times"],
    [`near?${near}&n=0`, "n", "n is out of range; give a whole number from 1 to 100"],
    [`near?${near}&n=101`, "n", "n is out of range; give a whole number from 1 to 100"],
    [`near?${near}&n=-1`, "n", "n is out of range"],
    [`near?${near}&n=1.5`, "n", "n is not a whole number; give"],
    [`near?${near}&n=ten`, "n", "n is not a whole number; give"],
    [`near?${near}&n=`, "n", "n is empty; give a whole number from 1 to 100"],
    [`near?${near}&n=5&n=5`, "n", "n is given 2 times"],
    ["search", "q", "q is missing; give 1 to 100 characters"],
    ["search?q=", "q", "q is empty; give 1 to 100 characters"],
    ["search?q=%20-%20", "q", "q has no letter or digit; give"],
    ["search?q=a&q=b", "q", "q is given 2 times; give"],
    [`search?q=${"a".repeat(101)}`, "q", "q is longer than 100 characters; give"],
    ["search?q=Berl%FFn", "q", "q is not valid UTF-8; give"],
    ["search?q=a&n=x", "n", "n is not a whole number; give"],
  ])("%s is a 400 that names %s", async (path, parameter, message) => {
    const { status, body, from } = await ask(`/cities/${path}`);
    expect(status).toBe(400);
    expect(body).toEqual({ error: { parameter, message: expect.stringContaining(message) } });
    expect(from).toBeNull();
  });

  it("takes a name of 100 characters, and one of two lines as two words", async () => {
    expect((await ask(`/cities/search?q=${"a".repeat(100)}`)).status).toBe(200);
    expect((await ask("/cities/search?q=new%0Ayork&n=1")).body.results).toMatchObject([{ name: "New York City" }]);
  });
});

it("reads the places with the first question that is computed, and never again", async () => {
  const read = vi.fn(() => readFileSync(CITIES_FILE));
  app = createApp({ cache, cities: createCities(read), page: "" });
  await app.request("/");
  await ask("/cities/near?lat=x");
  expect(read).not.toHaveBeenCalled();
  for (const path of ["near?lat=1&lng=1", "search?q=a", "density"]) await ask(`/cities/${path}`);
  expect(read).toHaveBeenCalledOnce();
});

it("answers with a 304 when the client has the response already", async () => {
  const { headers } = await app.request("/cities/density");
  const again = await app.request("/cities/density", { headers: { "if-none-match": headers.get("etag") ?? "" } });
  expect([again.status, fromOf(again.headers.get("cache-status"))]).toEqual([304, "hit"]);
});

describe("a purge", () => {
  const purge = (query: string, token?: string) =>
    app.request(`/purge${query}`, { method: "POST", headers: token ? { authorization: `Bearer ${token}` } : {} });

  it("needs the token", async () => {
    expect((await purge("")).status).toBe(401);
    expect((await purge("", "guess")).status).toBe(401);
    app = createApp({ cache, cities, page: "" });
    expect((await purge("", "secret")).status).toBe(403);
  });

  it("ends all answers, or those of one kind", async () => {
    const paths = ["/cities/density", "/cities/search?q=berlin"] as const;
    const from = async () => [(await ask(paths[0])).from, (await ask(paths[1])).from];
    await from();
    expect(await from()).toEqual(["hit", "hit"]);
    expect((await purge("?tag=density", "secret")).status).toBe(204);
    expect(await from()).toEqual(["miss", "hit"]);
    await purge("", "secret");
    expect(await from()).toEqual(["miss", "miss"]);
  });

  it("of a country ends the responses that show it, and what they were made of", async () => {
    const search = vi.spyOn(cities, "search");
    const polish = "/cities/search?q=lodz";
    const german = "/cities/search?q=heidelberg&n=1";
    const from = async () => [(await ask(polish)).from, (await ask(german)).from];
    await from();
    await purge("?tag=country:PL", "secret");
    search.mockClear();
    expect(await from()).toEqual(["miss", "hit"]);
    expect(search.mock.calls).toEqual([["lodz", 100]]);
  });
});

it("answers a failure of its own with a 500 that keeps its details to the log", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const broken: Cities = {
    ...cities,
    density: () => {
      throw new Error("no such file: /secret");
    },
  };
  app = createApp({ cache, cities: broken, page: "" });
  const { status, body } = await ask("/cities/density");
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain("secret");
  expect(log).toHaveBeenCalledOnce();
});
