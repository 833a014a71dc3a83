import { expect, it } from "vitest";
import { stopwatch } from "../support/stopwatch.js";
import { until } from "../support/wait.js";
import { all, Fleet } from "./fleet.js";

const page = {
  kind: "APP_PAGE",
  html: `<p>${"ü".repeat(300)}</p>`,
  rscData: Buffer.from([0, 255, 1]),
  status: 200,
  headers: { "x-next-cache-tags": "news,_N_T_/a", "set-cookie": ["a=1", "b=2"] },
  segmentData: new Map([["/_tree", Buffer.from([255])]]),
};
const lifetime = { cacheControl: { revalidate: 60, expire: 3_600 } };
const APP_PAGE = { kind: "APP_PAGE" };

it.each([
  page,
  { ...page, segmentData: new Map(), postponed: "x".repeat(1_000), rscData: undefined },
  { kind: "APP_ROUTE", body: Buffer.from([0, 255]), status: 201, headers: { "content-type": "image/png" } },
  {
    kind: "PAGES",
    html: "<p>\ud800</p>".repeat(100),
    pageData: { a: [1, null, { b: "ü" }] },
    status: 200,
    headers: {},
  },
  { kind: "REDIRECT", props: { destination: "/b" } },
  null,
])("a response comes back as it was stored: %o", async (value) => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.pages(), fleet.pages()];
  const kind = value?.kind ?? "APP_PAGE";
  expect(await a().get("/a", { kind })).toBeNull();
  await a().set("/a", value, lifetime);
  const found = await b().get("/a", { kind });
  expect(found).toMatchObject(lifetime);
  expect(found?.value).toEqual(value);
  expect(found?.lastModified).toBeGreaterThan(Date.now() - 5_000);
});

it("an image comes back as it was stored", async () => {
  await using fleet = new Fleet();
  const image = {
    kind: "IMAGE",
    etag: "a",
    upstreamEtag: "b",
    buffer: Buffer.from([0, 255]),
    extension: "webp",
    revalidate: 9,
  };
  await fleet
    .pages()()
    .set("key", image, { kind: "IMAGE", ...lifetime });
  expect((await fleet.pages()().get("key", { kind: "IMAGE" }))?.value).toEqual(image);
});

it.each([
  ["a fetched response, whose bytes are stored as they are", Buffer.alloc(30_000, 250).toString("base64"), 30_500],
  ["what unstable_cache stores, which is text", JSON.stringify({ text: "ü".repeat(1_000) }), 3_000],
])("%s, comes back as it was", async (_what, body, maxLength) => {
  await using fleet = new Fleet();
  const [a, b, cache] = [fleet.pages(), fleet.pages(), fleet.cache()];
  const value = { kind: "FETCH", data: { headers: { a: "b" }, body, status: 200, url: "" }, revalidate: 60 };
  expect(await a().get("key", { kind: "FETCH" })).toBeNull();
  await a().set("key", value, { fetchCache: true, tags: ["news"] });
  expect((await b().get("key", { kind: "FETCH", revalidate: 60 }))?.value).toEqual(value);
  const [key = ""] = await all(cache.iterKeys("next(*fetch:*"));
  const [length] = await cache.connection.send([["STRLEN", String(cache.makeKey(key))]]);
  expect(Number(length)).toBeLessThan(maxLength);
});

it("requests of one process and of others wait for one fetch", async () => {
  await using fleet = new Fleet();
  const instances = [fleet.pages(), fleet.pages(), fleet.pages()];
  const value = { kind: "FETCH", data: { headers: {}, body: "", status: 200, url: "" }, revalidate: 60 };
  let fetches = 0;
  const ask = async (handler: ReturnType<(typeof instances)[0]>) => {
    const found = await handler.get("key", { kind: "FETCH", revalidate: 60 });
    if (found) return;
    fetches++;
    await handler.set("key", value, { fetchCache: true });
  };
  await Promise.all(instances.flatMap((one) => [one(), one(), one(), one()]).map(ask));
  expect(fetches).toBe(1);
});

it("a fetch whose response is not stored delays callers once", async () => {
  await using fleet = new Fleet();
  const a = fleet.pages({ generationTimeout: 1 });
  const get = async () => {
    const took = stopwatch();
    expect(await a().get("key", { kind: "FETCH" })).toBeNull();
    return took();
  };
  await get();
  await get();
  const times = [await get(), await get(), await get()];
  expect(Math.max(...times)).toBeLessThan(700);
});

it("a page past its revalidation is stale for one instance, and fresh for the others", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.pages(), fleet.pages()];
  await a().set("/a", page, { cacheControl: { revalidate: 0.1, expire: 3_600 } });
  const isStale = async (one: typeof a) => {
    const found = await one().get("/a", APP_PAGE);
    return Number(found?.lastModified) + Number(found?.cacheControl?.revalidate) * 1_000 < Date.now();
  };
  await until(() => isStale(a), { what: "the end of its freshness", everyMs: 50 });
  expect([await isStale(a), await isStale(b), await isStale(b)]).toEqual([false, false, false]);
  const missing = { ...page, status: 404 };
  await a().set("/a", missing, lifetime);
  expect((await b().get("/a", APP_PAGE))?.value).toMatchObject({ status: 404 });
});

it("a prefetch of a stale page leaves it to a request that generates it", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.pages(), fleet.pages()];
  await a().set("/a", page, { cacheControl: { revalidate: false, expire: 3_600 } });
  await b().revalidateTag("news", { expire: 600 });
  const isStale = (found: Awaited<ReturnType<ReturnType<typeof a>["get"]>>) => found?.cacheControl?.revalidate === 1;
  expect(isStale(await a({ "next-router-prefetch": "1" }).get("/a", APP_PAGE))).toBe(true);
  expect(isStale(await b().get("/a", APP_PAGE))).toBe(true);
  expect(isStale(await a().get("/a", APP_PAGE))).toBe(false);
});

it("revalidateTag takes one tag or several, and ends pages and fetched responses", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.pages(), fleet.pages()];
  const value = { kind: "FETCH", data: { headers: {}, body: "", status: 200, url: "" }, revalidate: 60 };
  const store = async () => {
    await b().set("/a", page, lifetime);
    await b().set("key", value, { fetchCache: true, tags: ["data"] });
  };
  const get = async (softTags: string[] = []) => [
    (await b().get("/a", APP_PAGE)) !== null,
    (await b().get("key", { kind: "FETCH", tags: ["data"], softTags })) !== null,
  ];
  await store();
  expect(await get()).toEqual([true, true]);
  await a().revalidateTag("data");
  expect(await get()).toEqual([true, false]);
  await store();
  await a().revalidateTag(["_N_T_/a"]);
  expect(await get(["_N_T_/b"])).toEqual([false, true]);
  await store();
  await a().revalidateTag(["_N_T_/b"]);
  expect(await get(["_N_T_/b"])).toEqual([true, false]);
});

it("a page of another build is not found", async () => {
  await using fleet = new Fleet();
  await fleet.pages({ buildId: "one" })().set("/a", page, lifetime);
  expect(await fleet.pages({ buildId: "two" })().get("/a", APP_PAGE)).toBeNull();
  expect(await fleet.pages({ buildId: "one" })().get("/a", APP_PAGE)).not.toBeNull();
});
