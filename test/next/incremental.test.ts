import { expect, it } from "vitest";
import { Fleet } from "./fleet.js";

const page = {
  kind: "APP_PAGE",
  html: `<p>${"ü".repeat(300)}</p>`,
  rscData: Buffer.from([0, 255, 1]),
  status: 200,
  headers: { "x-next-cache-tags": "news,_N_T_/a" },
  segmentData: new Map([["/_tree", Buffer.from([255])]]),
};
const forPage = { cacheControl: { revalidate: 60, expire: 3_600 } };

it("a page comes back as it was stored", async () => {
  await using fleet = new Fleet();
  const [a, b] = [fleet.pages(), fleet.pages()];
  expect(await a().get("/a", { kind: "APP_PAGE" })).toBeNull();
  await a().set("/a", page, forPage);
  const found = await b().get("/a", { kind: "APP_PAGE" });
  expect(found?.value).toEqual(page);
  expect(found).toMatchObject(forPage);
  await b().revalidateTag("_N_T_/a");
  expect(await a().get("/a", { kind: "APP_PAGE" })).toBeNull();
});
