import { expect, inject, it, onTestFinished } from "vitest";
import { createCache } from "../../src/index.js";
import { ownPrefix } from "../contract/cache/stored.js";
import { freePort, HOST } from "../support/ports.js";
import { startProxy } from "../support/proxy.js";
import { stopwatch } from "../support/stopwatch.js";
import { page, startSite, testFetch } from "./site.js";

const FRESH = { "cache-control": "max-age=60" };

it("without a store, each call goes to the origin", async () => {
  const site = await startSite(page(FRESH));
  const fetch = testFetch({}, { location: `valkey://${HOST}:${await freePort()}`, commandTimeout: 0.5 });
  const took = stopwatch();
  for (const _ of [1, 2, 3]) expect(await (await fetch(site.url)).text()).toBe("page");
  expect(site.asked).toHaveLength(3);
  expect(fetch.errors.length).toBeGreaterThan(0);
  expect(took()).toBeLessThan(5_000);
});

it("with a store that stands still, a call goes to the origin within commandTimeout", async () => {
  const site = await startSite(page(FRESH));
  await using proxy = await startProxy({ port: Number(new URL(inject("valkeyUrl")).port) });
  const cache = createCache({
    location: `valkey://${HOST}:${proxy.port}`,
    keyPrefix: ownPrefix(),
    commandTimeout: 0.5,
  });
  onTestFinished(() => cache.close());
  const fetch = testFetch({ cache });
  await (await fetch(site.url)).text();
  proxy.pause();
  const took = stopwatch();
  expect(await (await fetch(site.url)).text()).toBe("page");
  expect(await (await fetch(`${site.url}/other`, { method: "POST" })).text()).toBe("page");
  expect(took()).toBeLessThan(5_000);
});
